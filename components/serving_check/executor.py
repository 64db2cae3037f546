"""The executor of ServingCheck."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.serving_check.judgement import check_model

REPORT = "serving_check.json"
# The property that TFX's Pusher reads from an InfraBlessing, and the files that TFX's own InfraValidator writes.
_BLESSED = "blessed"
_FILES = {True: "INFRA_BLESSED", False: "INFRA_NOT_BLESSED"}

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
        io_utils.write_string_file(os.path.join(blessing.uri, REPORT), json.dumps(report, indent=1))
        io_utils.write_string_file(os.path.join(blessing.uri, _FILES[report["blessed"]]), "")
        blessing.set_int_custom_property(_BLESSED, int(report["blessed"]))
        if report["blessed"]:
            log.info("the exported model answers in a clean process as it did in training")
        for reason in report["reasons"]:
            log.warning("serving check: %s", reason)
