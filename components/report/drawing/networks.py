"""Draw the encoder and the decoder: each layer is a slab, its height the logarithm of its output size; funnels join them."""

from __future__ import annotations

import math

from markupsafe import Markup

from components.report.data import Layer
from components.report.drawing.formatting import number, size
from components.report.drawing.markup import fragment, short, tag

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

    Args:
        layers: The layers in order; a final mean and log-variance are drawn as one slab in two parts.
        name: Title for screen readers.
    """
    wide, narrow = (tag("div", _svg(layers, name, pitch), class_="scroll", tabindex=0) for pitch in (WIDE, NARROW))
    return tag("div", tag("div", wide, class_="wide"), tag("div", narrow, class_="narrow"))


def _svg(layers: list[Layer], name: str, pitch: float) -> Markup:
    """Draw the network with `pitch` pixels from slab to slab."""
    columns = _columns(layers)
    width = pitch * len(columns)
    centers = [pitch * (i + 0.5) for i in range(len(columns))]
    heights = _heights([max(1, math.prod(group[0].output_shape)) for group in columns])
    funnels = [
        _funnel(centers[i], heights[i], centers[i + 1], heights[i + 1], _slab_width(columns[i]), _slab_width(columns[i + 1]))
        for i in range(len(columns) - 1)
    ]
    slabs = [_slab(group, x, h, i in (0, len(columns) - 1)) for i, (group, x, h) in enumerate(zip(columns, centers, heights))]
    return tag(
        "svg",
        tag("title", name),
        funnels,
        slabs,
        viewBox=f"0 0 {short(width)} {HEIGHT}",
        width=width,
        height=HEIGHT,
        class_="network",
        role="img",
    )


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


def _funnel(x: float, height: float, next_x: float, next_height: float, width: float, next_width: float) -> Markup:
    """Draw the trapezoid between two slabs."""
    left, right = x + width / 2, next_x - next_width / 2
    corners = (
        (left, MIDDLE - height / 2),
        (right, MIDDLE - next_height / 2),
        (right, MIDDLE + next_height / 2),
        (left, MIDDLE + height / 2),
    )
    return tag("polygon", points=" ".join(f"{short(a)},{short(b)}" for a, b in corners), class_="funnel")


def _slab(group: list[Layer], x: float, height: float, outer: bool) -> Markup:
    """Draw a layer's slab with its output shape and kind below; the posterior's slab is split in two."""
    layer, width, top = group[0], _slab_width(group), MIDDLE - height / 2
    parts, gap = len(group), 4.0
    each = (height - gap * (parts - 1)) / parts
    style = "slab code" if parts > 1 or (outer and len(layer.output_shape) == 1) else "slab"
    sheets = _sheets(layer)
    boxes = [
        tag(
            "rect",
            x=x - width / 2 + k * SHEET_PITCH,
            y=top + i * (each + gap),
            width=_sheet_width(sheets),
            height=each,
            rx=2,
            class_=style,
        )
        for i in range(parts)
        for k in range(sheets)
    ]
    kind = "μ, log σ²" if parts > 1 else SHORT_KINDS.get(layer.kind, layer.kind)
    title = "\n".join(
        f"{part.name}: {part.kind}, gives {size(part.output_shape)}, {number(part.parameters)} parameters" for part in group
    )
    below = MIDDLE + TALLEST / 2
    lines = (
        tag("text", _shape_label(layer, parts), x=x, y=below + 22, text_anchor="middle", class_="shape"),
        tag("text", clipped(kind, 12), x=x, y=below + 38, text_anchor="middle", class_="kind"),
    )
    return tag("g", tag("title", title), fragment(*boxes), *lines)


def _shape_label(layer: Layer, parts: int) -> str:
    return ("2 × " if parts > 1 else "") + "×".join(str(n) for n in layer.output_shape)


def clipped(text: str, limit: int) -> str:
    """Shorten to at most `limit` characters, with an ellipsis if cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
