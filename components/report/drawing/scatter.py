"""Draw the scatter plot of latent means: SVG dots, names in HTML above them, and a sprite of thumbnails for hovering."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from markupsafe import Markup

from components.report.drawing.colors import Group
from components.report.drawing.pictures import data_uri, png, sheet, shrink
from components.report.drawing.projection import spread_apart, window
from components.report.drawing.rendering import render_template

SIDE = 1000.0  # of the drawing's own coordinates
SPRITE_BUDGET = 360_000  # bytes of PNG
SPRITE_COLUMNS = 32
THUMBNAIL = 32  # pixels
RINGS = (1, 2, 3, 4, 5)  # standard deviations


def scatter(points: np.ndarray, groups: list[Group], thumbnails: np.ndarray) -> Markup:
    """Draw a square plot around the origin with rings at 1, 2, 3 ... standard deviations of the prior.

    Without a script, a dot's title shows its group; with the script, the picture under the pointer is shown.

    Args:
        points: float [n, 2].
        groups: Groups of points with one style, in drawing order.
        thumbnails: uint8 [n, h, w, c], one per point.
    """
    center, half = window(points)
    to_pixels = lambda values: ((values - center) / half * [1, -1] + 1) * SIDE / 2  # noqa: E731
    pixels = np.clip(to_pixels(points), 4, SIDE - 4)
    sprite, pictured = _sprite(thumbnails, groups)
    origin = [float(at) for at in to_pixels(np.zeros(2))]
    return render_template(
        "drawings/scatter.html",
        side=SIDE,
        origin=origin,
        rings=[k * SIDE / 2 / half for k in RINGS],
        dots=[(group, _path(pixels, group, chosen), first, len(chosen)) for group, (chosen, first) in zip(groups, pictured)],
        diameter=8.8 if len(points) > 800 else 13.0,
        names=_names(pixels, groups),
        sprite=sprite,
    )


def _path(pixels: np.ndarray, group: Group, pictured: np.ndarray) -> str:
    """Return dots as one path of zero-length strokes with round ends, the most compact form. Dots with thumbnails come first."""
    order = np.concatenate([pictured, np.setdiff1d(group.members, pictured)])
    return "".join(f"M{x:.0f} {y:.0f}h0" for x, y in pixels[order])


def _names(pixels: np.ndarray, groups: list[Group]) -> list[tuple[str, float, float]]:
    """Return the name of each label and its place: the median of its dots, or beside it."""
    named = [group for group in groups if group.is_label]
    if not named:
        return []
    medians = np.array([np.median(pixels[group.members], axis=0) for group in named])
    places = spread_apart(medians, height=0.042 * SIDE, width=0.16 * SIDE)
    return [(group.name, x, y) for group, (x, y) in zip(named, places)]


def _sprite(thumbnails: np.ndarray, groups: list[Group]) -> tuple[dict[str, Any] | None, list[tuple[np.ndarray, int]]]:
    """Return a sheet of as many thumbnails as the budget allows, and each group's thumbnail indices and first position."""
    nothing = [(np.empty(0, np.int64), 0) for _ in groups]
    total = sum(len(group.members) for group in groups)
    if not total or not len(thumbnails):
        return None, nothing
    share = 1.0
    while True:
        chosen = [evenly(group.members, math.ceil(share * len(group.members))) for group in groups]
        tiles = np.stack([shrink(thumbnails[i], THUMBNAIL) for i in np.concatenate(chosen)])
        file = png(sheet(tiles, SPRITE_COLUMNS))
        if len(file) <= SPRITE_BUDGET or len(tiles) <= 2 * len(groups):
            break
        share *= 0.95 * SPRITE_BUDGET / len(file)
    firsts = np.cumsum([0, *map(len, chosen)])[:-1]
    height, width = tiles.shape[1:3]
    rows = math.ceil(len(tiles) / SPRITE_COLUMNS)
    card = {"uri": data_uri(file), "columns": SPRITE_COLUMNS, "rows": rows, "ratio": width / height}
    return card, [(which, int(first)) for which, first in zip(chosen, firsts)]


def evenly(members: np.ndarray, amount: int) -> np.ndarray:
    """Return at most `amount` of the members, evenly spaced."""
    if amount >= len(members):
        return members
    return members[(np.arange(amount) * len(members)) // max(amount, 1)]
