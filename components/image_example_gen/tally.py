"""What was read: counted by each worker, summed up at the end, written beside the examples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from components.image_example_gen.pictures import Picture
from components.image_example_gen.reading import Rejected
from components.image_example_gen.splits import SPLITS

_SIZES_SHOWN = 20


def _per_split() -> dict[str, Counter[str]]:
    return {split: Counter() for split in SPLITS}


@dataclass
class Tally:
    """Counts of pictures.

    Attributes:
        labels: For each split the pictures of each label, '' for those without.
        formats: Pictures of each file format.
        sizes: Pictures of each size, written as 28x28x1: height, width, channels.
        rejects: The pictures that were refused, as {"path": ..., "reason": ...}.
        mistake: Why the shard could not be read at all, or ''.
    """

    labels: dict[str, Counter[str]] = field(default_factory=_per_split)
    formats: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    rejects: list[dict[str, str]] = field(default_factory=list)
    mistake: str = ""

    def add(self, split: str, picture: Picture) -> None:
        """Counts a picture of `split`."""
        self.labels[split][picture.label] += 1
        self.formats[picture.format] += 1
        self.sizes["x".join(map(str, picture.pixels.shape))] += 1

    def reject(self, rejected: Rejected) -> None:
        """Counts a refused picture."""
        self.rejects.append({"path": rejected.path, "reason": rejected.reason})

    def pictures(self, split: str) -> int:
        """The pictures of `split`."""
        return self.labels[split].total()

    @property
    def reasons(self) -> Counter[str]:
        """Refused pictures of each reason."""
        return Counter(reject["reason"] for reject in self.rejects)

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Tally:
        """The reverse of `to_json`."""
        values = json.loads(text)
        values["labels"] = {split: Counter(counts) for split, counts in values["labels"].items()}
        return cls(**values | {name: Counter(values[name]) for name in ("formats", "sizes")})

    @classmethod
    def total(cls, tallies: Iterable[Tally]) -> Tally:
        """The sum; the refused pictures in the order of their paths."""
        result = cls()
        for tally in tallies:
            for split in SPLITS:
                result.labels[split].update(tally.labels[split])
            result.formats.update(tally.formats)
            result.sizes.update(tally.sizes)
            result.rejects += tally.rejects
            result.mistake = result.mistake or tally.mistake
        result.rejects.sort(key=lambda reject: reject["path"])
        return result

    def summary(self, seconds: float) -> dict[str, object]:
        """The contents of summary.json.

        Args:
            seconds: How long it took.
        """
        splits = [split for split in SPLITS if self.pictures(split)]
        named = {split: {label: n for label, n in sorted(self.labels[split].items()) if label} for split in splits}
        return {
            "pictures": {split: self.pictures(split) for split in splits},
            "labels": named,
            "rejected": len(self.rejects),
            "rejects_by_reason": dict(self.reasons.most_common()),
            "formats": dict(self.formats.most_common()),
            "sizes": dict(self.sizes.most_common(_SIZES_SHOWN)),
            "seconds": round(seconds, 3),
        }
