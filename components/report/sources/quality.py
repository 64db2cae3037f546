"""What SampleQuality measured."""

from __future__ import annotations

import logging

from tfx.types import Artifact

from components.report.sources.files import read_json
from components.sample_quality.figures import QUALITY, Quality

_log = logging.getLogger("darkroom.report")


def read_quality(artifact: Artifact | None) -> Quality | None:
    """The figures, or why there are none; None where the run had no SampleQuality or its file cannot be read."""
    found = read_json(artifact.uri, QUALITY) if artifact is not None else {}
    if not found:
        return None
    try:
        return Quality.from_dict(found)
    except (TypeError, AttributeError) as error:
        _log.warning("%s is not as it should be: %s", QUALITY, error)
        return None
