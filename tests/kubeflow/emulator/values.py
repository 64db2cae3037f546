"""Values as Kubeflow Pipelines 2.17 passes them on: through protobuf's JSON, text, and ML Metadata.

Followed are backend/src/v2/metadata/converter.go (PbValueToText, TextToPbValue, StructValueToMLMDValue, toRuntimeArtifact) and
backend/src/v2/driver/util.go (pbValueToString).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

KINDS = {"NUMBER_DOUBLE": "number", "NUMBER_INTEGER": "number", "BOOLEAN": "bool", "LIST": "list", "STRUCT": "struct"}


class Broken(Exception):
    """The driver or the launcher ends with an error; the message says which of their functions said so."""


class _Unset:
    """A protobuf Value of no kind: what an output parameter is that nobody has written."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Any = _Unset()


def kind_of(value: Any) -> str:
    """Return the kind of a protobuf Value: null, string, number, bool, list, struct, or nil if it has none."""
    if value is UNSET:
        return "nil"
    if value is None:
        return "null"
    for kind, types in (("bool", bool), ("string", str), ("number", (int, float)), ("list", list), ("struct", dict)):
        if isinstance(value, types):
            return kind
    raise TypeError(f"not a value of JSON: {value!r}")


def plain(value: Any) -> Any:
    """Return a value as protobuf keeps it: all numbers are doubles, and JSON shows whole ones without a point."""
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
        if not math.isfinite(number):
            raise Broken(f"protojson: {number} is not a number of JSON")
        return int(number) if number.is_integer() and abs(number) < 1e21 else number
    return value


def to_json(value: Any) -> str:
    """Return protobuf's JSON."""
    return json.dumps(plain(value), ensure_ascii=False, sort_keys=True)


def from_json(text: str) -> Any:
    """Return what protobuf's JSON says.

    Raises:
        Broken: It is not JSON: Python's NaN and Infinity are not.
    """

    def refuse(constant: str) -> Any:
        raise Broken(f"protojson.Unmarshal: {constant} is not JSON")

    try:
        return plain(json.loads(text, parse_constant=refuse))
    except ValueError as error:
        raise Broken(f"protojson.Unmarshal: {error}") from error


def to_text(value: Any) -> str:
    """Return a value as a parameter of type STRING receives it (PbValueToText)."""
    kind = kind_of(value)
    if kind in ("nil", "null"):
        return ""
    if kind == "bool":
        return "true" if value else "false"
    if kind == "number":
        return number_text(value)
    if kind == "string":
        return str(value)
    # encoding/json writes without spaces, and the characters of HTML as escapes.
    text = json.dumps(plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def number_text(value: float) -> str:
    """Return a number without an exponent (strconv.FormatFloat 'f', -1)."""
    whole = plain(value)
    if isinstance(whole, int):
        return str(whole)
    digits = repr(float(value))
    if "e" not in digits:
        return digits
    mantissa, exponent = digits.split("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent)
    return f"{float(value):.{max(decimals, 0)}f}"


def from_text(text: str, kind: str) -> Any:
    """Return an output parameter by the file that a component has written (TextToPbValue).

    Raises:
        Broken: The text is not of the parameter's type.
    """
    readers: dict[str, Callable[[str], Any]] = {
        "STRING": str,
        "NUMBER_INTEGER": int,
        "NUMBER_DOUBLE": float,
        "BOOLEAN": _boolean,
        "LIST": lambda given: _of_type(from_json(given), list),
        "STRUCT": lambda given: _of_type(from_json(given), dict),
    }
    if kind not in readers:
        raise Broken(f"TextToPbValue: unknown type {kind}")
    try:
        return plain(readers[kind](text))
    except ValueError as error:
        raise Broken(f"TextToPbValue(text={text!r}, type={kind}): {error}") from error


def _boolean(text: str) -> bool:
    """What strconv.ParseBool takes."""
    known = {
        name: value
        for value, names in ((True, "1 t T TRUE true True"), (False, "0 f F FALSE false False"))
        for name in names.split()
    }
    if text.strip() not in known:
        raise ValueError("not a boolean")
    return known[text.strip()]


def _of_type(value: Any, wanted: type) -> Any:
    if not isinstance(value, wanted):
        raise ValueError("unexpected type")
    return value


def through_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return an artifact's properties as they come out of ML Metadata.

    Booleans come back as 1 and 0, lists as {"list": [...]}, structs as {"struct": {...}}.

    Raises:
        Broken: One is null, which ML Metadata does not keep.
    """
    found = {}
    for name, value in metadata.items():
        kind = kind_of(value)
        if kind in ("null", "nil"):
            raise Broken(f"StructValueToMLMDValue: the property {name} is null: unknown/unsupported value type")
        found[name] = int(value) if kind == "bool" else {kind: plain(value)} if kind in ("list", "struct") else plain(value)
    return found


def converted(name: str, value: Any, declared: str, *, null_allowed: bool = False) -> Any:
    """Return an input parameter as its component declares it (driver/resolve.go, handleParamTypeValidationAndConversion).

    Args:
        name: The parameter, for the message.
        value: What was found for it.
        declared: Its parameterType.
        null_allowed: Whether the driver itself has set it to null.

    Raises:
        Broken: It is of another type. Only STRING takes all.
    """
    kind = kind_of(value)
    if kind == "null" and null_allowed:
        return value
    if declared == "STRING":
        return to_text(value)
    if kind == "null":
        raise Broken(f"got null for input parameter {name!r}")
    if kind == "nil":
        raise Broken(f"parameter {name} has unknown protobuf.Value type: <nil>")
    if kind != KINDS.get(declared, "struct" if declared in ("TASK_FINAL_STATUS", "TASK_CONFIG") else None):
        raise Broken(f"input parameter {name!r} type mismatch: expect {declared}, got {kind}")
    return value
