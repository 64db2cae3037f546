"""Draw the scatter plot of latent means: SVG dots, names in HTML above them, and a sprite of thumbnails for hovering."""

from __future__ import annotations

import math

import numpy as np
from markupsafe import Markup

from components.report.drawing.colors import Group
from components.report.drawing.markup import short, tag
from components.report.drawing.pictures import data_uri, png, sheet, shrink
from components.report.drawing.projection import spread_apart, window

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
    radius = 4.4 if len(points) > 800 else 6.5
    origin, unit = to_pixels(np.zeros(2)), SIDE / 2 / half
    drawing = tag(
        "svg",
        tag("title", "Scatter of latent means"),
        _rings(origin, unit),
        [_dots(pixels, group, chosen, first, radius) for group, (chosen, first) in zip(groups, pictured)],
        viewBox=f"0 0 {short(SIDE)} {short(SIDE)}",
        class_="scatter-plot",
        role="img",
    )
    return tag("div", drawing, _ring_names(origin, unit), _names(pixels, groups), sprite, class_="scatter", data_side=short(SIDE))


def _rings(origin: np.ndarray, unit: float) -> Markup:
    """Draw the prior's axes, and a ring per standard deviation; one is `unit` pixels."""
    x, y = map(float, origin)
    cross = [tag("line", x1=0, x2=SIDE, y1=y, y2=y), tag("line", x1=x, x2=x, y1=0, y2=SIDE)]
    return tag("g", cross, [tag("circle", cx=x, cy=y, r=k * unit) for k in RINGS], class_="rings")


def _ring_names(origin: np.ndarray, unit: float) -> list[Markup]:
    """Label the rings below the origin, on top of the dots, which would hide the labels."""
    x, y = map(float, origin)
    return [_place(f"{k}σ", x, y + k * unit, "ring-name") for k in RINGS if y + k * unit < SIDE - 10]


def _place(text: str, x: float, y: float, style: str) -> Markup:
    """Center text on a point of the drawing; in HTML, so that they keep their size on a phone."""
    return tag("span", text, class_=style, style=f"left:{short(x / SIDE * 100)}%;top:{short(y / SIDE * 100)}%")


def _dots(pixels: np.ndarray, group: Group, pictured: np.ndarray, first: int, radius: float) -> Markup:
    """Draw dots as one path of zero-length strokes with round ends, the most compact form for many dots.

    Dots with thumbnails come first; `data-first` is the index of the first one in the sprite, `data-pictures` their number.
    """
    order = np.concatenate([pictured, np.setdiff1d(group.members, pictured)])
    path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in pixels[order])
    return tag(
        "path",
        tag("title", group.name),
        d=path,
        stroke=group.color,
        stroke_width=2 * radius,
        class_="dots",
        data_name=group.name,
        data_first=first,
        data_pictures=len(pictured),
    )


def _names(pixels: np.ndarray, groups: list[Group]) -> list[Markup]:
    """Place the name of each label at the median of its dots."""
    named = [group for group in groups if group.is_label]
    if not named:
        return []
    medians = np.array([np.median(pixels[group.members], axis=0) for group in named])
    places = spread_apart(medians, height=0.042 * SIDE, width=0.16 * SIDE)
    return [_place(group.name, x, y, "name") for group, (x, y) in zip(named, places)]


def _sprite(thumbnails: np.ndarray, groups: list[Group]) -> tuple[Markup | None, list[tuple[np.ndarray, int]]]:
    """Return the hover card with as many thumbnails as the budget allows, and each group's thumbnail indices and first position."""
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
    card = tag(
        "div",
        tag("div", class_="thumbnail", style=f"background-image:url({data_uri(file)})"),
        tag("p"),
        class_="hover-card",
        hidden=True,
        data_columns=SPRITE_COLUMNS,
        data_rows=math.ceil(len(tiles) / SPRITE_COLUMNS),
        data_ratio=width / height,
    )
    return card, [(which, int(first)) for which, first in zip(chosen, firsts)]


def evenly(members: np.ndarray, amount: int) -> np.ndarray:
    """Return at most `amount` of the members, evenly spaced."""
    if amount >= len(members):
        return members
    return members[(np.arange(amount) * len(members)) // max(amount, 1)]
