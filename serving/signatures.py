"""Read the signatures of a SavedModel from saved_model.pb without TensorFlow.

TensorFlow's protocol buffer classes require importing all of TensorFlow, which takes seconds. This module reads the few needed
fields from the wire format. The field numbers are those of saved_model.proto and meta_graph.proto, which are stable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_META_GRAPHS = 2  # SavedModel
_META_INFO, _SIGNATURES = 1, 5  # MetaGraphDef
_TAGS = 4  # MetaInfoDef
_INPUTS, _OUTPUTS = 1, 2  # SignatureDef
_NAME = 1  # TensorInfo
_KEY, _VALUE = 1, 2  # the entries of every map


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a signature.

    Attributes:
        inputs: Tensor names ("generate_seed:0") by the names used in requests ("seed").
        outputs: Tensor names by the names used in responses.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]


def read_signatures(model: Path) -> dict[str, Signature]:
    """Return the signatures of the SavedModel in the folder `model`, tag "serve", by name.

    Raises:
        ValueError: saved_model.pb is damaged, or holds no graph tagged "serve".
        OSError: saved_model.pb cannot be read.
    """
    content = memoryview((model / "saved_model.pb").read_bytes())
    for meta_graph in _all(content, _META_GRAPHS):
        tags = [bytes(tag) for info in _all(meta_graph, _META_INFO) for tag in _all(info, _TAGS)]
        if b"serve" in tags:
            found = {name: _signature(value) for name, value in _map(meta_graph, _SIGNATURES)}
            # Names with leading double underscores belong to the loader.
            return {name: value for name, value in found.items() if not name.startswith("__")}
    raise ValueError('it holds no graph tagged "serve"')


def _signature(content: memoryview) -> Signature:
    return Signature(_tensor_names(content, _INPUTS), _tensor_names(content, _OUTPUTS))


def _tensor_names(content: memoryview, field: int) -> dict[str, str]:
    return {key: bytes(next(_all(info, _NAME), b"")).decode() for key, info in _map(content, field)}


def _map(content: memoryview, field: int) -> Iterator[tuple[str, memoryview]]:
    for entry in _all(content, field):
        yield bytes(next(_all(entry, _KEY), b"")).decode(), next(_all(entry, _VALUE), memoryview(b""))


def _all(content: memoryview, wanted: int) -> Iterator[memoryview]:
    """Yield every length-delimited value of field `wanted` in a message."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        field, wire_type = tag >> 3, tag & 7
        start = at
        if wire_type == 0:
            _, at = _varint(content, at)
        elif wire_type == 1:
            at += 8
        elif wire_type == 2:
            length, start = _varint(content, at)
            at = start + length
        elif wire_type == 5:
            at += 4
        else:
            raise ValueError("saved_model.pb is damaged")
        if at > len(content):
            raise ValueError("saved_model.pb is cut short")
        if field == wanted and wire_type == 2:
            yield content[start:at]


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content):
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("saved_model.pb is cut short")
