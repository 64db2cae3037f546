"""The ServingCheck component: check that the exported model answers in a serving runtime as the trained model did."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, channel_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.serving_check.executor import Executor


class ServingCheckSpec(ComponentSpec):
    """Inputs, outputs and parameters of `ServingCheck`."""

    PARAMETERS = {
        "code": ExecutionParameter(type=str),
        "timeout_seconds": ExecutionParameter(type=int),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingCheck(base_component.BaseComponent):
    """Send golden requests to the exported model in a clean process, with the C++ runtime that TensorFlow Serving uses.

    It replaces TFX's InfraValidator, which needs a docker daemon: the Pusher takes its blessing as
    `infra_blessing`. It succeeds whether or not it blesses the model; the reasons are in the blessing's
    serving_check.json.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, *, model: BaseChannel, model_run: BaseChannel, code: str, timeout_seconds: int = 300):
        """Create the component.

        Args:
            model: The Trainer's `model`.
            model_run: The Trainer's `model_run`, with golden/inputs.npz and golden/answers.npz (see trainer/golden.py).
            code: A hash of the code that this component runs, so that a change of it misses TFX's cache.
            timeout_seconds: Maximum time in seconds for the model to load and answer all requests.
        """
        blessing = channel_utils.as_channel([standard_artifacts.InfraBlessing()])
        spec = ServingCheckSpec(model=model, model_run=model_run, code=code, timeout_seconds=timeout_seconds, blessing=blessing)
        super().__init__(spec=spec)
