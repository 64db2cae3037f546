"""The component's options on their way through TFX: packed into its CustomConfig parameter, and out of it."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs as specs
from tfx.utils import proto_utils

from components.image_example_gen.config import DataConfig
from components.image_example_gen.files import join


def pack_options(config: DataConfig, code: str) -> example_gen_pb2.CustomConfig:
    """Packs the options into the message that TFX hands to the executor and makes part of the cache's key.

    Args:
        config: How pictures are read.
        code: Hash of the project's code: edited code then misses the cache.
    """
    values = dataclasses.asdict(config) | {"label_names": list(config.label_names)}
    message = example_gen_pb2.CustomConfig()
    message.custom_config.Pack(json_format.ParseDict({"config": values, "code": code}, struct_pb2.Struct()))
    return message


def unpack_options(text: str) -> DataConfig:
    """The configuration in a CustomConfig message, given as the JSON that TFX hands to the executor."""
    message = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(text, message)
    struct = struct_pb2.Struct()
    message.custom_config.Unpack(struct)
    values = json_format.MessageToDict(struct)["config"]
    # A Struct knows neither whole numbers nor tuples.
    whole = {"pictures_per_shard": int(values["pictures_per_shard"]), "label_names": tuple(values["label_names"])}
    return DataConfig(**values | whole)


def pictures_folder(exec_properties: Mapping[str, Any]) -> str:
    """The folder to read: `input_base`, or what the pattern of `input_config` makes of it once the span is resolved."""
    input_config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[specs.INPUT_CONFIG_KEY], input_config)
    return folder_of_pattern(exec_properties[specs.INPUT_BASE_KEY], input_config.splits[0].pattern)


def folder_of_pattern(base: str, pattern: str) -> str:
    """The folder whose files a pattern selects: `span-3/*` those of span-3, `*` all of `base`."""
    below = posixpath.dirname(pattern)
    return join(base, below) if below else base
