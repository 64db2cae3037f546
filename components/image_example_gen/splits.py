"""Which label and which split a picture has: its folder's, its file's, its manifest's, or by its content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

from components.image_example_gen.config import DataConfig

SPLITS = ("train", "eval", "test")

_NAMES = (
    dict.fromkeys(("train", "training"), "train")
    | dict.fromkeys(("eval", "evaluation", "val", "valid", "validation", "dev", "devel", "development"), "eval")
    | dict.fromkeys(("test", "testing"), "test")
)
_PREFIXES = _NAMES | {"t10k": "test"}


def split_named(name: str) -> str | None:
    """The split that a name means, or None: train, Training, train2017; eval, val, valid, validation, dev; TEST, testing, test1."""
    return _NAMES.get(name.lower().rstrip("0123456789").rstrip("-_ "))


def split_of_prefix(prefix: str) -> str | None:
    """The split that a file's name begins with, e.g. `t10k` or `emnist-letters-train`; or None."""
    return _PREFIXES.get(re.split("[-_.]", prefix)[-1].lower())


def split_in_name(name: str) -> str | None:
    """The split that is one of the words of a name, e.g. `x_train` or `cats-val-00001.tar`; None where none or several are."""
    words = re.split("[-_. ]", name.lower())
    found = {_PREFIXES[word] for word in (*words, *(word.rstrip("0123456789") for word in words)) if word in _PREFIXES}
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class SplitRule:
    """Takes the splits that have no pictures of their own from the training pictures, by content.

    The same picture falls on the same side in every run, in any order, in any container. The two shares lie at opposite
    ends of the range, so that changing one moves no picture into or out of the other.

    Attributes:
        eval_share: Share of the training pictures that is taken for eval, 0 where that split has pictures of its own.
        test_share: The same for test.
        by_path: Goes by the hash of the path instead; for pictures that are copies of a few, which by content would all
            fall on one side.
        heed_own: Whether a picture's own split counts.
    """

    eval_share: float
    test_share: float
    by_path: bool = False
    heed_own: bool = True

    def expected(self, split: str, pictures: int) -> float:
        """How many of so many pictures this rule takes for `eval` or `test`, on average."""
        return pictures * {"eval": self.eval_share, "test": self.test_share}.get(split, 0.0)

    @classmethod
    def of(cls, own_splits: Collection[str | None], config: DataConfig) -> SplitRule:
        """The rule for data that has `own_splits`, with the configured shares for the others."""
        heed = config.heeds_splits
        return cls(
            eval_share=0.0 if heed and "eval" in own_splits else config.eval_share,
            test_share=0.0 if heed and "test" in own_splits else config.test_share,
            heed_own=heed,
        )

    def split_of(self, own: str | None, sha256: str, path: str) -> str:
        """The split of a picture.

        Args:
            own: The split of its folder or file, or None where that says nothing.
            sha256: The hash of its pixels, as hexadecimal digits.
            path: Its path.
        """
        if self.heed_own and own not in (None, "train"):
            return own
        if self.by_path:
            sha256 = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
        position = int(sha256[:15], 16) / 16**15
        if position < self.test_share:
            return "test"
        return "eval" if position >= 1 - self.eval_share else "train"
