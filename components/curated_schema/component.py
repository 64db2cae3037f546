"""The CuratedSchema component: a schema passed in the pipeline's definition."""

from __future__ import annotations

import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from components.artifacts import Artifacts
from components.declaration import DeclaredComponent, Parameter


class Executor(base_executor.BaseExecutor):
    """See `CuratedSchema`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write schema.pbtxt."""
        uri = artifact_utils.get_single_uri(output_dict["schema"])
        io_utils.write_string_file(os.path.join(uri, "schema.pbtxt"), exec_properties["text"])


class CuratedSchema(DeclaredComponent):
    """Write the curated schema as an artifact."""

    EXECUTOR = Executor
    PARAMETERS = {"text": Parameter(str)}  # the schema in TFDV's text format
    OUTPUTS = {"schema": standard_artifacts.Schema}
