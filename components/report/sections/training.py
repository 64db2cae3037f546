"""The training: loss curves over the epochs, and the trained networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components.report.data import Epoch, Figures, ReportData
from components.report.drawing.charts import Line, is_number, line_chart, starts_outside
from components.report.drawing.formatting import significant
from components.report.drawing.networks import drawing

PANELS: dict[str, Callable[[Figures], float | None]] = {
    "Loss (−ELBO)": lambda figures: None if figures.elbo is None else -figures.elbo,
    "Reconstruction": lambda figures: figures.reconstruction,
    "KL divergence": lambda figures: figures.kl,
}
SCHEDULES: dict[str, Callable[[Epoch], float | None]] = {
    "Learning rate": lambda epoch: epoch.learning_rate,
    "Beta (weight of the KL)": lambda epoch: epoch.beta,
}


def curves(report: ReportData) -> dict[str, Any]:
    """Return the charts of the loss, its two terms, and the two schedules."""
    epochs = report.training.epochs
    if not epochs:
        return {"panels": [], "schedules": []}
    numbers, best = [epoch.number for epoch in epochs], best_epoch(report)
    panels, schedules = [], []
    for title, value in PANELS.items():
        lines = two_lines(epochs, value)
        sizes = ((360, 196), (360, 240)) if panels else ((720, 440), (360, 240))
        charts = [line_chart(numbers, lines, width=w, height=h, name=title, mark=best) for w, h in sizes]
        first = starts_outside(lines)
        panels.append({"title": title, "charts": charts, "starts_at": None if first is None else significant(first, 4)})
    for title, value in SCHEDULES.items():
        line = Line("schedule", title.split(" (")[0].lower(), [value(epoch) for epoch in epochs])
        if any(map(is_number, line.values)):
            options = {"name": title, "unit": "", "from_zero": True, "ticks": 2}
            charts = [line_chart(numbers, [line], width=width, height=124, **options) for width in (546, 360)]
            schedules.append({"title": title, "charts": charts})
    return {"panels": panels, "schedules": schedules}


def best_epoch(report: ReportData) -> int | None:
    """Return the epoch whose weights were kept: the recorded one, else the one with the best held-out ELBO."""
    if report.model.best_epoch is not None:
        return report.model.best_epoch
    scored = [(e.held_out.elbo, e.number) for e in report.training.epochs if is_number(e.held_out.elbo)]
    return max(scored)[1] if scored else None


def two_lines(epochs: list[Epoch], value: Callable[[Figures], float | None]) -> list[Line]:
    """Return the training and held-out values of one figure."""
    return [
        Line("train", "training", [value(epoch.train) for epoch in epochs]),
        Line("held-out", "held out", [value(epoch.held_out) for epoch in epochs]),
    ]


def networks(report: ReportData) -> dict[str, Any]:
    """Return both networks, as far as they were described."""
    described = {"Encoder": report.training.encoder, "Decoder": report.training.decoder}
    return {
        "networks": [
            {
                "name": name,
                "layers": layers,
                "parameters": report.model.parameters.get(name.lower()) or sum(layer.parameters for layer in layers),
                "drawing": drawing(layers, f"Drawing of the {name.lower()}"),
            }
            for name, layers in described.items()
            if layers
        ]
    }
