"""The SampleQuality component: distances of generated and reconstructed pictures from held-out ones."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils, path_utils

from components.artifacts import Artifacts, Features, Quality
from components.declaration import DeclaredComponent, Parameter
from components.sample_quality.figures import QUALITY
from components.sample_quality.measure import measure

MAX_PICTURES = 10_000

log = logging.getLogger("darkroom.sample_quality")


class Executor(base_executor.BaseExecutor):
    """Measure a model."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write quality.json (see `components.sample_quality.figures.Quality`), and the pictures that it names."""
        uris = {name: artifact_utils.get_single_uri(artifacts) for name, artifacts in input_dict.items() if artifacts}
        folder = artifact_utils.get_single_uri(output_dict["quality"])
        quality = measure(
            uris["examples"],
            uris["transform_graph"],
            path_utils.serving_model_path(uris["model"]),
            uris["features"],
            split=exec_properties["split"],
            seed=int(exec_properties["seed"]),
            max_pictures=int(exec_properties["pictures"]),
            baseline=path_utils.serving_model_path(uris["baseline_model"]) if "baseline_model" in uris else None,
            folder=folder,
        )
        content = json.dumps(quality.to_dict(), indent=1, allow_nan=False)
        io_utils.write_string_file(os.path.join(folder, QUALITY), content + "\n")
        if quality.reason:
            log.warning("sample quality: %s", quality.reason)


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
