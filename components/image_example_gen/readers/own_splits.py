"""What pictures say of their own split: in a column of a table, a feature of a record, a file beside them. One rule for all."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from components.image_example_gen.splits import split_named

SPLIT_NAMES = ("split", "usage", "set", "subset", "partition")  # of columns, in this order, in small letters
_OF_KAGGLE = {"publictest": "eval", "privatetest": "test"}  # FER2013
_LONGEST = 80  # letters of a name that can be a split's
_SHOWN = 20


def split_said(text: str) -> str | None:
    """Return the split that a text names, or None: those of `splits.split_named`, and FER2013's PublicTest and PrivateTest."""
    return _split_said(text[:_LONGEST])


@functools.lru_cache(4096)
def _split_said(text: str) -> str | None:
    word = text.strip().casefold()
    return _OF_KAGGLE.get(word) or split_named(word)


class OwnSplits:
    """Takes up what the pictures of one file say, in bounded memory."""

    def __init__(self) -> None:
        self._splits: set[str | None] = set()
        self._odd = ""

    def add(self, texts: Iterable[str | None]) -> None:
        """Take up what some pictures say; None and '' for nothing."""
        for text in texts:
            split = split_said(text) if text else None
            self._splits.add(split)
            if split is None and not self._odd and text and text.strip():
                self._odd = text.strip()

    @property
    def found(self) -> frozenset[str | None]:
        """The splits, None among them where some pictures say none; empty where none of them says any."""
        return frozenset(self._splits) if self._splits - {None} else frozenset()

    def notes(self, what: str) -> tuple[str, ...]:
        """Say of `what`, "the column split", that it has words which are no splits."""
        if not self._odd:
            return ()
        odd = "".join(letter if letter.isprintable() else "?" for letter in self._odd[:_SHOWN])
        if not self.found:
            return (f"{what} is not used for splits: '{odd}' is none of train, eval and test",)
        return (f"{what} says '{odd}', which is no split: trained on, where no name or folder says otherwise",)
