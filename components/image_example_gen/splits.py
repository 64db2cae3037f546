"""Which split a picture belongs to: its folder's, its IDX file's, or by its content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

from components.image_example_gen.config import DataConfig

SPLITS = ("train", "eval", "test")

_FOLDERS = {"train": "train", "test": "test"} | dict.fromkeys(("eval", "val", "valid", "validation"), "eval")
_IDX_PREFIXES = _FOLDERS | {"t10k": "test"}


def split_of_folder(path: str) -> str | None:
    """The split that the first folder of a relative path is named after, or None."""
    first, slash, _ = path.partition("/")
    return _FOLDERS.get(first.lower()) if slash else None


def split_of_prefix(prefix: str) -> str | None:
    """The split that an IDX file's name begins with, e.g. `t10k` or `emnist-letters-train`; or None."""
    return _IDX_PREFIXES.get(re.split("[-_.]", prefix)[-1].lower())


def label_of_path(path: str, split_folders: bool) -> str:
    """The folders that a picture lies in, below its split's folder, joined by `/`; '' where there is none."""
    folders = path.split("/")[:-1]
    return "/".join(folders[1:] if split_folders else folders)


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
    """

    eval_share: float
    test_share: float
    by_path: bool = False

    def expected(self, split: str, pictures: int) -> float:
        """How many of so many pictures this rule takes for `eval` or `test`, on average."""
        return pictures * {"eval": self.eval_share, "test": self.test_share}.get(split, 0.0)

    @classmethod
    def of(cls, own_splits: Collection[str], config: DataConfig) -> SplitRule:
        """The rule for data that has `own_splits`, with the configured shares for the others."""
        return cls(
            eval_share=0.0 if "eval" in own_splits else config.eval_share,
            test_share=0.0 if "test" in own_splits else config.test_share,
        )

    def split_of(self, own: str | None, sha256: str, path: str) -> str:
        """The split of a picture.

        Args:
            own: The split of its folder or file, or None where that says nothing.
            sha256: The hash of its pixels, as hexadecimal digits.
            path: Its path.
        """
        if own not in (None, "train"):
            return own
        if self.by_path:
            sha256 = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
        position = int(sha256[:15], 16) / 16**15
        if position < self.test_share:
            return "test"
        return "eval" if position >= 1 - self.eval_share else "train"
