"""Pictures' own splits: from a column of a table, a feature of a record, or a file beside them, by one rule."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from components.image_example_gen.splits import split_named

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


class OwnSplits:
    """Collect the splits of one file's pictures in bounded memory."""

    def __init__(self) -> None:
        self._splits: set[str | None] = set()
        self._odd = ""

    def add(self, texts: Iterable[str | None]) -> None:
        """Add the texts of some pictures; None and '' for none."""
        for text in texts:
            split = split_said(text) if text else None
            self._splits.add(split)
            if split is None and not self._odd and text and text.strip():
                self._odd = text.strip()

    @property
    def found(self) -> frozenset[str | None]:
        """The splits, with None if some pictures have none; empty if no picture has one."""
        return frozenset(self._splits) if self._splits - {None} else frozenset()

    def notes(self, what: str) -> tuple[str, ...]:
        """Return a note if `what`, such as "the column split", has values that are not splits."""
        if not self._odd:
            return ()
        odd = "".join(letter if letter.isprintable() else "?" for letter in self._odd[:_SHOWN])
        if not self.found:
            return (f"{what} is not used for splits: '{odd}' is none of train, eval and test",)
        return (f"{what} says '{odd}', which is no split: trained on, where no name or folder says otherwise",)
