"""YAML as 2.17's server reads it: gopkg.in/yaml.v3, and encoding/json for what that has read (v2_template.go, NewV2SpecTemplate).

Checked by running that library: 12e3, 1_000, 09 and 0o17 are numbers, on and yes are strings, and a date becomes a time.
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

import yaml

NULLS = ("", "~", "null", "Null", "NULL")
BOOLEANS = {name: name.lower() == "true" for name in ("true", "True", "TRUE", "false", "False", "FALSE")}
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
TIMESTAMP = yaml.SafeLoader.timestamp_regexp
INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class Unreadable(Exception):
    """The server cannot read the file."""


class _Loader(yaml.SafeLoader):
    """Leaves it to `scalar` what a plain scalar is."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


def _construct(loader: _Loader, node: yaml.ScalarNode) -> Any:
    if node.style is not None:
        return node.value
    if TIMESTAMP.fullmatch(node.value):
        moment = loader.construct_yaml_timestamp(node)
        if not hasattr(moment, "hour"):
            return f"{moment.isoformat()}T00:00:00Z"
        return moment.isoformat() + ("Z" if moment.tzinfo is None else "")
    return scalar(node.value)


_Loader.add_constructor("tag:yaml.org,2002:str", _construct)


def scalar(text: str) -> Any:
    """Return what a plain scalar is; of dates see above.

    Raises:
        Unreadable: It is a number that JSON has not.
    """
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if NOT_FINITE.fullmatch(text):
        raise Unreadable(f"json: unsupported value: {text}")
    digits = text.replace("_", "") if text[0] in "-+.0123456789" else text
    if INTEGER.fullmatch(digits):
        sign, body = (-1 if digits[0] == "-" else 1), digits.lstrip("+-").lower()
        base = {"0x": 16, "0b": 2, "0o": 8}.get(body[:2], 8 if body.startswith("0") else 10)
        return sign * int(body, base)
    if FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return float(digits)
    return text


def documents(text: str) -> list[dict[str, Any]]:
    """Return the documents of a file.

    Raises:
        Unreadable: It is no YAML, or a key is not a string.
    """
    try:
        found = [document for document in yaml.load_all(text, _Loader) if document]
    except (yaml.YAMLError, TypeError) as error:
        raise Unreadable(f"unable to decode yaml document: {error}") from error
    for document in found:
        _check_keys(document)
    return found


def _check_keys(value: Any) -> None:
    for key in value if isinstance(value, dict) else ():
        if not isinstance(key, str):
            raise Unreadable(f"cannot convert v2 pipeline spec to json format: the key {key} is not a string")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_keys(one)
