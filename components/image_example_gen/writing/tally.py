"""Counts of the read pictures: counted by each worker, summed at the end, written beside the examples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from components.image_example_gen.splits import SPLITS
from components.image_example_gen.writing.by_span import SpanCounts, count_picture
from components.image_example_gen.writing.example import Row

_SIZES_SHOWN = 20
_SIZES_COUNTED = 10_000  # distinct sizes; further ones are counted together


@dataclass
class Tally:
    """Counts of pictures."""

    # for each split, the pictures of each label, '' for those without
    labels: dict[str, Counter[str]] = field(default_factory=lambda: {split: Counter() for split in SPLITS})
    formats: Counter[str] = field(default_factory=Counter)  # pictures of each file format, as stored
    reencoded: Counter[str] = field(default_factory=Counter)  # pictures that were re-encoded, by original format
    exposures: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)  # pictures of each size, written as 28x28x1: height, width, channels
    reasons: Counter[str] = field(default_factory=Counter)  # rejected pictures by reason
    notes: Counter[str] = field(default_factory=Counter)  # pictures by note; see `decode.Decoded`
    duplicates: int = 0  # pictures left out as equal to another one
    listed: int = 0  # pictures that the label file names
    found: int = 0  # the number of those that exist
    mistake: str = ""  # why the unit could not be read at all, or ''
    spans: SpanCounts = field(default_factory=dict)  # the counts of each span, including copies; empty without spans

    def add_to_span(self, span: str, row: Row | None) -> None:
        """Count a picture of a span; None is a rejected picture."""
        count_picture(self.spans.setdefault(span, {}), row)

    def add(self, split: str, row: Row, times: int = 1) -> None:
        """Count a picture of `split`; -1 removes it again."""
        self.labels[split][row.label] += times
        self.formats[row.format] += times
        if row.reencoded_from:
            self.reencoded[row.reencoded_from] += times
        self.exposures[row.exposure] += times
        size = f"{row.height}x{row.width}x{row.channels}"
        self.sizes[size if size in self.sizes or len(self.sizes) < _SIZES_COUNTED else "others"] += times

    def pictures(self, split: str) -> int:
        """Return the number of pictures in `split`."""
        return self.labels[split].total()

    @property
    def accepted(self) -> int:
        """The number of pictures in all splits."""
        return sum(map(self.pictures, SPLITS))

    @property
    def rejected(self) -> int:
        """The number of rejected pictures."""
        return self.reasons.total()

    def to_json(self) -> str:
        """Return all counts as JSON."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Tally:
        """Invert `to_json`."""
        return cls.total([cls(**json.loads(text))])  # as counters

    @classmethod
    def total(cls, tallies: Iterable[Tally]) -> Tally:
        """Return the sum of tallies."""
        result = cls()
        for tally in tallies:
            for split, counts in tally.labels.items():
                result.labels[split].update(counts)
            for name in ("formats", "reencoded", "exposures", "sizes", "reasons", "notes"):
                getattr(result, name).update(getattr(tally, name))
            for name in ("duplicates", "listed", "found"):
                setattr(result, name, getattr(result, name) + getattr(tally, name))
            for span, features in tally.spans.items():
                for name, counts in features.items():
                    result.spans.setdefault(span, {}).setdefault(name, Counter()).update(counts)
            result.mistake = result.mistake or tally.mistake
        return result

    def summary(self, seconds: float, others: Counter[str]) -> dict[str, object]:
        """Return the content of summary.json, with the duration of ingestion, and files without picture names by suffix."""
        splits = [split for split in SPLITS if self.pictures(split)]
        named = {split: {label: n for label, n in sorted((+self.labels[split]).items()) if label} for split in splits}
        return {
            "pictures": {split: self.pictures(split) for split in splits},
            "labels": named,
            "rejected": self.rejected,
            "rejects_by_reason": dict(self.reasons.most_common()),
            "duplicates": self.duplicates,
            "labelled_but_missing": self.listed - self.found,
            "formats": dict((+self.formats).most_common()),
            "reencoded": dict((+self.reencoded).most_common()),
            "exposures": dict((+self.exposures).most_common()),
            "sizes": dict((+self.sizes).most_common(_SIZES_SHOWN)),
            "others": dict(others.most_common(_SIZES_SHOWN)),
            "spans": self.spans,
            "seconds": round(seconds, 3),
        }
