"""The SampleQuality component: distances of generated and reconstructed pictures from held-out ones."""

from __future__ import annotations

from tfx.types import standard_artifacts

from components.declaration import DeclaredComponent, Parameter
from components.feature_extractor.artifacts import Features
from components.sample_quality.artifacts import Quality
from components.sample_quality.executor import Executor

MAX_PICTURES = 10_000


class SampleQuality(DeclaredComponent):
    """Compare generated pictures with equally many held-out ones, and reconstructed ones with their originals.

    It also searches for copies of training pictures, and measures the last blessed model's new pictures by the same features and
    held-out pictures. It judges nothing and stops nothing: if there are too few held-out pictures, or the model does not
    answer, it writes the reason in place of figures.
    """

    EXECUTOR = Executor
    INPUTS = {
        "examples": standard_artifacts.Examples,
        "transform_graph": standard_artifacts.TransformGraph,  # the pixel graph
        "model": standard_artifacts.Model,
        "features": Features,  # the feature space for comparisons
    }
    OPTIONAL_INPUTS = {"baseline_model": standard_artifacts.Model}  # the last blessed model, whose new pictures are measured too
    PARAMETERS = {
        "split": Parameter(str),  # the held-out split
        "seed": Parameter(int),  # of the generated pictures
        "pictures": Parameter(int, MAX_PICTURES),  # maximum number of compared pictures on either side
        "code": Parameter(str),  # hash of the code, for the cache
    }
    OUTPUTS = {"quality": Quality}
