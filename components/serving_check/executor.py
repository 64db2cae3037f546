"""The executor of ServingCheck."""

from __future__ import annotations

import logging
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.decisions import SERVING_RECORD, write_decision
from components.serving_check.verification import check_model

MARKERS = ("INFRA_BLESSED", "INFRA_NOT_BLESSED")  # the files that TFX's own InfraValidator writes

log = logging.getLogger("darkroom.serving_check")


class Executor(base_executor.BaseExecutor):
    """Check an exported model in a clean process, and bless it if it passes."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Run the check.

        Args:
            input_dict: `model`, the Trainer's export, and `model_run`, with the golden answers in golden/.
            output_dict: `blessing`: receives serving_check.json (see `check_model`) and the custom property `blessed`, 1 or 0.
            exec_properties: `timeout_seconds`.
        """
        model = artifact_utils.get_single_instance(input_dict["model"])
        model_run = artifact_utils.get_single_instance(input_dict["model_run"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])

        report = check_model(
            path_utils.serving_model_path(model.uri),
            os.path.join(model_run.uri, "golden"),
            exec_properties["timeout_seconds"],
        )
        write_decision(blessing, report["blessed"], (SERVING_RECORD, report), markers=MARKERS)
        if report["blessed"]:
            log.info("the exported model answers in a clean process as it did in training")
        for reason in report["reasons"]:
            log.warning("serving check: %s", reason)
