"""Check a search space against the configuration that it is applied to."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import TypeAdapter, ValidationError

from common.errors import InputError
from trainer.config import TrainerConfig
from trainer.tuning.config import TuningConfig
from trainer.tuning.space import SECTIONS, Choices, Domain, Range, field_value, parse_space, with_values

_ADAPTERS: dict[str, TypeAdapter] = {name: TypeAdapter(kind) for name, kind in SECTIONS.items()}


def checked_tuning(tuning: TuningConfig, config: TrainerConfig) -> TuningConfig:
    """Return the search with its complete space: every value is allowed, and has the type of its field.

    Each field gets its full name. Without trials, the search is returned unchanged.

    Raises:
        InputError: A field is unknown, a value is not allowed, or trials cannot be compared; one line.
    """
    if not tuning.trials:
        return tuning
    if tuning.objective == "bits_per_dimension" and config.model.binarisation != "none":
        raise InputError("tuning.objective: bits_per_dimension needs gray levels, which model.binarisation removes; use elbo")
    space = {name: _checked(name, domain, config) for name, domain in parse_space(tuning.space).items()}
    for name, domain in space.items():
        _check_comparable(name, domain, config, tuning.objective)
    return dataclasses.replace(tuning, space={name: domain.to_plain() for name, domain in space.items()})


def _checked(name: str, domain: Domain, config: TrainerConfig) -> Domain:
    current = field_value(config, name)
    if isinstance(domain, Choices):
        return Choices(tuple(_allowed(name, value, config) for value in domain.values))
    if isinstance(current, (bool, str)):
        raise InputError(f"tuning.space.{name} takes a list of choices, not min and max")
    ends = [_allowed(name, value, config) for value in domain.extremes]
    if domain.step is not None and not isinstance(current, float) and domain.step != int(domain.step):
        raise InputError(f"tuning.space.{name}.step must be a whole number, not {domain.step:g}")
    step = int(domain.step) if domain.step is not None and not isinstance(current, float) else domain.step
    return Range(*ends, domain.scale, step)


def _allowed(name: str, value: Any, config: TrainerConfig) -> Any:
    """Return the value converted to the field's type."""
    section, field = name.split(".")
    current = field_value(config, name)
    is_width = isinstance(current, tuple) and not isinstance(value, (list, tuple))
    values = {**dataclasses.asdict(getattr(config, section)), field: (value,) * len(current) if is_width else value}
    try:
        validated = getattr(_ADAPTERS[section].validate_python(values), field)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"tuning.space.{name}: {message[0].lower()}{message[1:]}, not {value!r}") from None
    return validated[0] if is_width else validated


def _check_comparable(name: str, domain: Domain, config: TrainerConfig, objective: str) -> None:
    """Refuse fields whose values change the meaning of the objective."""
    for value in domain.extremes:
        changed = with_values(config, {name: value})
        if objective == "bits_per_dimension":  # this objective compares likelihoods
            same = dataclasses.replace(changed.model, likelihood=config.model.likelihood)
            changed = dataclasses.replace(changed, model=same)
        if changed.protocol() != config.protocol():
            metric = objective.replace("elbo", "ELBO").replace("_", " ")
            hint = "; compare likelihoods by tuning.objective: bits_per_dimension" if name == "model.likelihood" else ""
            raise InputError(
                f"tuning.space.{name}: the {metric} of {value!r} and of {field_value(config, name)!r} cannot be compared{hint}"
            )
