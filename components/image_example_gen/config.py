"""What a person may set about reading pictures."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from serving.picture_files import MAX_MEGAPIXELS, PictureOptions

PositiveInt = Annotated[int, Gt(0)]


@dataclass(frozen=True)
class DataConfig:
    """How pictures are read, labelled and divided.

    Attributes:
        eval_share: Share of the training pictures held out for evaluation where there is no eval folder or file. Below
            a half, so that some are left to train on; never 0, for the model could not be judged.
        test_share: The same for the test split; 0 for none.
        splits: `auto` takes the splits that folders, files or the manifest name, and shares of the content for the others; it
            stops where a folder may be a split or a label. `folders` takes it for a split. `labels` takes all folders for
            labels. `content` takes shares of the content for all, whatever folders are called.
        label_names: Names of the labels 0, 1, 2 ... of IDX files, arrays and TFRecords; empty: the numbers themselves are
            the names.
        label_pattern: A regular expression that is searched in a picture's path: its group `label` (or the first) is the
            label, its group `split` the split; a path that it is not found in has no label. Null: the folder is the label.
        label_file: A CSV or JSON-lines file with the columns path and label (and split), the paths relative to the folder
            of pictures (in an archive: pictures.zip/cat.png); what it does not name has no label. Null: the folder is the
            label.
        label_column: Which column of labels [n, k] counts, from 0, where each picture has several.
        array: The name of the array of pictures in a .npz, .mat or HDF5 file; null: the only one that can be pictures.
        array_labels: The name of the array of labels in it; null: the one called alike, or the only one of as many.
        shape: Height, width and channels of pictures that come as rows of numbers, as in a CSV; null: square and grey.
        levels: The level that is white, of whole numbers that are not 0 to 255: 1 for masks, 4095 for 12 bits. Null: 1 for
            arrays of 0 and 1, else 255, or 65535 for 16 bits.
        range: The numbers that are black and white, of floating-point pictures, such as [0, 1] or [-1, 1].
        depth: Bits of a level that are kept, 8 or 16; what has more is rounded.
        icc: `convert` brings pictures with a color profile other than sRGB to sRGB; `ignore` takes their levels as they are.
        pages: `first`, or `all` pages of a TIFF file, each a picture.
        frames: `first`, or `all` frames of an animated GIF, WebP or PNG file, each a picture.
        archive_encoding: How names in zip and tar files are encoded that do not say so, such as cp932 or gbk.
        keep_duplicates: Keeps pictures whose pixels are exactly the same; else one of them is kept, of several splits the
            one in test, or else in eval, so that no picture is on both sides.
        max_rejects: The share of pictures that may be refused before the data gate says no.
        max_megapixels: A picture with more pixels, in millions, is refused by its header, before any is decoded.
        max_file_megabytes: A larger picture file, or member of an archive, is refused unread.
        follow_links: Whether symbolic links may lead out of the folder of pictures.
        span_window: How many of the last spans are read together, where the path has {SPAN} or {YYYY}-{MM}-{DD} in it.
        record_image: The feature of TFRecords of tf.Example, or the column of Parquet and Arrow files, that holds a picture
            file's bytes. Null: the one with a usual name (image/encoded, image, image_raw ...).
        record_label: And the one with its label, text or a number. Null: the one with a usual name (image/label, label ...).
        pictures_per_shard: Pictures read as one unit of work. Each unit writes a file per split, so that fewer pictures
            mean more workers at once and more files.
    """

    eval_share: Annotated[float, Gt(0), Lt(0.5)] = 0.1
    test_share: Annotated[float, Ge(0), Lt(0.5)] = 0.1
    splits: Literal["auto", "folders", "labels", "content"] = "auto"
    label_names: tuple[str, ...] = ()
    label_pattern: str | None = None
    label_file: str | None = None
    label_column: Annotated[int, Ge(0)] | None = None
    array: str | None = None
    array_labels: str | None = None
    shape: tuple[PositiveInt, PositiveInt, PositiveInt] | None = None
    levels: PositiveInt | None = None
    range: tuple[float, float] | None = None
    depth: Literal[8, 16] = 8
    icc: Literal["convert", "ignore"] = "convert"
    pages: Literal["first", "all"] = "first"
    frames: Literal["first", "all"] = "first"
    archive_encoding: str | None = None
    keep_duplicates: bool = False
    max_rejects: Annotated[float, Ge(0), Le(1)] = 0.5
    max_megapixels: Annotated[float, Gt(0), Le(1000)] = MAX_MEGAPIXELS
    max_file_megabytes: Annotated[float, Gt(0)] = 256.0
    follow_links: bool = False
    span_window: Annotated[int, Gt(0)] = 1
    record_image: str | None = None
    record_label: str | None = None
    pictures_per_shard: Annotated[int, Gt(0)] = 10_000

    def __post_init__(self) -> None:
        """Checks what goes together.

        Raises:
            ValueError: It does not; in a person's words.
        """
        if self.range is not None and not (math.isfinite(sum(self.range)) and self.range[0] < self.range[1]):
            raise ValueError("range is two finite numbers, first the one that is black, such as [0, 1]")
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

    @property
    def heeds_splits(self) -> bool:
        """Whether the splits that folders, files or a manifest name count."""
        return self.splits in ("auto", "folders")

    @property
    def labels_from_folders(self) -> bool:
        """Whether the folders of picture files say their labels."""
        return self.label_pattern is None and self.label_file is None

    @property
    def pictures(self) -> PictureOptions:
        """How picture files are read, at ingestion and at serving."""
        return PictureOptions(self.max_megapixels, self.icc, self.depth, self.levels, self.range)
