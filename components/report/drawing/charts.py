"""Draw charts as inline SVG: lines over epochs, and bars. The page's style sheet sets the colors by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.report.drawing.formatting import short, significant
from components.report.drawing.rendering import render_template

WIDEST_PITCH = 72.0  # maximum pixels from bar to bar
FEW = 6  # epochs: with fewer, all of them are shown
FEW_DOTS = 15  # values: with at most so many, each is marked by a dot
FLATTENS = 3.0  # how many times the first epochs may stretch the y axis
MAX_HOVERS = 100  # bands with a hover title per chart: more would be too thin to hit, and would enlarge the page


@dataclass(frozen=True)
class Line:
    """One line of a chart: a style class (`train`, `held-out`, `schedule`), its name, and its values (None: a gap)."""

    style: str
    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Scale:
    """A linear map from values to pixels, with its ticks."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_scale(values: Sequence[float], start: float, end: float, ticks: int = 5, *, from_zero: bool = False) -> Scale:
    """Return a scale over `values` with round ticks. A single value gets a margin on both sides."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    low = min(low, 0.0) if from_zero else low
    if high - low < 1e-12 * max(abs(high), abs(low), 1e-300):
        margin = abs(high) * 0.1 or 1.0
        low, high = (low if from_zero and low == 0 and high > 0 else low - margin), high + margin
    step = nice_step((high - low) / ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, last * step, start, end, tuple(i * step for i in range(first, last + 1)))


def nice_step(raw: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5, 10 times a power of ten that is not below `raw`."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))


def line_chart(
    xs: Sequence[int],
    lines: Sequence[Line],
    *,
    width: int,
    height: int,
    name: str,
    unit: str = "nats",
    x_name: str = "epoch",
    mark: int | None = None,
    from_zero: bool = False,
    ticks: int = 5,
) -> Markup:
    """Draw lines over integers such as epochs, with hover titles.

    Args:
        xs: The x values, ascending.
        lines: The lines, in drawing order.
        width: Pixels of the drawing, as `height`; text is legible only if it is shown at about this size.
        height: Pixels.
        name: Title for screen readers.
        unit: Unit of the values, for the hover titles.
        x_name: Name of the x axis.
        mark: The x to mark as the best one.
        from_zero: Whether the y axis includes 0 and all values; otherwise it cuts off first values that would flatten the rest.
        ticks: Approximate number of ticks on the y axis.
    """
    shown = [v for line in lines for v in line.values if is_number(v)] if from_zero else _worth_showing(lines)
    y = nice_scale(shown, height - 34, 24, ticks, from_zero=from_zero)
    low, high = (xs[0], xs[-1]) if len(xs) > 1 else (xs[0] - 1, xs[0] + 1)
    x = Scale(low, high, _left_margin(y), width - 14, ())
    step = math.ceil(len(xs) / MAX_HOVERS)
    values = lambda i: [f"{line.name} {significant(line.values[i], 6)} {unit}".rstrip() for line in lines]  # noqa: E731
    points = [[(x(at), y(v)) if is_number(v) else None for at, v in zip(xs, line.values)] for line in lines]
    return render_template(
        "drawings/lines.html",
        name=name,
        width=width,
        height=height,
        x=x,
        y=y,
        labels=_labels(x, xs, width),
        x_name=x_name,
        mark=mark if mark in xs else None,
        lines=[(line.style, _path(at), list(filter(None, at)) if len(xs) <= FEW_DOTS else []) for line, at in zip(lines, points)],
        band=step * (x.end - x.start) / max(len(xs) - 1, 1),
        bands=[(xs[i], "\n".join([f"{x_name} {xs[i]}", *values(i)])) for i in range(0, len(xs), step)],
    )


def is_number(value: float | None) -> bool:
    """Return whether the value is a finite number."""
    return value is not None and math.isfinite(value)


def _worth_showing(lines: Sequence[Line]) -> list[float]:
    """Return the values that the y axis must include: all, or all without the first tenth if that would flatten the rest."""
    epochs = max((len(line.values) for line in lines), default=0)
    finite = lambda skip: [v for line in lines for v in line.values[skip:] if is_number(v)]  # noqa: E731
    everything, later = finite(0), finite(max(1, epochs // 10))
    if epochs < FEW or not later or max(later) == min(later):
        return everything
    return later if max(everything) - min(everything) > FLATTENS * (max(later) - min(later)) else everything


def starts_outside(lines: Sequence[Line]) -> float | None:
    """Return the most distant first value that `line_chart` cuts off, or None."""
    shown = _worth_showing(lines)
    firsts = [line.values[0] for line in lines if line.values and is_number(line.values[0])]
    outside = [v for v in firsts if not min(shown) <= v <= max(shown)]
    return max(outside, key=lambda v: abs(v - shown[-1])) if outside else None


def _left_margin(y: Scale) -> int:
    """Return the width of the labels of the y axis."""
    return 14 + 7 * max(len(significant(tick, 6)) for tick in y.ticks)


def _labels(x: Scale, xs: Sequence[int], width: int) -> list[int]:
    """Return the values to label on the x axis."""
    step = max(1, math.ceil(nice_step(max(len(xs) / max(width / 60, 2), 1e-9))))
    shown = [v for v in xs if v % step == 0] or [xs[-1]]
    if xs[0] not in shown and x(shown[0]) - x(xs[0]) > 30:
        shown.insert(0, xs[0])
    return [v for v in shown if x(v) < width - 60]


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """Return an SVG path through points, broken at gaps."""
    pairs = zip([None, *points], points)
    return "".join(f"{'L' if last else 'M'}{short(point[0])} {short(point[1])}" for last, point in pairs if point)


def bar_chart(values: Sequence[float], names: Sequence[str], *, width: int, height: int, name: str, threshold: float) -> Markup:
    """Draw vertical bars from 0 in the given order, with hover titles, at `width` x `height` pixels; see `line_chart`.

    Args:
        values: Values in nats.
        names: One name per value; written below the bars if there is room.
        threshold: A value in nats, drawn as a line; bars not above it are pale.
    """
    y = nice_scale([*values, threshold], height - 26, 12, 4, from_zero=True)
    left = _left_margin(y)
    pitch = min((width - 14 - left) / max(len(values), 1), WIDEST_PITCH)
    bar = pitch if pitch < 3 else max(pitch - 8, pitch * 0.72)
    bars, sizes = list(zip(values, names)), {"width": width, "height": height, "left": left, "pitch": pitch, "bar": bar}
    return render_template("drawings/bars.html", name=name, y=y, bars=bars, threshold=threshold, **sizes)
