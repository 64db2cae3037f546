"""The labels and splits that a file holds for its own images, or a file beside it, by one rule for all readers."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Iterable, Sequence
from typing import Any

from common.errors import InputError
from components.image_example_gen.splits import split_named
from components.image_example_gen.storage.files import join, open_file, printable
from components.image_example_gen.storage.streams import read_up_to

SPLIT_NAMES = ("split", "usage", "set", "subset", "partition")  # of columns, in order of priority, in lower case
_OF_KAGGLE = {"publictest": "eval", "privatetest": "test"}  # FER2013
_LONGEST = 80  # maximum characters of a split's name
_SHOWN = 20


def split_said(text: str) -> str | None:
    """Return the split named by a text, or None: names of `splits.split_named`, and FER2013's PublicTest and PrivateTest."""
    return _split_said(text[:_LONGEST])


@functools.lru_cache(4096)
def _split_said(text: str) -> str | None:
    word = text.strip().casefold()
    return _OF_KAGGLE.get(word) or split_named(word)


def rank(name: str, usual: Sequence[str]) -> tuple[int, bool]:
    """Return the rank of a name among the usual ones, ignoring case; of two equal ones, lower case comes first."""
    small = name.casefold()
    return usual.index(small) if small in usual else len(usual), small != name


class OwnSplits:
    """Collect the splits of one file's pictures in bounded memory."""

    def __init__(self) -> None:
        self._splits: set[str | None] = set()
        self._unknown = ""

    def add(self, texts: Iterable[str | None]) -> None:
        """Add the texts of some pictures; None and '' for none."""
        for text in texts:
            split = split_said(text) if text else None
            self._splits.add(split)
            if split is None and not self._unknown and text and text.strip():
                self._unknown = text.strip()

    @property
    def found(self) -> frozenset[str | None]:
        """The splits, with None if some pictures have none; empty if no picture has one."""
        return frozenset(self._splits) if self._splits - {None} else frozenset()

    def facts(self, path: str, what: str, notes: Iterable[str] = ()) -> dict[str, Any]:
        """Return the fields `row_splits` and `notes` of the container of a file."""
        return {"row_splits": self.found, "notes": tuple(f"{path}: {note}" for note in (*notes, *self.notes(what)))}

    def notes(self, what: str) -> tuple[str, ...]:
        """Return a note if `what`, such as "the column split", has values that are not splits."""
        if not self._unknown:
            return ()
        unknown = "".join(letter if letter.isprintable() else "?" for letter in self._unknown[:_SHOWN])
        if not self.found:
            return (f"{what} is not used for splits: '{unknown}' is not train, eval or test",)
        return (f"{what} says '{unknown}', which is not a split: used for training, unless a name or folder gives a split",)


def names_beside(folder: str, path: str, name: str, limit: int) -> tuple[str, ...] | None:
    """Return the names of the labels 0, 1, 2 ..., one per line of the file `name` beside images; None if there is none."""
    try:
        with open_file(join(folder, posixpath.join(posixpath.dirname(path), name))) as stream:
            text = read_up_to(stream, limit).decode("utf-8-sig", "replace")
    except Exception:  # each store has its own error for a missing file
        return None
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def check_label_names(path: str, lowest: int, largest: int, names: Sequence[str]) -> None:
    """Raise InputError if `data.label_names` is set, but does not name the labels from `lowest` to `largest`."""
    if not names or 0 <= lowest <= largest < len(names):
        return
    shown = str(largest if lowest >= 0 else lowest)
    shown = shown if len(shown) <= 20 else f"{shown[:17]}..."
    where = printable(path)
    where = where if len(where) <= 80 else f"...{where[-77:]}"
    raise InputError(
        f"{where} holds the label {shown}, but data.label_names names only {len(names)} (0 to {len(names) - 1}): "
        "name them all, or none"
    )
