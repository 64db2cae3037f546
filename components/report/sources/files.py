"""Read small JSON files on any file system. Missing files give empty values; broken ones are logged and skipped."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import tensorflow as tf

_log = logging.getLogger("darkroom.report")


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


def to_float(value: Any) -> float | None:
    """Return a recorded number as float, or None if it is not a number."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def to_int(value: Any) -> int | None:
    """Return a recorded number as int, or None if it is not a number."""
    number = to_float(value)
    return None if number is None or number != number else int(number)
