"""Pack the component's options into TFX's CustomConfig parameter, and unpack them."""

from __future__ import annotations

import dataclasses

from google.protobuf import json_format, struct_pb2
from pydantic import TypeAdapter
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from components.image_example_gen.config import DataConfig


def pack_options(config: DataConfig, code: str) -> example_gen_pb2.CustomConfig:
    """Pack the options into the message that TFX passes to the executor and includes in the cache key.

    Args:
        config: How pictures are read.
        code: Hash of the project's code: changed code misses the cache.
    """
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(config).items()}
    message = example_gen_pb2.CustomConfig()
    message.custom_config.Pack(json_format.ParseDict({"config": values, "code": code}, struct_pb2.Struct()))
    return message


def unpack_options(text: str) -> DataConfig:
    """Return the configuration in a CustomConfig message, given as the JSON that TFX passes to the executor."""
    message = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(text, message)
    struct = struct_pb2.Struct()
    message.custom_config.Unpack(struct)
    # A Struct has no integers and no tuples: convert by the types of the fields.
    return TypeAdapter(DataConfig).validate_python(json_format.MessageToDict(struct)["config"])
