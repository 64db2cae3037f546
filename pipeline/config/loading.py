"""Read the configuration from YAML, apply overrides from the command line, and validate it."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import TypeAdapter, ValidationError

from common.errors import InputError
from pipeline.config.schema import Config
from pipeline.config.search_space import checked_tuning


class Problem(NamedTuple):
    """A problem of a configuration."""

    field: str  # the full name of the field; '' for the whole file
    message: str  # one line that names the field


class InvalidConfig(InputError):
    """A configuration is not valid. The message names every problem in one line.

    Attributes:
        problems: The problems.
    """

    def __init__(self, source: str, problems: Sequence[Problem]):
        super().__init__(f"in {source}: {'; '.join(problem.message for problem in problems)}")
        self.problems = list(problems)


def load_values(path: Path) -> dict[str, Any]:
    """Return the unvalidated values of a configuration file; raise InputError if it cannot be read, or is not a YAML mapping."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the configuration {path}: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"the configuration {path}{where} is not YAML: {getattr(error, 'problem', error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"the configuration {path} must be a mapping such as 'training: {{epochs: 20}}'")
    if isinstance(values.get("notify"), dict) and True in values["notify"]:  # YAML reads the word `on` as true
        values["notify"]["on"] = values["notify"].pop(True)
    return values


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply `--set key.key=value` to values; each value is read as YAML. Raise InputError if an override has another form."""
    values = copy.deepcopy(values)
    for override in overrides:
        name, equals, text = override.partition("=")
        keys = name.strip().split(".")
        if not equals or not all(keys):
            raise InputError(f"--set {override!r} is not of the form key=value, such as training.epochs=20")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise InputError(f"--set {override!r}: the value is not YAML") from None
        target = values
        for key in keys[:-1]:
            target = target.setdefault(key, {})
            if not isinstance(target, dict):
                raise InputError(f"--set {override!r}: {key} is a value, not a section")
        target[keys[-1]] = value
    return values


def build_config(values: Mapping[str, Any], source: str = "the configuration") -> Config:
    """Validate values and build the configuration.

    Args:
        values: Values as read from YAML.
        source: The origin of the values, for the message.

    Raises:
        InvalidConfig: A field is unknown or its value is not allowed.
    """
    unknown = list(_unknown(Config, values, ""))
    if unknown:
        raise InvalidConfig(source, unknown)
    try:
        built = _ADAPTER.validate_python({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        names = [".".join(map(str, e["loc"])) for e in error.errors()]
        raise InvalidConfig(source, [Problem(name, f"{name}: {_message(e)}") for name, e in zip(names, error.errors())]) from None
    endless = [Problem(name, f"{name} must be a finite number, not {value}") for name, value in _endless(built)]
    if endless:
        raise InvalidConfig(source, endless)
    try:
        _check_together(built)
        return dataclasses.replace(built, tuning=checked_tuning(built.tuning, built.trainer()))
    except (InputError, ValueError) as error:
        raise InvalidConfig(source, [Problem(re.split(r"[,: ]", str(error))[0], str(error))]) from None


def _endless(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield infinite and NaN numbers, each with the name of its field."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _endless(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _endless(each, name)
    elif isinstance(value, float) and not math.isfinite(value):
        yield name, value


def _check_together(config: Config) -> None:
    """Raise InputError if fields of different sections contradict each other."""
    lowest, highest = config.evaluation.min_kl, config.evaluation.max_kl
    if None not in (lowest, highest) and lowest > highest:
        raise InputError(f"evaluation.min_kl, {lowest:g}, is above evaluation.max_kl, {highest:g}: no model has both")
    if config.preprocessing.depth not in (8, config.data.depth):
        raise InputError("preprocessing.depth is set by data.depth: leave it out, and set data.depth")
    if config.data.depth == 16 and config.tuning.trials and config.tuning.objective == "bits_per_dimension":
        raise InputError("tuning.objective: bits_per_dimension needs 256 levels, but data.depth is 16; use elbo")
    model, training = config.model, config.training
    several = training.strategy != "one_device" and training.jit_compile
    if several and model.likelihood == "gaussian" and model.sigma == "optimal":
        raise InputError(
            f"model.sigma: optimal, training.jit_compile and training.strategy: {training.strategy} cannot be combined: change one of them"
        )
    if several and training.free_bits:
        raise InputError(
            f"training.free_bits, training.jit_compile and training.strategy: {training.strategy} cannot be combined: change one of them"
        )


_ADAPTER: TypeAdapter[Config] = TypeAdapter(Config)


def _unknown(kind: type, values: Any, prefix: str) -> Iterator[Problem]:
    """Yield the unknown fields, each with the closest name first and a list of the allowed ones."""
    if values is None:  # a section with all fields commented out
        return
    if not isinstance(values, Mapping):
        section = prefix.rstrip(".")
        yield Problem(section, f"{section} must be a section with fields, not {values!r}")
        return
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name, value in values.items():
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            guess = f"; did you mean {prefix}{near[0]}" if near else ""
            yield Problem(f"{prefix}{name}", f"unknown field {prefix}{name}{guess}; allowed: {', '.join(fields)}")
            continue
        default = fields[name].default_factory
        if dataclasses.is_dataclass(default):
            yield from _unknown(default, value, f"{prefix}{name}.")


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "value_error":  # a section's own message
        return str(error["ctx"]["error"])
    if error["loc"][:2] == ("notify", "webhook"):  # a secret
        return f"{error['msg'][0].lower()}{error['msg'][1:]}"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, not {error['input']!r}"


def preset_names() -> Iterator[str]:
    """Return the names of the configurations that are included in the project."""
    return (path.stem for path in sorted(_presets().glob("*.yaml")))


def preset_values() -> dict[str, dict[str, Any]]:
    """Return the values of all included configurations by name."""
    return {path.stem: load_values(path) for path in sorted(_presets().glob("*.yaml"))}


def preset_path(name: str) -> Path | None:
    """Return the file of an included configuration, or None if there is none of that name."""
    path = _presets() / f"{name}.yaml"
    return path if path.is_file() else None


def _presets() -> Path:
    import configs

    return Path(configs.__file__).parent
