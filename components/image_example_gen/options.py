"""The component's options on their way through TFX: packed into its CustomConfig parameter, and out of it."""

from __future__ import annotations

import dataclasses

from google.protobuf import json_format, struct_pb2
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from components.image_example_gen.config import DataConfig


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
    for field in dataclasses.fields(DataConfig):
        if isinstance(field.default, (int, tuple)) and not isinstance(field.default, bool):
            values[field.name] = type(field.default)(values[field.name])
    return DataConfig(**values)
