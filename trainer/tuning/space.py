"""The search space: the fields of the configuration to search, and their values."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import InputError
from trainer.config import ModelConfig, TrainerConfig, TrainingConfig

SECTIONS: dict[str, type] = {"model": ModelConfig, "training": TrainingConfig}
SENSELESS = {
    "training.epochs": "how long a trial takes is tuning.epochs",
    "training.patience": "how long a trial takes is tuning.epochs",
    "training.seed": "a seed that did better once is luck, not a better value",
    "training.accumulate": "it changes how much memory a training takes, not how well it does",
    "training.strategy": "it changes where a model is trained, not how well",
    "training.workers": "it changes where a model is trained, not how well",
    "training.precision": "it changes how fast a model is trained, not how well",
    "training.jit_compile": "it changes how fast a model is trained, not how well",
    "training.importance_samples": "it changes a figure, not the model",
}


@dataclass(frozen=True)
class Choices:
    """A list of possible values of a field. Those of a list of layers are numbers (widths) or lists."""

    values: tuple[Any, ...]

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Return the values to validate: if they are all allowed, every choice is."""
        return self.values

    def to_plain(self) -> Any:
        """Return the choices as the configuration writes them."""
        return [list(value) if isinstance(value, tuple) else value for value in self.values]


@dataclass(frozen=True)
class Range:
    """Possible values of a field from `min` to `max`, both included.

    Attributes:
        scale: `linear`, or `log` to count equal factors as equal distances.
        step: Distance between neighbors, or their ratio if the scale is `log`. None for any value between.
    """

    min: float
    max: float
    scale: str = "linear"
    step: float | None = None

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Return the values to validate: if they are all allowed, the whole range is."""
        return self.min, self.max

    def to_plain(self) -> Any:
        """Return the range as the configuration writes it."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}


Domain = Choices | Range
Space = dict[str, Domain]


def parse_space(plain: Mapping[str, Any]) -> Space:
    """Parse a search space of the configuration. Return its domains by the fields' full names.

    Keys are fields' full names, or sections that hold fields. Whether the values of a domain suit the field is not checked.

    Raises:
        InputError: A field is unknown or cannot be searched, or its domain is invalid. The message is one line and names it.

    Example:
        >>> parse_space({"model": {"latent_dim": [2, 8]}})
        {'model.latent_dim': Choices(values=(2, 8))}
    """
    flat: dict[str, Any] = {}
    for name, domain in plain.items():
        nested = name in SECTIONS and isinstance(domain, Mapping)
        flat |= {f"{name}.{inner}": value for inner, value in domain.items()} if nested else {str(name): domain}
    if not flat:
        raise InputError("tuning.space is empty: name at least one field, such as training.learning_rate: [0.001, 0.003]")
    for name in flat:
        _check_name(name)
    return {name: _parse_domain(f"tuning.space.{name}", domain) for name, domain in flat.items()}


def field_value(config: TrainerConfig, name: str) -> Any:
    """Return a field's value by its full name, such as `model.latent_dim`."""
    section, field = name.split(".")
    return getattr(getattr(config, section), field)


def encode(choices: Choices) -> list[Any]:
    """Encode choices for KerasTuner, without duplicates. KerasTuner has no lists, and needs all choices of one type."""
    lists = any(isinstance(value, tuple) for value in choices.values)
    return list(dict.fromkeys(json.dumps(value) if lists else value for value in choices.values))


def decode(value: Any, current: Any) -> Any:
    """Decode a field's value from KerasTuner's form, see `encode`.

    The field's current value gives its type and, for a list of layers, the number of layers.
    """
    if isinstance(current, tuple):
        layers = json.loads(value) if isinstance(value, str) else value
        return tuple(layers) if isinstance(layers, Sequence) else (layers,) * len(current)
    return bool(value) if isinstance(current, bool) else value  # KerasTuner has made it 0 or 1


def with_values(config: TrainerConfig, values: Mapping[str, Any]) -> TrainerConfig:
    """Return the configuration with some values replaced: encoded values by the fields' full names.

    Raises:
        ValueError: The values are not consistent with each other.
    """
    sections: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for name, value in values.items():
        section, field = name.split(".")
        sections[section][field] = decode(value, field_value(config, name))
    changed = {name: dataclasses.replace(getattr(config, name), **fields) for name, fields in sections.items()}
    return dataclasses.replace(config, **changed)


def _check_name(name: str) -> None:
    known = [f"{section}.{f.name}" for section, kind in SECTIONS.items() for f in dataclasses.fields(kind)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        guess = f"; did you mean {near[0]}" if near else ""
        raise InputError(f"tuning.space has an unknown field {name}{guess}; allowed are the fields of {' and '.join(SECTIONS)}")
    if name in SENSELESS:
        raise InputError(f"tuning.space.{name} cannot be searched: {SENSELESS[name]}")


def _parse_domain(name: str, plain: Any) -> Domain:
    if isinstance(plain, Mapping):
        return _parse_range(name, plain)
    if not isinstance(plain, (list, tuple)):
        raise InputError(f"{name} must be a list of choices or have min and max, not {plain!r}")
    if not plain:
        raise InputError(f"{name} is empty: list at least one choice")
    return Choices(tuple(tuple(value) if isinstance(value, list) else value for value in plain))


def _parse_range(name: str, plain: Mapping[str, Any]) -> Range:
    allowed = [f.name for f in dataclasses.fields(Range)]
    for key in plain:
        if key not in allowed:
            raise InputError(f"{name} has an unknown field {key}; allowed: {', '.join(allowed)}")
    for key in ("min", "max", "step"):
        value = plain.get(key)
        if value is None and key != "step":
            raise InputError(f"{name} has no {key}")
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value)):
            raise InputError(f"{name}.{key} must be a number, not {value!r}")
    made = Range(**plain)
    if made.min > made.max:
        raise InputError(f"{name}: min, {made.min:g}, is above max, {made.max:g}")
    if made.scale not in ("linear", "log"):
        raise InputError(f"{name}.scale must be linear or log, not {made.scale!r}")
    if made.scale == "log" and made.min <= 0:
        raise InputError(f"{name}: min must be above 0 on a log scale, not {made.min:g}")
    least = 1 if made.scale == "log" else 0
    if made.step is not None and made.step <= least:
        requirement = "a factor above 1" if least else "above 0"
        raise InputError(f"{name}.step must be {requirement} on a {made.scale} scale, not {made.step:g}")
    return made
