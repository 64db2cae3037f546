"""The data: samples of each label, the number of pictures, and the rejected files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.report.data import DataSet, ReportData
from components.report.drawing.formatting import natural, number, percent
from components.report.drawing.pictures import fitting_rows

SAMPLES_BUDGET = 330_000  # bytes of PNG
MAX_STRIPS = 12
MAX_LISTED_LABELS = 200
MAX_SIZES = 5


def data(report: ReportData) -> dict[str, Any]:
    """Return strips of samples by label with counts, and facts about the files."""
    data_set, labels = report.data, report.data.label_counts()
    samples = sorted(data_set.samples[:MAX_STRIPS], key=lambda strip: natural(strip.label))
    uris = fitting_rows([strip.pictures for strip in samples], SAMPLES_BUDGET)
    largest = max(labels.values(), default=1)
    return {
        **facts(data_set),
        "conditional": report.model.conditional,
        "strips": [
            {
                "label": strip.label,
                "uris": strip_uris,
                "counts": _counts_by_split(data_set, strip.label),
                "percent": 100 * labels.get(strip.label, 0) / largest,
            }
            for strip, strip_uris in zip(samples, uris)
        ],
        "shape": samples[0].pictures.shape[1:] if samples else None,
        "labels": labels,
        "hidden_labels": len(labels) - sum(bool(strip.label) for strip in samples),
        "label_rows": [
            [label, *(number(counts.get(label, 0)) for counts in data_set.labels.values()), number(total)]
            for label, total in list(labels.items())[:MAX_LISTED_LABELS]
        ],
    }


def facts(data: DataSet) -> dict[str, Any]:
    """Return the tables of the splits, the files and the rejected pictures, for `facts.html`."""
    total = sum(data.pictures.values())
    sizes = _most_common_first(data.sizes)
    size_rows = [[name.replace("x", " × "), number(n)] for name, n in sizes[:MAX_SIZES]]
    if len(sizes) > MAX_SIZES:
        size_rows.append(["other sizes", number(sum(n for _, n in sizes[MAX_SIZES:]))])
    return {
        "data": data,
        "split_rows": [[split, number(n), percent(n / total) if total else ""] for split, n in data.pictures.items()],
        "format_rows": [[name.upper(), number(n)] for name, n in _most_common_first(data.formats)],
        "size_rows": size_rows,
        "reject_rows": [[reason, number(n)] for reason, n in _most_common_first(data.rejects_by_reason)],
    }


def _most_common_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _counts_by_split(data: DataSet, label: str) -> str:
    """Return the number of pictures of a label in each split."""
    counts = [(split, by_label.get(label, 0)) for split, by_label in data.labels.items()]
    return " · ".join(f"{number(n)} {split}" for split, n in counts if n)
