"""The latent space: the codes of the pictures, decoded points, and the KL divergence of each dimension."""

from __future__ import annotations

import numpy as np

from components.report.data import Codes, Manifold, ModelFacts, ReportData
from components.report.drawing.charts import bar_chart
from components.report.drawing.colours import Group, group_by_density, group_by_label
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.pictures import fitting_sheet
from components.report.drawing.projection import Projection, project
from components.report.drawing.scatter import scatter
from components.report.drawing.wording import count, nats, number, percent, significant
from components.report.sections.layout import Section, note, pixelated, two_sizes

MANIFOLD_BUDGET = 380_000  # bytes of PNG
ACTIVE = 0.05  # nats: a dimension with a smaller mean KL divergence counts as unused


def latent_map(report: ReportData) -> Section:
    """Return the scatter plot of held-out pictures by label."""
    codes = report.answers.codes
    body = note("The model encoded no pictures.")
    by = "by label"
    if codes is not None and len(codes.means):
        projection = project(codes.means)
        groups = groups_of(codes, projection)
        by = "by label" if any(group.is_label for group in groups) else "by density"
        body = _map(codes, projection, groups)
    told = (
        "dots of one colour carry one label. "
        + (
            "The model is told the label, so the place has to tell only what is left"
            if report.model.conditional
            else "Labels that gather in clouds of their own were told apart without ever being shown"
        )
        if by == "by label"
        else "the lighter a dot, the more pictures lie around it. Clouds and gaps show what the model sees as alike"
    )
    return Section(
        "latent",
        "Latent map",
        f"The latent space, {by}",
        f"Each dot is a held-out picture at the place where the encoder puts it; {told}. The rings are the standard "
        "deviations of the prior that new pictures are drawn from.",
        body,
    )


def groups_of(codes: Codes, projection: Projection) -> list[Group]:
    """Group by label, or by density without labels."""
    return group_by_label(codes.labels) or group_by_density(projection.points)


def _map(codes: Codes, projection: Projection, groups: list[Group]) -> Html:
    across, up = projection.axes
    keys = [
        tag(
            "li",
            tag("i", style=f"background:{group.colour}"),
            tag("span", group.name),
            tag("small", number(len(group.members))),
            data_name=group.name,
        )
        for group in sorted(groups, key=lambda g: not g.is_label if any(x.is_label for x in groups) else 0)
    ]
    legend = tag("ul", keys, class_="legend-list")
    dimensions = codes.means.shape[1]
    remark = f"{count(len(codes.means), 'held-out picture')}; the outermost few are drawn at the edge."
    if dimensions > 2:
        shown = percent(min(sum(projection.shares), 1.0))
        remark += f" The plane shows {shown} of the spread of {dimensions} dimensions; clouds may part in the others."
    plot = tag(
        "div",
        scatter(projection.points, groups, codes.thumbnails),
        tag("p", across, " →", class_="axis across"),
        class_="plot",
    )
    upwards = tag("p", up, " →", class_="axis up")
    return tag("div", upwards, plot, tag("aside", legend, tag("p", remark, class_="small")), class_="map")


def manifold(report: ReportData) -> Section:
    """Return decoded pictures over a grid of latent values."""
    grid = report.answers.manifold
    share = "an equal share of the prior" if report.model.prior == "standard_normal" else "an equal share of N(0, 1)"
    what, where = (
        ("line", "a line along the latent dimension")
        if report.model.latent_dim == 1
        else ("plane", "a grid over two latent dimensions")
    )
    return Section(
        "manifold",
        "Manifold",
        f"The latent {what}, developed",
        f"The decoder's picture for every point of {where}, spaced so that each step holds {share}: "
        "neighbours should change smoothly, and no region should be empty of sense.",
        _grid(grid, report.model) if grid is not None else note("The model decoded no grid."),
    )


def _grid(grid: Manifold, model: ModelFacts) -> Html:
    rows, columns = grid.pictures.shape[:2]
    flat = grid.pictures.reshape(-1, *grid.pictures.shape[2:])
    uri = fitting_sheet(flat, columns, MANIFOLD_BUDGET, longest=64)
    height, width = flat.shape[1:3]
    ends = f"{significant(float(grid.values[0]), 3)} to {significant(float(grid.values[-1]), 3)}"
    image = tag(
        "img",
        src=uri,
        alt=f"{rows} by {columns} decoded pictures",
        class_=pixelated((height, width)),
        style=f"aspect-ratio:{columns * width}/{rows * height}",
    )
    across = tag("p", f"latent dimension {grid.axes[0] + 1}: {ends} σ →", class_="axis across")
    up = tag("p", f"latent dimension {grid.axes[1] + 1}: {ends} σ →" if len(grid.axes) > 1 else "", class_="axis up")
    remark = None
    if model.latent_dim > 2:
        which = "these two tell most (largest KL)" if model.prior == "standard_normal" else "these are two"
        remark = tag("p", f"Of {model.latent_dim} dimensions {which}; the others stay at 0.", class_="small")
    return fragment(tag("div", up, tag("div", image, across, class_="plot"), class_="map grid-map"), remark)


def kl(report: ReportData) -> Section:
    """Return the KL divergence of each latent dimension, largest first."""
    values = report.training.kl_per_dimension
    if values is not None and report.model.prior != "standard_normal":
        words = f"Under a mixture as the prior the KL divergence, {nats(float(values.sum()))}, is that of all dimensions together."
        return Section("kl", "KL", "What each dimension tells", words, note("No dimension has a part of it that is its own."))
    return Section(
        "kl",
        "KL",
        "What each dimension tells",
        "How many nats of every picture's code go through each latent dimension, on average over held-out pictures: a "
        "dimension near zero is asleep, and the decoder has learned to do without it.",
        _bars(np.nan_to_num(values)) if values is not None and len(values) else note("No KL per dimension was recorded."),
    )


def _bars(values: np.ndarray) -> Html:
    order = np.argsort(-values, kind="stable")
    names = [str(i + 1) for i in order]
    ordered = [float(v) for v in values[order]]
    active = sum(v > ACTIVE for v in ordered)
    draw = lambda w, h: bar_chart(ordered, names, width=w, height=h, name="KL per dimension", threshold=ACTIVE)  # noqa: E731
    caption = tag(
        "p",
        tag("b", number(active)),
        f" of {number(len(values))} active (above {ACTIVE} nats), ",
        tag("b", nats(float(values.sum()))),
        " nats in all",
        class_="key-line",
    )
    return fragment(caption, tag("figure", two_sizes(draw, (1110, 230), (360, 220)), class_="panel"))
