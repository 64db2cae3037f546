"""The artifact of a report."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class Report(Artifact):
    """A folder with the self-contained page `index.html`, and `pictures/*.png` for other documents."""

    TYPE_NAME = "darkroom.Report"
