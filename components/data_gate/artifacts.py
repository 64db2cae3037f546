"""What the data gate leaves behind."""

from __future__ import annotations

from tfx.types.artifact import Artifact

REJECTS = "reject_share"  # property of a blessing: the share of pictures that were refused when they were read
SPANS = (
    "spans"  # property of a blessing: what was counted of each span, as JSON; see `components.image_example_gen.writing.by_span`
)


class DataBlessing(Artifact):
    """Says that statistics passed the gate: custom properties `blessed` = 1 and `current_model_id`, the statistics' id."""

    TYPE_NAME = "darkroom.DataBlessing"
