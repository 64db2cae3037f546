"""The driver of `ImageExampleGen`: detect whether the pictures have changed since they were last read."""

from __future__ import annotations

from typing import Any

from tfx.components.example_gen import utils
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.orchestration import data_types
from tfx.types import standard_component_specs as specs

from components.image_example_gen.discovery.handover import list_for_executor
from components.image_example_gen.options import unpack_options


class ImageExampleGenDriver(FileBasedDriver):
    """A driver that runs before the cache lookup, so that a missing folder is reported at once."""

    def resolve_exec_properties(
        self, exec_properties: dict[str, Any], pipeline_info: data_types.PipelineInfo, component_info: data_types.ComponentInfo
    ) -> dict[str, Any]:
        """Add the fingerprint of all files to read, and the latest span.

        An executor in the same process reads the very files of this list, so that the fingerprint describes what it reads.
        TFX's own fingerprint adds up times and sizes of the files directly in the folder: it misses renames and subfolders.

        Raises:
            InputError: There is nothing to read.
        """
        config = unpack_options(exec_properties[specs.CUSTOM_CONFIG_KEY])
        sources = list_for_executor(exec_properties[specs.INPUT_BASE_KEY], config)
        exec_properties[utils.SPAN_PROPERTY_NAME] = sources.span
        exec_properties[utils.VERSION_PROPERTY_NAME] = None
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = sources.fingerprint
        return exec_properties
