"""The artifact that the data gate writes."""

from __future__ import annotations

from tfx.types.artifact import Artifact

REJECTS = "reject_share"  # property of a blessing: the share of pictures that were rejected at ingestion
SPANS = (
    "spans"  # property of a blessing: the picture counts of each span, as JSON; see `components.image_example_gen.writing.by_span`
)


class DataBlessing(Artifact):
    """Mark statistics as accepted by the gate: custom properties `blessed` = 1 and `current_model_id`, the statistics' id."""

    TYPE_NAME = "darkroom.DataBlessing"
