"""Read the signatures of a SavedModel from saved_model.pb without TensorFlow.

TensorFlow's protocol buffer classes require importing all of TensorFlow, which takes seconds. This module reads the few needed
fields from the wire format. The field numbers are those of saved_model.proto and meta_graph.proto, which are stable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_META_GRAPHS = 2  # SavedModel
_META_INFO, _SIGNATURES = 1, 5  # MetaGraphDef
_TAGS = 4  # MetaInfoDef
_INPUTS, _OUTPUTS = 1, 2  # SignatureDef
_NAME, _SHAPE = 1, 3  # TensorInfo
_DIMENSIONS, _SIZE = 2, 1  # TensorShapeProto, and its Dim
_KEY, _VALUE = 1, 2  # the entries of every map


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a signature.

    Attributes:
        inputs: Tensor names ("generate_seed:0") by the names used in requests ("seed").
        outputs: Tensor names by the names used in responses.
        shapes: Shapes by tensor name; None for a dimension of any size.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    shapes: dict[str, tuple[int | None, ...]]


def read_signatures(content: bytes) -> dict[str, Signature]:
    """Return the signatures of a SavedModel with tag "serve", by name.

    Args:
        content: The bytes of saved_model.pb.

    Raises:
        ValueError: The content is damaged, or holds no graph tagged "serve".

    Example:
        >>> read_signatures(b"")
        Traceback (most recent call last):
        ValueError: it holds no graph tagged "serve"
    """
    for meta_graph in _all(memoryview(content), _META_GRAPHS):
        tags = [bytes(tag) for info in _all(meta_graph, _META_INFO) for tag in _all(info, _TAGS)]
        if b"serve" in tags:
            signatures = {name: _signature(value) for name, value in _map(meta_graph, _SIGNATURES)}
            # Names with leading double underscores belong to the loader.
            return {name: signature for name, signature in signatures.items() if not name.startswith("__")}
    raise ValueError('it holds no graph tagged "serve"')


def _signature(content: memoryview) -> Signature:
    inputs, outputs = (dict(_map(content, field)) for field in (_INPUTS, _OUTPUTS))
    shapes = {_tensor_name(info): _shape(info) for info in (*inputs.values(), *outputs.values())}
    names = ({key: _tensor_name(info) for key, info in tensors.items()} for tensors in (inputs, outputs))
    return Signature(next(names), next(names), shapes)


def _tensor_name(info: memoryview) -> str:
    return bytes(next(_all(info, _NAME), b"")).decode()


def _shape(info: memoryview) -> tuple[int | None, ...]:
    dimensions = [dimension for shape in _all(info, _SHAPE) for dimension in _all(shape, _DIMENSIONS)]
    sizes = [next((value for field, value in _fields(dimension) if field == _SIZE), 0) for dimension in dimensions]
    return tuple(size if isinstance(size, int) and size < 2**63 else None for size in sizes)  # -1: any size


def _map(content: memoryview, field: int) -> Iterator[tuple[str, memoryview]]:
    for entry in _all(content, field):
        yield bytes(next(_all(entry, _KEY), b"")).decode(), next(_all(entry, _VALUE), memoryview(b""))


def _all(content: memoryview, wanted: int) -> Iterator[memoryview]:
    """Yield every length-delimited value of field `wanted` in a message."""
    return (value for field, value in _fields(content) if field == wanted and isinstance(value, memoryview))


def _fields(content: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the number and the value of every field: bytes, or an integer for a varint."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        wire_type = tag & 7
        if wire_type == 0:
            value, at = _varint(content, at)
            yield tag >> 3, value
            continue
        if wire_type not in (1, 2, 5):
            raise ValueError("saved_model.pb is damaged")
        length, start = _varint(content, at) if wire_type == 2 else ({1: 8, 5: 4}[wire_type], at)
        at = start + length
        if at > len(content):
            raise ValueError("saved_model.pb is cut short")
        yield tag >> 3, content[start:at]


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content):
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("saved_model.pb is cut short")
