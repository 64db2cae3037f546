"""The loss curves over the epochs."""

from __future__ import annotations

from collections.abc import Callable

from components.report.data import Epoch, Figures, ReportData
from components.report.drawing.charts import Line, is_number, line_chart, starts_outside
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.wording import significant
from components.report.sections.layout import Section, note, two_sizes

Value = Callable[[Figures], float | None]


def curves(report: ReportData) -> Section:
    """Return the loss, its two terms, and the two schedules."""
    epochs = report.training.epochs
    return Section(
        "curves",
        "Curves",
        "How it learned",
        "Lower is better, in nats per picture: the loss is the sum of what the reconstruction costs and what the code "
        "costs (KL). A held-out curve that turns upwards while the training curve falls means learning by heart.",
        fragment(
            _charts(epochs, best_epoch(report)) if epochs else note("No training history was recorded."),
            note(report.model.mirroring) if report.model.mirroring else None,
        ),
    )


def best_epoch(report: ReportData) -> int | None:
    """Return the epoch whose weights were kept: the recorded one, else the one with the best held-out ELBO."""
    if report.model.best_epoch is not None:
        return report.model.best_epoch
    scored = [(e.held_out.elbo, e.number) for e in report.training.epochs if is_number(e.held_out.elbo)]
    return max(scored)[1] if scored else None


def _charts(epochs: list[Epoch], best: int | None) -> Html:
    xs = [epoch.number for epoch in epochs]

    def panel(title: str, value: Value, wide: tuple[int, int], style: str, mark: int | None = best) -> Html:
        lines = two_lines(epochs, value)
        draw = lambda w, h: line_chart(xs, lines, width=w, height=h, name=title, mark=mark)  # noqa: E731
        first = starts_outside(lines)
        remark = tag("small", f"starts at {significant(first, 4)}, off the plot") if first is not None else None
        return tag("figure", tag("figcaption", title, remark), two_sizes(draw, wide, (360, 240)), class_=style)

    legend = tag(
        "p",
        tag("span", "training", class_="swatch train"),
        tag("span", "held out", class_="swatch held-out"),
        class_="legend",
    )
    return fragment(
        legend,
        tag(
            "div",
            panel("Loss (−ELBO)", lambda f: None if f.elbo is None else -f.elbo, (720, 440), "panel large"),
            panel("Reconstruction", lambda f: f.reconstruction, (360, 196), "panel"),
            panel("KL divergence", lambda f: f.kl, (360, 196), "panel"),
            class_="chart-grid",
        ),
        tag(
            "div",
            _schedule(xs, "Learning rate", [e.learning_rate for e in epochs]),
            _schedule(xs, "Beta (weight of the KL)", [e.beta for e in epochs]),
            class_="chart-grid halves",
        ),
    )


def two_lines(epochs: list[Epoch], value: Value) -> list[Line]:
    """Return the training and held-out values of one figure."""
    return [
        Line("train", "training", [value(epoch.train) for epoch in epochs]),
        Line("held-out", "held out", [value(epoch.held_out) for epoch in epochs]),
    ]


def _schedule(xs: list[int], title: str, values: list[float | None]) -> Html | None:
    if not any(is_number(v) for v in values):
        return None
    line = [Line("schedule", title.split(" (")[0].lower(), values)]
    draw = lambda w, h: line_chart(xs, line, width=w, height=h, name=title, unit="", from_zero=True, ticks=2)  # noqa: E731
    return tag("figure", tag("figcaption", title), two_sizes(draw, (546, 124), (360, 124)), class_="panel minor")
