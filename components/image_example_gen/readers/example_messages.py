"""tf.Example and tf.SequenceExample without TensorFlow, whose import takes ten times as long as inspecting a file of them.

The fields are those of tensorflow/core/example/feature.proto and example.proto, in a separate pool, because TensorFlow registers
its own.
"""

from __future__ import annotations

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import Message

_PACKAGE = "darkroom"
_BYTES, _FLOAT, _INT64 = FieldDescriptorProto.TYPE_BYTES, FieldDescriptorProto.TYPE_FLOAT, FieldDescriptorProto.TYPE_INT64
_SCHEMA = {  # message: its fields, numbered from 1, each a scalar type or a message
    "BytesList": {"value": _BYTES},
    "FloatList": {"value": _FLOAT},
    "Int64List": {"value": _INT64},
    "Feature": {"bytes_list": "BytesList", "float_list": "FloatList", "int64_list": "Int64List"},
    "Features": {"feature": "Feature"},
    "FeatureList": {"feature": "Feature"},
    "FeatureLists": {"feature_list": "FeatureList"},
    "Example": {"features": "Features"},
    "SequenceExample": {"context": "Features", "feature_lists": "FeatureLists"},
}
_REPEATED = ("BytesList", "FloatList", "Int64List", "FeatureList")
_MAPS = ("Features", "FeatureLists")  # keyed by name


def _messages() -> tuple[type[Message], type[Message]]:
    file = FileDescriptorProto(name=f"{_PACKAGE}/example.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        if name == "Feature":
            message.oneof_decl.add(name="kind")
        for number, (field, kind) in enumerate(fields.items(), 1):
            if name in _MAPS:
                entry = message.nested_type.add(name=f"{kind}Entry")
                entry.options.map_entry = True
                _add_field(entry, "key", 1, FieldDescriptorProto.TYPE_STRING, False)
                _add_field(entry, "value", 2, kind, False)
                kind = f"{name}.{kind}Entry"
            added = _add_field(message, field, number, kind, name in _REPEATED or name in _MAPS)
            if name == "Feature":
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    # protobuf 3.20 has only the method, protobuf 6 only the function.
    class_of = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    example, sequence = (class_of(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in list(_SCHEMA)[-2:])
    return example, sequence


def _add_field(message: DescriptorProto, name: str, number: int, kind: int | str, repeated: bool) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if isinstance(kind, str):
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = kind
    return field


EXAMPLE, SEQUENCE_EXAMPLE = _messages()
