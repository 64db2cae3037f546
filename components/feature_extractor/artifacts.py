"""The artifact that a feature space is recorded as."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class Features(Artifact):
    """A folder with `features.json`, which says what the features are, `self_supervised.npz`, and a classifier's `weights.npz`."""

    TYPE_NAME = "darkroom.Features"
