"""The artifact that a feature space is recorded as."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class Features(Artifact):
    """A folder with `features.json`, which says what the features are, and the classifier's `weights.npz` if it is one."""

    TYPE_NAME = "darkroom.Features"
