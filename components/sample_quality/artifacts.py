"""The artifact that the quality of samples is recorded as."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class Quality(Artifact):
    """A folder with `quality.json`; see `components.sample_quality.figures.Quality`."""

    TYPE_NAME = "darkroom.Quality"
