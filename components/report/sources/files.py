"""Small JSON files, wherever they lie; what is missing or broken is reported once and left out."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import tensorflow as tf

_log = logging.getLogger("darkroom.report")


def read_json(folder: str, name: str) -> dict[str, Any]:
    """The object in a JSON file, or {} where there is none."""
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
    """The first `most` objects of a file with one on each line; a broken line is left out."""
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
    """The text of a file, or None where there is none."""
    path = os.path.join(folder, name)
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            return file.read()
    except tf.errors.NotFoundError:
        return None


def to_float(value: Any) -> float | None:
    """A number as it was recorded, None for what is none."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def to_int(value: Any) -> int | None:
    """A whole number as it was recorded, None for what is none."""
    number = to_float(value)
    return None if number is None or number != number else int(number)
