"""The artifact of SampleQuality's figures."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class Quality(Artifact):
    """A folder with `quality.json`; see `components.sample_quality.figures.Quality`."""

    TYPE_NAME = "darkroom.Quality"
