"""The DataGate component."""

from __future__ import annotations

from tfx.types import standard_artifacts

from components.artifacts import DataBlessing
from components.data_gate.config import ValidationConfig
from components.data_gate.executor import Executor
from components.declaration import DeclaredComponent, Parameter


class DataGate(DeclaredComponent):
    """End the run if the data does not match the schema, or has drifted from the last accepted data.

    TFX's ExampleValidator only records its anomalies; the run continues. It also does not compare with earlier data.
    """

    EXECUTOR = Executor
    INPUTS = {
        "statistics": standard_artifacts.ExampleStatistics,  # of this run's examples
        "schema": standard_artifacts.Schema,  # the curated one
        "anomalies": standard_artifacts.ExampleAnomalies,  # from ExampleValidator
    }
    OPTIONAL_INPUTS = {
        "baseline_statistics": standard_artifacts.ExampleStatistics,  # of the last accepted examples
        "baseline_blessing": DataBlessing,  # the blessing of the baseline statistics, if known
        "examples": standard_artifacts.Examples,  # this run's
    }
    PARAMETERS = {
        "config": Parameter(ValidationConfig, ValidationConfig()),  # requirements on the pictures beyond the schema
        "registry": Parameter(str, ""),  # where accepted statistics are recorded for later runs; '' if ML Metadata does that
        "code": Parameter(str, ""),  # hash of the code, for the cache
    }
    OUTPUTS = {"blessing": DataBlessing}
