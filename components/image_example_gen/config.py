"""Settings for reading pictures."""

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
    """Options for reading, labeling and splitting pictures.

    Attributes:
        eval_share: Share of the training pictures held out for early stopping if there is no eval folder or file. Below
            a half, so that pictures remain for training; never 0, because the model could not be evaluated.
        test_share: Share of the training pictures held out for the Evaluator if there is no test folder or file. 0: the Evaluator
            uses those of eval.
        splits: `auto` uses the splits named by folders, files or the manifest, and splits the rest by content hash; it stops if a
            folder may be a split or a label. `folders` takes such a folder as a split. `labels` takes all folders as labels.
            `content` splits everything by content hash, whatever the folders' names. See docs/data.md#splits.
        label_names: Names of the labels 0, 1, 2 ... in IDX files, arrays and TFRecords; empty: the numbers themselves are
            the names.
        label_pattern: A regular expression to search in a picture's path: its group `label` (or the first) is the
            label, its group `split` the split; a path without a match has no label. Null: the folder is the label. See
            docs/data.md#labels.
        label_file: A CSV or JSON-lines file with the columns path and label (and split). Paths are relative to the folder
            of pictures (in an archive: pictures.zip/cat.png). Pictures that it does not list have no label. Null: the folder is the
            label.
        label_column: The column, from 0, of labels [n, k] if each picture has several; for a CSV of pixels, its column of labels.
        array: The name of the array of pictures in a .npz, .mat or HDF5 file; null: the only one that can be pictures.
        array_labels: The name of the array of labels in such a file; null: the one with a matching name, or the only one of the same length.
        shape: Height, width and channels of pictures stored as rows of numbers, as in a CSV; null: square and gray.
        levels: The level that is white, for integers with a range other than 0 to 255: 1 for masks, 4095 for 12 bits. Null: 1 for
            arrays of 0 and 1, else 255, or 65535 for 16 bits.
        range: The numbers that are black and white in floating-point pictures, such as [0, 1] or [-1, 1].
        depth: Bits kept per level, 8 or 16; deeper levels are rounded.
        icc: `convert` converts pictures with a color profile other than sRGB to sRGB; `ignore` uses their levels unchanged.
        pages: `first`, or `all` pages of a TIFF file, each as a picture.
        frames: `first`, or `all` frames of an animated GIF, WebP or PNG file, each as a picture.
        archive_encoding: Encoding of names in zip and tar files that do not declare one, such as cp932 or gbk.
        keep_duplicates: Keep all pictures with equal pixels. Otherwise only one of them is kept; of several splits the one in
            test, else the one in eval, so that no picture is in both training and evaluation. Data that consist almost only of
            copies are then refused.
        max_rejects: The share of pictures that may be rejected before the data gate refuses the run.
        max_megapixels: A picture with more pixels, in millions, is rejected by its header, before any pixel is decoded.
        max_file_megabytes: A larger picture file, or member of an archive, is rejected unread.
        follow_links: Whether symbolic links may lead out of the folder of pictures.
        span_window: The number of last spans read together, if the path has {SPAN} or {YYYY}-{MM}-{DD} in it.
        record_image: The feature of TFRecords of tf.Example, or the column of Parquet and Arrow files, that holds a picture
            file's bytes. Null: the one with a usual name (image/encoded, image, image_raw ...).
        record_label: The feature or column that holds a picture's label, text or a number. Null: the one with a usual name (image/label,
            label ...).
        pictures_per_shard: Pictures read as one unit of work. Each unit writes a file per split, so smaller units
            mean more parallel workers and more files.
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
        """Check that the fields fit together."""
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
        """True if splits named by folders, files or a manifest are used."""
        return self.splits in ("auto", "folders")

    @property
    def labels_from_folders(self) -> bool:
        """True if the labels of picture files come from their folders."""
        return self.label_pattern is None and self.label_file is None

    @property
    def pictures(self) -> PictureOptions:
        """The options for reading picture files, at ingestion and at serving."""
        return PictureOptions(self.max_megapixels, self.icc, self.depth, self.levels, self.range)
