"""The encoder and the decoder: drawings and tables."""

from __future__ import annotations

from components.report.data import Layer, ReportData
from components.report.drawing import networks
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.wording import count, number
from components.report.sections.layout import Section, note


def architecture(report: ReportData) -> Section:
    """Return both networks, as drawings and tables."""
    parts = [
        (name, layers) for name, layers in (("Encoder", report.training.encoder), ("Decoder", report.training.decoder)) if layers
    ]
    drawings = tag("div", [_drawing(name, layers, report.model.parameters) for name, layers in parts], class_="networks")
    tables = tag("div", [_summary(name, layers) for name, layers in parts], class_="halves")
    return Section(
        "networks",
        "Networks",
        "Encoder and decoder",
        "The encoder narrows a picture to its code, the decoder opens the code to a picture. The taller a slab, the "
        "more numbers pass there (logarithmic); each sheet more in a slab stands for twice the channels.",
        fragment(drawings, tables) if parts else note("No description of the networks was recorded."),
    )


def _drawing(name: str, layers: list[Layer], parameters: dict[str, int]) -> Html:
    total = parameters.get(name.lower()) or sum(layer.parameters for layer in layers)
    caption = tag("figcaption", name, tag("small", f"{count(total, 'parameter')}"))
    return tag("figure", caption, networks.drawing(layers, f"Drawing of the {name.lower()}"), class_=f"panel {name.lower()}")


def _summary(name: str, layers: list[Layer]) -> Html:
    summary = tag("summary", f"{name}: {number(len(layers))} layers")
    return tag("details", summary, tag("div", networks.table(layers), class_="scroll"), open=True)
