"""Components that are declared once: what TFX makes of the declaration, and what is refused."""

from __future__ import annotations

import json

import pytest
from tfx.dsl.components.base import base_executor
from tfx.types import Channel, standard_artifacts

from components.data_gate.config import ValidationConfig
from components.declaration import DeclaredComponent, Parameter


class Executor(base_executor.EmptyExecutor):
    pass


class Count(DeclaredComponent):
    EXECUTOR = Executor
    INPUTS = {"examples": standard_artifacts.Examples}
    OPTIONAL_INPUTS = {"model": standard_artifacts.Model}
    PARAMETERS = {
        "code": Parameter(str),
        "seed": Parameter(int, 7),
        "bound": Parameter(float, None),
        "config": Parameter(ValidationConfig, ValidationConfig()),
    }
    OUTPUTS = {"counts": standard_artifacts.ExampleStatistics}


EXAMPLES = Channel(type=standard_artifacts.Examples)


def test_what_is_declared_is_what_tfx_sees() -> None:
    made = Count(examples=EXAMPLES, model=None, code="abc", config=ValidationConfig(label_set="free"))
    assert set(made.inputs) == {"examples"} and made.outputs["counts"].type is standard_artifacts.ExampleStatistics
    assert {name: made.exec_properties[name] for name in ("code", "seed", "bound")} == {"code": "abc", "seed": 7, "bound": None}
    assert json.loads(made.exec_properties["config"])["label_set"] == "free"
    assert made.type == f"{__name__}.Count" and made.executor_spec.class_path == f"{__name__}.Executor"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"code": ""}, "Count needs the argument 'examples'"),
        ({"examples": EXAMPLES}, "Count needs the argument 'code'"),
        ({"examples": EXAMPLES, "code": "", "sed": 1}, "Count has no argument 'sed'; it has examples, model, code, seed"),
        ({"examples": EXAMPLES, "code": "", "seed": "x"}, "seed"),
        ({"examples": Channel(type=standard_artifacts.Model), "code": ""}, "examples"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Count(**arguments)
