"""The artifact types of this project's components."""

from __future__ import annotations

from tfx.types.artifact import Artifact

Artifacts = dict[str, list[Artifact]]  # by the name of an input or output of a component


class DataBlessing(Artifact):
    """Mark statistics as accepted by the data gate: custom properties `blessed` = 1 and `current_model_id`, the statistics' id."""

    TYPE_NAME = "darkroom.DataBlessing"


class Features(Artifact):
    """A folder with `features.json`, and the networks that it describes: `self_supervised.npz`, a classifier's `weights.npz`."""

    TYPE_NAME = "darkroom.Features"


class Quality(Artifact):
    """A folder with `quality.json`; see `components.sample_quality.figures.Quality`."""

    TYPE_NAME = "darkroom.Quality"


class Report(Artifact):
    """A folder with the self-contained pages `index.html` and `explorer.html`, and `pictures/*.png` for other documents."""

    TYPE_NAME = "darkroom.Report"
