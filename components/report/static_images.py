"""Draw the report's most useful pictures as PNG files, for a README and other documents."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from components.report.data import Answers, ReportData
from components.report.drawing.pictures import has, png, sheet
from components.report.drawing.projection import project, window
from components.report.sections.latent import groups_of
from components.report.sections.training import PANELS, best_epoch, two_lines

GROUND, PANEL, LINE, INK, SOFT = "#110f0e", "#191614", "#322c28", "#f3ede6", "#bdb2a8"
TRAIN, HELD_OUT = "#9d928a", "#ff5242"
SHEET_WIDTH = 1000  # approximate width in pixels to which a sheet of small pictures is enlarged
GROUND_RGB = (17, 15, 14)


def static_images(report: ReportData) -> dict[str, bytes]:
    """Return PNG files by name, for all data that the report has."""
    answers = report.answers
    drawn: dict[str, Callable[[], bytes] | None] = {
        "generated.png": (lambda: _sheet(answers.generated[:72], 12)) if has(answers.generated) else None,
        "reconstructions.png": (lambda: _pairs(answers)) if has(answers.reconstructions) else None,
        "interpolation.png": (lambda: _ways(answers)) if answers.interpolations else None,
        "manifold.png": (lambda: _grid(answers)) if answers.manifold is not None else None,
        "latent.png": (lambda: _latent(answers)) if answers.codes is not None else None,
        "loss.png": (lambda: _loss(report)) if report.training.epochs else None,
    }
    return {name: draw() for name, draw in drawn.items() if draw is not None}


def _sheet(pictures: np.ndarray, columns: int, gap: int = 3) -> bytes:
    """Return a contact sheet; small pictures are enlarged by an integer factor, so that their pixels stay square."""
    width = columns * pictures.shape[2]
    enlarged = enlarge(pictures, max(1, round(SHEET_WIDTH / width)))
    return png(sheet(enlarged, columns, gap=gap, ground=GROUND_RGB))


def enlarge(pictures: np.ndarray, times: int) -> np.ndarray:
    """Repeat every pixel of uint8 [n, h, w, c] `times` times in both directions."""
    return pictures.repeat(times, axis=1).repeat(times, axis=2)


def _pairs(answers: Answers) -> bytes:
    """Return originals in odd rows, their reconstructions below."""
    columns = min(12, len(answers.originals))
    n = len(answers.originals) // columns * columns
    rows = [part[i : i + columns] for i in range(0, n, columns) for part in (answers.originals, answers.reconstructions)]
    return _sheet(np.concatenate(rows), columns)


def _ways(answers: Answers) -> bytes:
    """Return a row per interpolation: original, stops, original."""
    rows = [np.concatenate([way.ends[:1], way.frames, way.ends[1:]]) for way in answers.interpolations]
    return _sheet(np.concatenate(rows), len(rows[0]))


def _grid(answers: Answers) -> bytes:
    rows, columns = answers.manifold.pictures.shape[:2]
    return _sheet(answers.manifold.pictures.reshape(rows * columns, *answers.manifold.pictures.shape[2:]), columns, gap=0)


def _latent(answers: Answers) -> bytes:
    """Return the scatter plot by label (or density) with its legend."""
    projection = project(answers.codes.means)
    groups = groups_of(answers.codes, projection)
    figure = Figure(figsize=(8.6, 7), dpi=140, facecolor=GROUND, layout="constrained")
    axes = _dark(figure.add_subplot())
    (x, y), half = window(projection.points)
    for group in groups:
        points = projection.points[group.members]
        axes.scatter(points[:, 0], points[:, 1], s=9, color=group.color, alpha=0.8, linewidths=0, label=group.name[:24])
    axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half), aspect="equal")
    axes.set(xlabel=projection.axes[0], ylabel=projection.axes[1])
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, labelcolor=INK, markerscale=2.2, handletextpad=0.2, fontsize=9
    )
    return _render(figure)


def _loss(report: ReportData) -> bytes:
    """Plot loss, reconstruction and KL over the epochs."""
    epochs = report.training.epochs
    best = best_epoch(report)
    figure = Figure(figsize=(11, 3.4), dpi=140, facecolor=GROUND, layout="constrained")
    for i, (title, value) in enumerate(PANELS.items()):
        axes = _dark(figure.add_subplot(1, 3, i + 1))
        for line, color, style in zip(two_lines(epochs, value), (TRAIN, HELD_OUT), ("--", "-")):
            numbers, heights = [e.number for e in epochs], [np.nan if v is None else v for v in line.values]
            axes.plot(numbers, heights, style, color=color, label=line.name, marker="o" if len(epochs) <= 15 else None, ms=3)
        if best is not None:
            axes.axvline(best, color=INK, lw=0.8, ls=":")
        axes.set_title(title, color=INK, fontsize=11, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if i == 0:
            axes.set_ylabel("nats per picture")
            axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return _render(figure)


def _dark(axes: Axes) -> Axes:
    """Apply the page's colors to axes."""
    axes.set_facecolor(PANEL)
    axes.tick_params(colors=SOFT, labelsize=9)
    axes.xaxis.label.set_color(SOFT)
    axes.yaxis.label.set_color(SOFT)
    axes.grid(color=LINE, lw=0.7)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(LINE)
    return axes


def _render(figure: Figure) -> bytes:
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()
