"""Declare a TFX component once, in place of a `ComponentSpec` and an `__init__` that repeat each input, output and parameter."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import Artifact, channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

REQUIRED = object()


class Parameter(NamedTuple):
    """A parameter of a component: its type, and its default.

    A dataclass is passed to the executor as JSON. A parameter with the default None is optional.
    """

    type: type
    default: Any = REQUIRED


class DeclaredComponent(base_component.BaseComponent):
    """A component whose class declares its executor, inputs, outputs and parameters.

    Its inputs and parameters are keyword arguments.

    Example:
        class Count(DeclaredComponent):
            EXECUTOR = Executor
            INPUTS = {"examples": standard_artifacts.Examples}
            PARAMETERS = {"code": Parameter(str), "seed": Parameter(int, 0)}
            OUTPUTS = {"counts": Counts}

        counts = Count(examples=example_gen.outputs["examples"], code=code_hash(components.count))
    """

    EXECUTOR: ClassVar[type[base_executor.BaseExecutor]]
    INPUTS: ClassVar[Mapping[str, type[Artifact]]] = {}
    OPTIONAL_INPUTS: ClassVar[Mapping[str, type[Artifact]]] = {}  # may be None or absent
    PARAMETERS: ClassVar[Mapping[str, Parameter]] = {}
    OUTPUTS: ClassVar[Mapping[str, type[Artifact]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        inputs = {name: ChannelParameter(type=kind) for name, kind in cls.INPUTS.items()}
        optional = {name: ChannelParameter(type=kind, optional=True) for name, kind in cls.OPTIONAL_INPUTS.items()}
        declared = {
            "INPUTS": inputs | optional,
            "OUTPUTS": {name: ChannelParameter(type=kind) for name, kind in cls.OUTPUTS.items()},
            "PARAMETERS": {
                name: ExecutionParameter(type=str if dataclasses.is_dataclass(kind) else kind, optional=default is None)
                for name, (kind, default) in cls.PARAMETERS.items()
            },
        }
        cls.SPEC_CLASS = type(f"{cls.__name__}Spec", (ComponentSpec,), declared)
        cls.EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(cls.EXECUTOR)

    def __init__(self, **arguments: Any):
        """Pass channels by the inputs' names, and values by the parameters' names. Raise TypeError for a wrong argument."""
        names = [*self.INPUTS, *self.OPTIONAL_INPUTS, *self.PARAMETERS]
        defaults = {name: parameter.default for name, parameter in self.PARAMETERS.items() if parameter.default is not REQUIRED}
        values = defaults | arguments
        if unknown := sorted(set(values) - set(names)):
            raise TypeError(f"{type(self).__name__} has no argument {unknown[0]!r}; it has {', '.join(names)}")
        if missing := [name for name in names if name not in values and name not in self.OPTIONAL_INPUTS]:
            raise TypeError(f"{type(self).__name__} needs the argument {missing[0]!r}")
        values = {name: json.dumps(dataclasses.asdict(v)) if dataclasses.is_dataclass(v) else v for name, v in values.items()}
        outputs = {name: channel.Channel(type=kind) for name, kind in self.OUTPUTS.items()}
        super().__init__(self.SPEC_CLASS(**values, **outputs))
