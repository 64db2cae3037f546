"""Sample quality: the distances of generated and reconstructed pictures from held-out ones."""

from __future__ import annotations

from typing import Any

from components.report.data import ReportData
from components.report.drawing.wording import number, significant
from components.sample_quality.figures import Distances, comparable

FIGURES = {
    "frechet_distance": ("Fréchet distance", "lower is better"),
    "kernel_distance": ("Kernel distance", "lower is better; around 0 for pictures of one kind"),
    "two_sample": (
        "Two-sample accuracy",
        "how often a classifier tells these from held-out ones; 0.5 where nothing tells them apart",
    ),
    "high_frequencies": ("High frequencies", "fine detail over that of held-out ones; below 1 blurred, above 1 noisy"),
    "label_divergence": ("Labels", "how far their shares are from those of held-out ones: 0 the same, 1 none in common"),
    "precision": ("Precision", "share of these that lie among held-out ones: are they real?"),
    "recall": ("Recall", "share of held-out ones that lie among these: does every kind come about?"),
    "density": ("Density", "how thickly held-out ones lie around these; about 1 for pictures of one kind"),
    "coverage": ("Coverage", "share of held-out ones with one of these near by"),
}
FEATURES = {
    "classifier": "a small classifier that learned the labels of these pictures",
    "self_supervised": "a small network that learned from these pictures without labels, and from no model",
    "encoder": "this model's own, for there are no labels to learn: no other model's figures compare with these",
}


def quality(report: ReportData) -> dict[str, Any]:
    """Return the distances of generated pictures beside the floor, and the quality of reconstructions."""
    found = report.quality
    if found is None or found.generated is None:
        return {"quality": found}
    sets = {
        "Generated": found.generated,
        "Last blessed": found.baseline,
        "Prior alone": found.prior,
        "Rebuilt": found.rebuilt,
        "Floor": found.floor,
    }
    # Figures on other features or another number of pictures would look like a difference between models.
    columns = [(name, figures) for name, figures in sets.items() if comparable(found.generated, figures)]
    ratios = ((found.to_floor, "the floor"), (found.to_prior, "that of the prior alone"))
    return {
        "quality": found,
        "columns": columns,
        "rows": [
            (name, meaning, [_value(figures, field) for _, figures in columns])
            for field, (name, meaning) in FIGURES.items()
            if any(getattr(figures, field) is not None for _, figures in columns)
        ],
        "ratios": [(ratio, name) for ratio, name in ratios if ratio is not None],
        "features": FEATURES[found.generated.features],
    }


def _value(figures: Distances, field: str) -> str:
    value = getattr(figures, field)
    if field == "kernel_distance":
        return f"{significant(value)} ± {significant(figures.kernel_distance_spread, 2)}"
    return significant(value) if field == "frechet_distance" else number(value, 3)
