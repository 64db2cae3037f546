"""Count the pictures of each span, because one of several spans that are read together may deviate."""

from __future__ import annotations

from collections import Counter

from common.features import MEAN, PREFIX, STD
from components.image_example_gen.writing.example import Row

PICTURES, REFUSED = "pictures", "refused"
LEVELS = 16  # per bin of `mean` and `std`, of 0 to 255
_COUNTED = 1_024  # distinct values of one feature; further ones are counted together
_OTHERS = "\0others"

SpanCounts = dict[str, dict[str, Counter[str]]]  # by span and feature


def span_of(path: str, depth: int) -> str:
    """Return the folder of a picture's span: the first `depth` parts of the path."""
    return "/".join(path.split("/")[:depth])


def count_picture(features: dict[str, Counter[str]], row: Row | None) -> None:
    """Add one picture to its span's counts. `row` is None for a rejected picture. Duplicates count too."""
    _count(features, PICTURES, REFUSED if row is None else PICTURES)
    if row is None:
        return
    _count(features, MEAN, str(int(row.mean) // LEVELS))
    _count(features, STD, str(int(row.std) // LEVELS))
    for name in ("label", "exposure", "channels", "height", "width"):
        _count(features, f"{PREFIX}{name}", str(getattr(row, name)))


def _count(features: dict[str, Counter[str]], name: str, value: str) -> None:
    counts = features.setdefault(name, Counter())
    counts[value if value in counts or len(counts) < _COUNTED else _OTHERS] += 1
