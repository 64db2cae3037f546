"""The ServingCheck component: check that the exported model answers in a serving runtime as the trained model did."""

from __future__ import annotations

from tfx.types import standard_artifacts

from components.declaration import DeclaredComponent, Parameter
from components.serving_check.executor import Executor


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
