"""Assign splits to pictures: by names of folders, files and manifests, or by content."""

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
# Words that only mean pictures: train_images and TestSet are names of splits, training_shoes is not.
_PLURALS = ("set", "split", "image", "img", "picture", "pic", "photo", "file", "sample")
_VAGUE = frozenset((*_PLURALS, *(f"{noun}s" for noun in _PLURALS), "subset", "data", "dataset", "folder", "dir"))
_MEANINGS = _NAMES | {f"{name}{vague}": split for name, split in _NAMES.items() for vague in _VAGUE}
_PREFIXES = {"t10k": "test"}
_ANY = re.compile("t10k|" + "|".join(_NAMES), re.IGNORECASE)  # a fast filter: most of possibly millions of names contain none
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z\d])(?=[A-Z][a-z])")
_BETWEEN = re.compile(r"[-_. ()]+")
_DIGITS = "0123456789"


def split_named(name: str) -> str | None:
    """Return the split that a whole name means, or None: train, train2017, TrainImages, trainset; eval, val, dev; TEST, test-1."""
    if not _ANY.search(name):
        return None
    parts = [word for word in _words(name) if word not in _VAGUE and word.strip(_DIGITS)]
    return _meaning(parts[0]) if len(parts) == 1 else None


def split_of_prefix(prefix: str) -> str | None:
    """Return the split in a file name's prefix, e.g. `t10k` or `emnist-letters-train`; or None."""
    return next((_meaning(word) for word in reversed(_words(prefix))), None)


def split_in_name(name: str) -> str | None:
    """Return the split among the words of a name: `x_train`, `TrainA`, `cats-val-00001.tar`; None for none or several."""
    if not _ANY.search(name):
        return None
    items = {split for word in _words(name) if (split := _meaning(word))}
    return items.pop() if len(items) == 1 else None


def _words(name: str) -> list[str]:
    """Return the words of a name in lower case: train and images of TrainImages and train-images."""
    return [word for word in _BETWEEN.split(_CAMEL.sub("_", name).lower()) if word]


def _meaning(word: str) -> str | None:
    return _PREFIXES.get(word) or _MEANINGS.get(word.rstrip(_DIGITS))


@dataclass(frozen=True)
class SplitRule:
    """Take the splits without pictures of their own from the training pictures, by content.

    A picture is in the same split in every run, in any order, in any container. The two shares lie at opposite ends of the range of
    hashes, so that changing one moves no picture into or out of the other.
    """

    eval_share: float  # share of the training pictures taken for eval; 0 if that split has pictures of its own
    test_share: float  # the same for test
    # whether to hash the path instead of the content; for many copies of few pictures, which by content would all be in one split
    by_path: bool = False
    heed_own: bool = True  # whether a picture's own split is used

    def expected(self, split: str, pictures: int) -> float:
        """Return the expected number that this rule takes of `pictures` pictures for `eval` or `test`."""
        return pictures * {"eval": self.eval_share, "test": self.test_share}.get(split, 0.0)

    @classmethod
    def of(cls, own_splits: Collection[str | None], config: DataConfig) -> SplitRule:
        """Return the rule for data that has `own_splits`, with the configured shares for the others."""
        heed = config.heeds_splits
        return cls(
            eval_share=0.0 if heed and "eval" in own_splits else config.eval_share,
            test_share=0.0 if heed and "test" in own_splits else config.test_share,
            heed_own=heed,
        )

    def split_of(self, own: str | None, sha256: str, path: str) -> str:
        """Return the split of a picture, by its `own` split, from its folder or file, and the SHA-256 of its pixels in hex digits."""
        if self.heed_own and own not in (None, "train"):
            return own
        if self.by_path:
            sha256 = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
        position = int(sha256[:15], 16) / 16**15
        if position < self.test_share:
            return "test"
        return "eval" if position >= 1 - self.eval_share else "train"
