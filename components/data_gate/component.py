"""The DataGate component."""

from __future__ import annotations

import dataclasses
import json

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.data_gate.artifacts import DataBlessing
from components.data_gate.config import ValidationConfig
from components.data_gate.executor import Executor


class DataGateSpec(ComponentSpec):
    """Inputs, outputs and parameters of `DataGate`."""

    PARAMETERS = {
        "config": ExecutionParameter(type=str),
        "registry": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "baseline_statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        "baseline_blessing": ChannelParameter(type=DataBlessing, optional=True),
        "examples": ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=DataBlessing)}


class DataGate(base_component.BaseComponent):
    """Ends the run where the data is not what the schema says, or has drifted from the last data that passed.

    TFX's ExampleValidator only writes its anomalies down, and a run goes on regardless; and it does not compare with
    earlier data.

    Args:
        statistics: Of this run's examples.
        schema: The curated schema.
        anomalies: What ExampleValidator found.
        baseline_statistics: Of the last examples that passed, where there are any.
        baseline_blessing: What this gate said of those, where that is known.
        examples: This run's examples.
        config: What the pictures must be like beside the schema.
        registry: Where statistics that pass are recorded for later runs; '' where ML Metadata does that.
        code: Hash of the code, for the cache.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        anomalies: types.BaseChannel,
        baseline_statistics: types.BaseChannel | None = None,
        baseline_blessing: types.BaseChannel | None = None,
        examples: types.BaseChannel | None = None,
        config: ValidationConfig = ValidationConfig(),
        registry: str = "",
        code: str = "",
    ):
        spec = DataGateSpec(
            statistics=statistics,
            schema=schema,
            anomalies=anomalies,
            baseline_statistics=baseline_statistics,
            baseline_blessing=baseline_blessing,
            examples=examples,
            blessing=types.Channel(type=DataBlessing),
            config=json.dumps(dataclasses.asdict(config)),
            registry=registry,
            code=code,
        )
        super().__init__(spec=spec)
