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
    """End the run if the data does not match the schema, or has drifted from the last accepted data.

    TFX's ExampleValidator only records its anomalies; the run continues. It also does not compare with earlier data.

    Args:
        statistics: Statistics of this run's examples.
        schema: The curated schema.
        anomalies: The anomalies from ExampleValidator.
        baseline_statistics: Statistics of the last accepted examples, if any.
        baseline_blessing: The blessing of the baseline statistics, if known.
        examples: This run's examples.
        config: Requirements on the pictures beyond the schema.
        registry: Where accepted statistics are recorded for later runs; '' if ML Metadata does that.
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
