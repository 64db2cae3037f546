"""Conditions of tasks, in CEL (cel.dev), as backend/src/v2/expression/expression.go of 2.17 evaluates them."""

from __future__ import annotations

import json
from typing import Any

import celpy
from celpy import celtypes
from celpy.evaluation import CELEvalError

from tests.kubeflow.emulator.values import Broken, kind_of


class _Number(celtypes.DoubleType):
    """A number beside which cel-go compares all numbers, and anything else is unequal; celpy raises for both."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (int, float)) and not isinstance(other, celtypes.BoolType) and float(self) == float(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        return float(self) < float(other)

    def __le__(self, other: Any) -> bool:
        return float(self) <= float(other)

    def __gt__(self, other: Any) -> bool:
        return float(self) > float(other)

    def __ge__(self, other: Any) -> bool:
        return float(self) >= float(other)

    __hash__ = celtypes.DoubleType.__hash__


def holds(condition: str, inputs: dict[str, Any]) -> bool:
    """Whether a condition holds.

    Args:
        condition: It speaks of the executor input's fields by their names in protobuf: inputs.parameter_values.
        inputs: The inputs of an executor input.

    Raises:
        Broken: It cannot be evaluated, such as for a key that is not there, or gives no boolean.
    """
    known = {"parameter_values": inputs.get("parameterValues", {}), "artifacts": inputs.get("artifacts", {})}
    environment = celpy.Environment()
    functions: dict[str, Any] = {"parseJson": lambda text: _to_cel(json.loads(text))}
    try:
        program = environment.program(environment.compile(condition), functions=functions)
        result = program.evaluate({"inputs": _to_cel(known)})
    except (celpy.CELParseError, CELEvalError) as error:
        raise Broken(f"expression.Condition: {condition}: evaluation error: {error.args[0]}") from error
    if not isinstance(result, celtypes.BoolType):
        raise Broken(f"expression.Condition: {condition}: return type is not bool, got {result!r}")
    return bool(result)


def _to_cel(value: Any) -> Any:
    if isinstance(value, dict):
        return celtypes.MapType({celtypes.StringType(key): _to_cel(one) for key, one in value.items()})
    if isinstance(value, list):
        return celtypes.ListType([_to_cel(one) for one in value])
    return _Number(value) if kind_of(value) == "number" else celpy.json_to_cel(value)
