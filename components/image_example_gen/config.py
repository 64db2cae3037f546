"""What a person may set about reading pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from serving.picture_files import MAX_MEGAPIXELS


@dataclass(frozen=True)
class DataConfig:
    """How pictures are read, labelled and divided.

    Attributes:
        eval_share: Share of the training pictures held out for evaluation where there is no eval folder or file. Below
            a half, so that some are left to train on; never 0, for the model could not be judged.
        test_share: The same for the test split; 0 for none.
        splits: `folders` takes the splits that folders, files or the manifest name, and shares of the content for the
            others; `content` takes shares of the content for all, whatever they say.
        label_names: Names of the labels 0, 1, 2 ... of IDX files, arrays and TFRecords; empty: the numbers themselves are
            the names.
        label_pattern: A regular expression that is searched in a picture's path: its group `label` (or the first) is the
            label, its group `split` the split; a path that it is not found in has no label. Null: the folder is the label.
        label_file: A CSV or JSON-lines file with the columns path and label (and split), the paths relative to the folder
            of pictures (in an archive: pictures.zip/cat.png); what it does not name has no label. Null: the folder is the
            label.
        keep_duplicates: Keeps pictures whose pixels are exactly the same; else one of them is kept, of several splits the
            one in test, or else in eval, so that no picture is on both sides.
        max_rejects: The share of pictures that may be refused before the data gate says no.
        max_megapixels: A picture with more pixels, in millions, is refused by its header, before any is decoded.
        max_file_megabytes: A larger picture file, or member of an archive, is refused unread.
        follow_links: Whether symbolic links may lead out of the folder of pictures.
        span_window: How many of the last spans are read together, where the path has {SPAN} or {YYYY}-{MM}-{DD} in it.
        record_image: The feature of TFRecords of tf.Example that holds a picture file's bytes.
        record_label: And the one with its label, bytes or a number; a record without it has no label.
        pictures_per_shard: Pictures read as one unit of work. Each unit writes a file per split, so that fewer pictures
            mean more workers at once and more files.
    """

    eval_share: Annotated[float, Gt(0), Lt(0.5)] = 0.1
    test_share: Annotated[float, Ge(0), Lt(0.5)] = 0.1
    splits: Literal["folders", "content"] = "folders"
    label_names: tuple[str, ...] = ()
    label_pattern: str | None = None
    label_file: str | None = None
    keep_duplicates: bool = False
    max_rejects: Annotated[float, Ge(0), Le(1)] = 0.5
    max_megapixels: Annotated[float, Gt(0), Le(1000)] = MAX_MEGAPIXELS
    max_file_megabytes: Annotated[float, Gt(0)] = 256.0
    follow_links: bool = False
    span_window: Annotated[int, Gt(0)] = 1
    record_image: str = "image/encoded"
    record_label: str = "image/label"
    pictures_per_shard: Annotated[int, Gt(0)] = 10_000

    def __post_init__(self) -> None:
        """Checks what goes together.

        Raises:
            ValueError: It does not; in a person's words.
        """
        if self.label_pattern is None:
            return
        if self.label_file is not None:
            raise ValueError("labels come from label_pattern or from label_file, not from both")
        try:
            pattern = re.compile(self.label_pattern)
        except re.error as error:
            raise ValueError(f"label_pattern is no regular expression: {error}") from None
        if not pattern.groups:
            raise ValueError("label_pattern has no group to take the label from: such as (?P<label>[a-z]+)_\\d+")
