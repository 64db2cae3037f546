"""The executor of SampleQuality."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from components.sample_quality.figures import QUALITY
from components.sample_quality.measure import measure

log = logging.getLogger("darkroom.sample_quality")


class Executor(base_executor.BaseExecutor):
    """See `components.sample_quality.component.SampleQuality`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Measure the model and write quality.json.

        Args:
            input_dict: `examples`, `transform_graph`, `model`, `features`; optionally `baseline_model`.
            output_dict: `quality`: receives quality.json (see `components.sample_quality.figures.Quality`), and the pictures that
                it names.
            exec_properties: `split`, `seed`, `pictures`.
        """
        uris = {name: artifact_utils.get_single_instance(artifacts).uri for name, artifacts in input_dict.items() if artifacts}
        folder = artifact_utils.get_single_instance(output_dict["quality"]).uri
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
