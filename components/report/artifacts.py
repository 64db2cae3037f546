"""The artifact that a report is recorded as."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class Report(Artifact):
    """A folder with `index.html`, which needs nothing beside it, and `pictures/*.png` for other documents."""

    TYPE_NAME = "darkroom.Report"
