"""Draw the encoder and the decoder: each layer is a slab, its height the logarithm of its output size; funnels join them."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from components.report.data import Layer
from components.report.drawing.formatting import number, short, size
from components.report.drawing.rendering import render_template

HEIGHT = 250
MIDDLE = 112
TALLEST, SHORTEST = 170.0, 22.0
MAX_DRAWN = 16
WIDE, NARROW = 86.0, 54.0  # pixels from slab to slab
SHEET_PITCH = 7.0
SHORT_KINDS = {"InputLayer": "Input", "Conv2DTranspose": "ConvT 2D", "Conv2D": "Conv 2D", "Cropping2D": "Crop"}
PASSING = ("activation", "dropout", "batchnorm", "batch_norm", "layernorm", "layer_norm", "groupnorm", "group_norm", "relu", "silu")


def drawing(layers: list[Layer], name: str) -> Markup:
    """Draw the network from left to right, for desktop and phone. Layers that only pass values on are omitted.

    A final mean and log-variance are drawn as one slab in two parts. `name` is the title for screen readers.
    """
    return render_template("drawings/network.html", name=name, height=HEIGHT, drawings=[_drawn(layers, p) for p in (WIDE, NARROW)])


def _drawn(layers: list[Layer], pitch: float) -> dict[str, Any]:
    """Return the parts of a drawing with `pitch` pixels from slab to slab."""
    columns = _columns(layers)
    centers = [pitch * (i + 0.5) for i in range(len(columns))]
    heights = _heights([max(1, math.prod(group[0].output_shape)) for group in columns])
    places = list(zip(columns, centers, heights))
    slabs = [_slab(*place, i in (0, len(columns) - 1)) for i, place in enumerate(places)]
    return {"width": pitch * len(columns), "funnels": list(map(_funnel, places, places[1:])), "slabs": slabs}


def _columns(layers: list[Layer]) -> list[list[Layer]]:
    """Return the columns of the drawing: each a layer, or the posterior's mean and log-variance together."""
    drawn = [layer for layer in layers if not any(part in layer.kind.lower() for part in PASSING)]
    if len(drawn) > MAX_DRAWN:  # keep only the ends and changes of shape
        changes = [i for i in range(len(drawn)) if i in (0, len(drawn) - 1) or drawn[i].output_shape != drawn[i - 1].output_shape]
        drawn = [drawn[i] for i in changes]
    if len(drawn) >= 2 and {drawn[-1].name, drawn[-2].name} == {"mean", "log_variance"}:
        return [*([layer] for layer in drawn[:-2]), drawn[-2:]]
    return [[layer] for layer in drawn]


def _heights(sizes: list[int]) -> list[float]:
    """Return pixels for each number of values, on a logarithmic scale from the smallest to the largest."""
    low, high = math.log(min(sizes)), math.log(max(sizes))
    room = TALLEST - SHORTEST
    return [SHORTEST + room * ((math.log(n) - low) / (high - low) if high > low else 0.5) for n in sizes]


def _sheets(layer: Layer) -> int:
    """Return the number of sheets of a layer: 1 for vectors and pictures; one more per doubling of filters for feature maps."""
    channels = layer.output_shape[-1] if len(layer.output_shape) == 3 else 1
    return 1 if channels <= 4 else max(2, round(math.log2(channels)) - 1)


def _sheet_width(sheets: int) -> float:
    return 12.0 if sheets == 1 else 5.0


def _slab_width(group: list[Layer]) -> float:
    sheets = _sheets(group[0])
    return _sheet_width(sheets) + (sheets - 1) * SHEET_PITCH


def _funnel(first: tuple[list[Layer], float, float], second: tuple[list[Layer], float, float]) -> str:
    """Return the corners of the trapezoid between two slabs."""
    left, right = first[1] + _slab_width(first[0]) / 2, second[1] - _slab_width(second[0]) / 2
    corners = ((left, -first[2]), (right, -second[2]), (right, second[2]), (left, first[2]))
    return " ".join(f"{short(x)},{short(MIDDLE + height / 2)}" for x, height in corners)


def _slab(group: list[Layer], x: float, height: float, outer: bool) -> dict[str, Any]:
    """Return a layer's slab with its output shape and kind below; the posterior's slab is split in two."""
    layer, parts, sheets, gap = group[0], len(group), _sheets(group[0]), 4.0
    each = (height - gap * (parts - 1)) / parts
    left, top = x - _slab_width(group) / 2, MIDDLE - height / 2
    described = [f"{one.name}: {one.kind}, gives {size(one.output_shape)}, {number(one.parameters)} parameters" for one in group]
    return {
        "title": "\n".join(described),
        "boxes": [(left + k * SHEET_PITCH, top + i * (each + gap)) for i in range(parts) for k in range(sheets)],
        "width": _sheet_width(sheets),
        "height": each,
        "style": "slab code" if parts > 1 or (outer and len(layer.output_shape) == 1) else "slab",
        "x": x,
        "below": MIDDLE + TALLEST / 2,
        "shape": ("2 × " if parts > 1 else "") + "×".join(map(str, layer.output_shape)),
        "kind": "μ, log σ²" if parts > 1 else SHORT_KINDS.get(layer.kind, layer.kind),
    }
