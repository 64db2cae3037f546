"""The ServingCheck component: check that the exported model answers in a serving runtime as the trained model did."""

from __future__ import annotations

import logging
import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from components.artifacts import Artifacts
from components.decisions import SERVING_RECORD, write_decision
from components.declaration import DeclaredComponent, Parameter
from components.serving_check.verification import check_model

MARKERS = ("INFRA_BLESSED", "INFRA_NOT_BLESSED")  # the files that TFX's own InfraValidator writes

log = logging.getLogger("darkroom.serving_check")


class Executor(base_executor.BaseExecutor):
    """Check an exported model in a clean process, and bless it if it passes."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write the blessing: the custom property `blessed`, 1 or 0, and serving_check.json; see `check_model`."""
        model = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"]))
        golden = os.path.join(artifact_utils.get_single_uri(input_dict["model_run"]), "golden")
        report = check_model(model, golden, exec_properties["timeout_seconds"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        write_decision(blessing, report["blessed"], (SERVING_RECORD, report), markers=MARKERS)
        if report["blessed"]:
            log.info("the exported model answers in a clean process as it did in training")
        for reason in report["reasons"]:
            log.warning("serving check: %s", reason)


class ServingCheck(DeclaredComponent):
    """Send golden requests to the exported model in a clean process, with the C++ runtime that TensorFlow Serving uses.

    It replaces TFX's InfraValidator, which needs a docker daemon: the Pusher takes its blessing as `infra_blessing`. It succeeds
    whether or not it blesses the model; the reasons are in the blessing's serving_check.json.
    """

    EXECUTOR = Executor
    INPUTS = {
        "model": standard_artifacts.Model,
        "model_run": standard_artifacts.ModelRun,  # with golden/inputs.npz and golden/answers.npz (see trainer/golden.py)
    }
    PARAMETERS = {
        "code": Parameter(str),  # hash of the code, for the cache
        "timeout_seconds": Parameter(int, 300),  # for the model to load and answer all requests
    }
    OUTPUTS = {"blessing": standard_artifacts.InfraBlessing}
