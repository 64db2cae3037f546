"""The FeatureExtractor component: a feature space for comparing sets of pictures."""

from __future__ import annotations

from tfx.types import standard_artifacts

from components.artifacts import Features
from components.declaration import DeclaredComponent, Parameter
from components.feature_extractor.executor import Executor


class FeatureExtractor(DeclaredComponent):
    """Train a small classifier of the pictures' labels; its penultimate layer gives the features of a picture.

    It also trains a network without labels, whose features capture blur, noise and structure. That network replaces the classifier
    if the pictures have no labels. It is not trained if there are too few pictures to be compared. No input is a model. So TFX's
    cache returns the same networks for all models of the same pictures, and their figures are comparable.
    """

    EXECUTOR = Executor
    INPUTS = {
        "examples": standard_artifacts.Examples,  # training uses the split `train`
        "transform_graph": standard_artifacts.TransformGraph,  # the pixel graph
    }
    PARAMETERS = {
        "split": Parameter(str),  # the held-out split on which the classifier's accuracy is measured
        "seed": Parameter(int, 0),  # of the networks; another seed gives another feature space
        "code": Parameter(str),  # hash of the code, for the cache
    }
    OUTPUTS = {"features": Features}
