"""The component's options on their way through TFX: packed into its CustomConfig parameter, and out of it."""

from __future__ import annotations

import dataclasses

from google.protobuf import json_format, struct_pb2
from pydantic import TypeAdapter
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from components.image_example_gen.config import DataConfig


def pack_options(config: DataConfig, code: str) -> example_gen_pb2.CustomConfig:
    """Packs the options into the message that TFX hands to the executor and makes part of the cache's key.

    Args:
        config: How pictures are read.
        code: Hash of the project's code: edited code then misses the cache.
    """
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(config).items()}
    message = example_gen_pb2.CustomConfig()
    message.custom_config.Pack(json_format.ParseDict({"config": values, "code": code}, struct_pb2.Struct()))
    return message


def unpack_options(text: str) -> DataConfig:
    """The configuration in a CustomConfig message, given as the JSON that TFX hands to the executor."""
    message = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(text, message)
    struct = struct_pb2.Struct()
    message.custom_config.Unpack(struct)
    # A Struct knows neither whole numbers nor tuples: the fields' types do.
    return TypeAdapter(DataConfig).validate_python(json_format.MessageToDict(struct)["config"])
