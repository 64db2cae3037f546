"""Find the pictures in a folder, an archive, a manifest ... without decoding any of them."""

from __future__ import annotations

from collections.abc import Callable

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.sources import Sources
from components.image_example_gen.discovery.spans import has_spans
from components.image_example_gen.items import Entry
from components.image_example_gen.storage.files import is_file

Finder = Callable[[str, DataConfig], Sources]  # such as `find_sources`, or one that remembers its results


def find_sources(images: str, config: DataConfig = DataConfig(), sink: Callable[[Entry], None] | None = None) -> Sources:
    """Find the pictures of a folder, or in a file; of container files, read the headers.

    Args:
        images: A folder or one file: an archive, an array, TFRecords or a manifest; a path or a URI. With {SPAN} or
            {YYYY}-{MM}-{DD}: the folders of the last spans.
        config: How pictures are read.
        sink: Called with every picture file, in no order; no list of all of them is kept.

    Raises:
        InputError: The folder does not exist, holds no picture, or none to train on; a split's folder is empty; a folder may
            be a split or a label.
    """
    from components.image_example_gen.discovery.survey import Survey

    survey = Survey(images, config, sink or (lambda entry: None))
    return survey.of_spans() if has_spans(images) else survey.of_file() if is_file(images) else survey.of_folder()
