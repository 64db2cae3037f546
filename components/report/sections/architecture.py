"""The encoder and the decoder: drawings and tables."""

from __future__ import annotations

from typing import Any

from components.report.data import ReportData
from components.report.drawing.networks import drawing


def networks(report: ReportData) -> dict[str, Any]:
    """Return both networks, as far as they were described."""
    described = {"Encoder": report.training.encoder, "Decoder": report.training.decoder}
    return {
        "networks": [
            {
                "name": name,
                "layers": layers,
                "parameters": report.model.parameters.get(name.lower()) or sum(layer.parameters for layer in layers),
                "drawing": drawing(layers, f"Drawing of the {name.lower()}"),
            }
            for name, layers in described.items()
            if layers
        ]
    }
