"""Read small JSON files on any file system. Missing files give empty values; broken ones are logged and skipped."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Mapping
from typing import Any, TypeVar

import tensorflow as tf
from pydantic import TypeAdapter

_log = logging.getLogger("darkroom.report")
_Data = TypeVar("_Data")


def read_json(folder: str, name: str) -> dict[str, Any]:
    """Return the object in a JSON file, or {} if the file is missing or broken."""
    content = read_text(folder, name)
    if content is None:
        return {}
    try:
        value = json.loads(content)
    except ValueError as error:
        _log.warning("%s cannot be read: %s", os.path.join(folder, name), error)
        return {}
    return value if isinstance(value, dict) else {}


def read_json_lines(folder: str, name: str, most: int | None = None) -> list[dict[str, Any]]:
    """Return the objects in the first `most` lines of a JSON Lines file; broken lines are skipped."""
    lines = (read_text(folder, name) or "").splitlines()
    values: list[dict[str, Any]] = []
    for line in lines if most is None else lines[:most]:
        try:
            value = json.loads(line)
        except ValueError:
            _log.warning("a line of %s cannot be read", os.path.join(folder, name))
            continue
        if isinstance(value, dict):
            values.append(value)
    return values


def read_text(folder: str, name: str) -> str | None:
    """Return the text of a file, or None if it does not exist."""
    path = os.path.join(folder, name)
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            return file.read()
    except tf.errors.NotFoundError:
        return None


def build(kind: type[_Data], values: Mapping[str, Any]) -> _Data:
    """Return a data class of recorded values. Further values are ignored; see `components.report.data` for wrong numbers."""
    return _adapter(kind).validate_python(values)


@functools.cache
def _adapter(kind: type[_Data]) -> TypeAdapter[_Data]:
    return TypeAdapter(kind)
