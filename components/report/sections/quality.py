"""Sample quality: the distances of generated and reconstructed pictures from held-out ones."""

from __future__ import annotations

from typing import Any

from components.report.data import ReportData
from components.report.drawing.formatting import number, significant
from components.sample_quality.figures import Distances, comparable

FIGURES = {
    "frechet_distance": ("Fréchet distance", "lower is better"),
    "kernel_distance": ("Kernel distance", "lower is better; about 0 for the same distribution"),
    "two_sample": (
        "Two-sample accuracy",
        "of a classifier that distinguishes these from held-out ones; 0.5 if they are indistinguishable",
    ),
    "high_frequencies": ("High frequencies", "fine detail relative to held-out ones; below 1 blurred, above 1 noisy"),
    "label_divergence": ("Labels", "divergence of their shares from those of held-out ones: 0 equal, 1 none in common"),
    "precision": ("Precision", "share of these that lie among held-out ones"),
    "recall": ("Recall", "share of held-out ones that lie among these"),
    "density": ("Density", "how densely held-out ones lie around these; about 1 for the same distribution"),
    "coverage": ("Coverage", "share of held-out ones with one of these nearby"),
}
FEATURES = {
    "classifier": "a small classifier trained on the labels of these pictures",
    "self_supervised": "a small network trained on these pictures without labels",
    "encoder": "this model's encoder, because there are no labels; not comparable with other models",
}


def quality(report: ReportData) -> dict[str, Any]:
    """Return the distances of generated pictures beside the floor, and the quality of reconstructions."""
    measured = report.quality
    if measured is None or measured.generated is None:
        return {"quality": measured}
    sets = {
        "Generated": measured.generated,
        "Last blessed": measured.baseline,
        "Prior alone": measured.prior,
        "Reconstructed": measured.rebuilt,
        "Floor": measured.floor,
    }
    # Figures on other features or another number of pictures would look like a difference between models.
    columns = [(name, figures) for name, figures in sets.items() if comparable(measured.generated, figures)]
    ratios = ((measured.to_floor, "the floor"), (measured.to_prior, "that of the prior alone"))
    return {
        "quality": measured,
        "columns": columns,
        "rows": [
            (name, meaning, [_value(figures, field) for _, figures in columns])
            for field, (name, meaning) in FIGURES.items()
            if any(getattr(figures, field) is not None for _, figures in columns)
        ],
        "ratios": [(ratio, name) for ratio, name in ratios if ratio is not None],
        "features": FEATURES[measured.generated.features],
    }


def _value(figures: Distances, field: str) -> str:
    value = getattr(figures, field)
    if field == "kernel_distance":
        return f"{significant(value)} ± {significant(figures.kernel_distance_spread, 2)}"
    return significant(value) if field == "frechet_distance" else number(value, 3)
