"""The CuratedSchema component: a schema passed in the pipeline's definition."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils


class Executor(base_executor.BaseExecutor):
    """See `CuratedSchema`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write schema.pbtxt."""
        uri = artifact_utils.get_single_uri(output_dict["schema"])
        io_utils.write_string_file(os.path.join(uri, "schema.pbtxt"), exec_properties["text"])


class CuratedSchemaSpec(ComponentSpec):
    """Inputs, outputs and parameters of `CuratedSchema`."""

    PARAMETERS = {"text": ExecutionParameter(type=str)}
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"schema": ChannelParameter(type=standard_artifacts.Schema)}


class CuratedSchema(base_component.BaseComponent):
    """Write the curated schema as an artifact.

    Args:
        text: The schema in TFDV's text format.
    """

    SPEC_CLASS = CuratedSchemaSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, *, text: str):
        super().__init__(spec=CuratedSchemaSpec(text=text, schema=types.Channel(type=standard_artifacts.Schema)))
