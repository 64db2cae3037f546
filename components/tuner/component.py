"""The Tuner component: TFX's search for hyperparameters, with a table of all trials beside the best values."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from tfx.components import Tuner as TfxTuner
from tfx.components.tuner import executor as tuner_executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs

from components.artifacts import Artifacts
from trainer.tuning.trials import FILE


class Executor(tuner_executor.Executor):
    """Add `trials.json` to the output `tuner_results`. TFX's own table lacks failed trials and the figures of trials."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Search, and write the best values and all trials."""
        # This folder of pixels is always removed; TFX's own would remain after a failure.
        with tempfile.TemporaryDirectory(prefix="darkroom-search-") as folder:
            search = tuner_executor.search(input_dict, exec_properties, folder, print_tuning_summary=False)
            tuner_executor.write_best_hyperparameters(search, output_dict)
        uri = artifact_utils.get_single_uri(output_dict[standard_component_specs.TUNER_RESULTS_KEY])
        with fileio.open(os.path.join(uri, FILE), "w") as file:
            file.write(json.dumps(search.results.to_dict(), indent=2) + "\n")


class Tuner(TfxTuner):
    """TFX's Tuner; its output `tuner_results` also contains `trials.json`, see `trainer.tuning.trials`."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
