"""Read small JSON files on any file system. Missing files give empty values; broken ones are logged and skipped."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import tensorflow as tf
from pydantic import TypeAdapter

_log = logging.getLogger("darkroom.report")
_Data = TypeVar("_Data")


def read_json(folder: str, name: str) -> dict[str, Any]:
    """Return the object in a JSON file, or {} if the file is missing or broken."""
    content = read_text(folder, name)
    return next(_objects([] if content is None else [content], os.path.join(folder, name)), {})


def read_json_lines(folder: str, name: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Return the objects in the first `limit` lines of a JSON Lines file; broken lines are skipped."""
    return list(_objects((read_text(folder, name) or "").splitlines()[:limit], os.path.join(folder, name)))


def _objects(texts: Iterable[str], path: str) -> Iterator[dict[str, Any]]:
    for text in texts:
        try:
            value = json.loads(text)
        except ValueError as error:
            _log.warning("%s cannot be read completely: %s", path, error)
            continue
        if isinstance(value, dict):
            yield value


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
