"""The artifact that the data gate writes."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class DataBlessing(Artifact):
    """Mark statistics as accepted by the gate: custom properties `blessed` = 1 and `current_model_id`, the statistics' id."""

    TYPE_NAME = "darkroom.DataBlessing"
