"""The latent space: the codes of the pictures, decoded points, and the KL divergence of each dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.report.data import Codes, ReportData
from components.report.drawing.charts import bar_chart
from components.report.drawing.colors import OTHER_NAME, Group, group_by_density, group_by_label
from components.report.drawing.pictures import fitting_sheet
from components.report.drawing.projection import Projection, project
from components.report.drawing.scatter import scatter

MANIFOLD_BUDGET = 380_000  # bytes of PNG
ACTIVE = 0.05  # nats: a dimension with a smaller mean KL divergence counts as unused


def latent_map(report: ReportData) -> dict[str, Any]:
    """Return the scatter plot of held-out pictures by label."""
    codes = report.answers.codes
    if codes is None or not len(codes.means):
        return {"plot": None, "by_label": True}
    projection = project(codes.means)
    groups = groups_of(codes, projection)
    return {
        "plot": scatter(projection.points, groups, codes.thumbnails),
        "by_label": any(group.is_label for group in groups),
        "groups": sorted(groups, key=lambda group: group.name == OTHER_NAME),
        "projection": projection,
        "codes": codes,
    }


def groups_of(codes: Codes, projection: Projection) -> list[Group]:
    """Group by label, or by density without labels."""
    return group_by_label(codes.labels) or group_by_density(projection.points)


def manifold(report: ReportData) -> dict[str, Any]:
    """Return decoded pictures over a grid of latent values."""
    grid = report.answers.manifold
    if grid is None:
        return {"uri": None}
    rows, columns = grid.pictures.shape[:2]
    tiles = grid.pictures.reshape(-1, *grid.pictures.shape[2:])
    uri = fitting_sheet(tiles, columns, MANIFOLD_BUDGET, longest=64)
    return {"uri": uri, "grid": grid, "rows": rows, "columns": columns, "shape": tiles.shape[1:]}


def kl(report: ReportData) -> dict[str, Any]:
    """Return the KL divergence of each latent dimension, largest first; the total if the prior does not split by dimension."""
    values = report.training.kl_per_dimension
    if values is None or not len(values):
        return {"shared": False, "charts": None}
    if report.model.prior != "standard_normal":
        return {"shared": True, "total": float(values.sum())}
    values = np.nan_to_num(values)
    order = np.argsort(-values, kind="stable")
    names, ordered = [str(i + 1) for i in order], [float(v) for v in values[order]]
    options = {"name": "KL per dimension", "threshold": ACTIVE}
    return {
        "shared": False,
        "charts": [bar_chart(ordered, names, width=w, height=h, **options) for w, h in ((1110, 230), (360, 220))],
        "active": sum(v > ACTIVE for v in ordered),
        "dimensions": len(values),
        "threshold": ACTIVE,
        "total": float(values.sum()),
    }
