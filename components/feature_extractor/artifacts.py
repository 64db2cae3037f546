"""The artifact of a feature space."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class Features(Artifact):
    """A folder with `features.json`, which describes the features, `self_supervised.npz`, and a classifier's `weights.npz`."""

    TYPE_NAME = "darkroom.Features"
