"""Interpret folder names by one rule for picture files and container files."""

from __future__ import annotations

import copy
import os
import posixpath
from collections.abc import Collection, Sequence

from common.errors import InputError
from components.image_example_gen.items import Rejected
from components.image_example_gen.layout import Labels, Layout
from components.image_example_gen.names import ending
from components.image_example_gen.readers.container import Container, splits_of
from components.image_example_gen.splits import split_in_name, split_named
from components.image_example_gen.storage.files import join, printable

_MAX_LINE = 199  # characters of a message


def whole_layout(files: Layout, containers: Sequence[Container], skipped: int) -> Layout:
    """Return the layout of picture files and container files, without the `skipped` leading folders, which belong to a span.

    A container that defines its splits itself, by its name or inside, counts only if its folder agrees.
    """
    layout = copy.deepcopy(files)
    for container in containers:
        path = "/".join(container.path.split("/")[skipped:])
        agrees = container.split and any(split_named(name) == container.split for name in path.split("/")[:-1])
        if agrees or None in splits_of(container):
            layout.add(path, container.count)
    return layout


def check_filled(above: str, folder: str, filled: Collection[str | None], labels: Labels, left_out: Sequence[Rejected]) -> None:
    """Raise InputError if a split's folder is empty: its pictures are missing, and must not be taken from elsewhere.

    Args:
        above: The parent of the split folders.
        folder: The folder of pictures.
        filled: The splits that have pictures.
        labels: The rule that says which folders are splits.
        left_out: The files that cannot be read.
    """
    split_of = split_named if all(split_named(name) for name, _ in labels.named) else split_in_name
    for entry in sorted(os.scandir(above), key=lambda entry: entry.name):
        split = split_of(entry.name)
        if not split or split in filled or not entry.is_dir():
            continue
        inside = [left for left in left_out if join(folder, left.path).startswith(f"{entry.path}/")]
        if inside:
            raise InputError(shortened(f"the split {split!r} is empty: {_unread(inside)}"))
        raise InputError(
            f"the split {split!r} is empty: there are no pictures in {ending(printable(entry.path), 60)}; "
            "add some, or remove the folder, and a share of the training pictures is taken"
        )


def nothing_to_train_on(images: str, own: Collection[str | None], left_out: Sequence[Rejected]) -> str:
    """Return the message that all pictures are held out, with an unreadable training file, if any."""
    all_of = f"all belong to {' and '.join(sorted(filter(None, own)))}"
    lost = [left for left in left_out if _split_of_path(left.path) == "train"]
    lost = lost or [left for left in left_out if _split_of_path(left.path) is None]
    if lost:
        return shortened(f"no pictures to train on: {all_of}, and {_unread(lost)}")
    advice = "add a folder 'train', or data.splits=content takes shares of them"
    return f"no pictures to train on in {ending(printable(images), 60)}: {all_of}; {advice}"


def shortened(line: str) -> str:
    """Shorten a line to under 200 characters."""
    return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 1]}…"


def _unread(left_out: Sequence[Rejected]) -> str:
    first, more = left_out[0], f" (and {len(left_out) - 1:,} more)" if left_out[1:] else ""
    return f"{ending(printable(first.path), 60)}{more} is not read: {first.reason}"


def _split_of_path(path: str) -> str | None:
    """Return the split named by a file or by a folder above it."""
    *folders, name = path.split("/")
    stem = posixpath.splitext(name)[0]
    return split_in_name(stem) or next((split for folder in reversed(folders) if (split := split_named(folder))), None)
