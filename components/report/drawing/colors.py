"""Colors of labels.

The twelve colors were found by a search for the largest distances (OKLab) on a dark background, in normal, protanopic and
deuteranopic vision alike. The two closest colors are further apart than in the palette of Okabe and Ito. Color is never the only
mark of a label: legends and names on the plot show it too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from components.report.drawing.formatting import natural

PALETTE = (
    "#eeb70f",
    "#485dfd",
    "#ef5fb4",
    "#34de9b",
    "#ec7648",
    "#06d1fd",
    "#e00704",
    "#cafd64",
    "#c30fbc",
    "#6d97fd",
    "#ab5577",
    "#90faf9",
)
OTHER = "#8d837b"
DENSITY = ("#7c1a14", "#b3261c", "#e5402f", "#ff7a5c", "#ffc3a8")  # sparse to dense
OTHER_NAME = "all other labels"


@dataclass(frozen=True)
class Group:
    """Points drawn in one style."""

    name: str  # the label, or the name of the group
    color: str  # the color as `#rrggbb`
    members: np.ndarray  # int64 indices of its points
    is_label: bool = True  # False for the group of all remaining labels and for density classes


def group_by_label(labels: list[str]) -> list[Group]:
    """Return a group for each of the most common labels, by name, and one for all others; empty if there are no labels."""
    common = [label for label, _ in Counter(label for label in labels if label).most_common(len(PALETTE))]
    names = np.array(labels, dtype=object)
    groups = [Group(label, PALETTE[i], np.flatnonzero(names == label)) for i, label in enumerate(sorted(common, key=natural))]
    others = np.flatnonzero(~np.isin(names.astype(str), common)) if groups else np.empty(0, np.int64)
    if len(others):
        groups.insert(0, Group(OTHER_NAME, OTHER, others, is_label=False))  # first: it is drawn below the labels
    return groups


def group_by_density(points: np.ndarray, bins: int = 24) -> list[Group]:
    """Group points float [n, 2] by the number of points nearby, in fifths from sparse to dense."""
    counts, x_edges, y_edges = np.histogram2d(points[:, 0], points[:, 1], bins=bins)
    column = np.clip(np.searchsorted(x_edges, points[:, 0], side="right") - 1, 0, bins - 1)
    row = np.clip(np.searchsorted(y_edges, points[:, 1], side="right") - 1, 0, bins - 1)
    rank = np.argsort(np.argsort(counts[column, row], kind="stable"), kind="stable")
    fifth = rank * len(DENSITY) // max(len(points), 1)
    names = ("sparsest fifth", "second fifth", "middle fifth", "fourth fifth", "densest fifth")
    groups = [Group(names[i], DENSITY[i], np.flatnonzero(fifth == i), is_label=False) for i in range(len(DENSITY))]
    return [group for group in groups if len(group.members)]
