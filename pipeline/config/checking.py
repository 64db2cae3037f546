"""Find all problems of a configuration file, each with its line."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.errors import InputError
from pipeline.config.loading import InvalidConfig, Problem, apply_overrides, build_config, load_values


@dataclass(frozen=True)
class Finding:
    """A problem of a configuration file."""

    message: str  # one line
    field: str = ""  # the full name of the field; '' for the whole file
    line: int | None = None  # the line in the file, from 1; None if the problem is not in the file

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


def findings(path: Path | None, overrides: Sequence[str] = ()) -> list[Finding]:
    """Return all problems of a configuration file together with overrides from the command line; empty if it is valid.

    Args:
        path: The file; None checks only the overrides.
        overrides: Overrides such as `training.epochs=3`.
    """
    try:
        values = load_values(path) if path else {}
    except InputError as error:
        return [Finding(str(error))]
    lines, twice = _lines(path) if path else ({}, [])
    found = [Finding(f"{name} is set a second time, and the first value is lost", name, line) for name, line in twice]
    try:
        values = apply_overrides(values, overrides)
    except InputError as error:
        return [*found, Finding(str(error))]
    by_hand = {override.partition("=")[0].strip() for override in overrides}
    for problem in _problems(values):
        line = None if problem.field in by_hand else _line_of(problem.field, lines)
        found.append(Finding(problem.message.partition("; allowed: ")[0], problem.field, line))
    return sorted(found, key=lambda each: each.line or 0)


def _problems(values: dict[str, Any]) -> list[Problem]:
    """Return the problems of values, and of what is left without fields that are unknown."""
    try:
        build_config(values)
    except InvalidConfig as error:
        left = copy.deepcopy(values)
        unknown = [problem for problem in error.problems if _removed(left, problem.field.split("."))]
        return [*error.problems, *(_problems(left) if len(unknown) == len(error.problems) and left != values else [])]
    return []


def _removed(values: Any, keys: Sequence[str]) -> bool:
    """Remove a field from values, and return True; return False if it is not there."""
    for key in keys[:-1]:
        values = values.get(key) if isinstance(values, dict) else None
    if not isinstance(values, dict) or keys[-1] not in values:
        return False
    del values[keys[-1]]
    return True


def _lines(path: Path) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """Return the line of each key of a YAML file by its full name, and the keys that occur again, each with its line."""
    lines: dict[str, int] = {}
    twice = []
    for name, line in _keys(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader), ""):
        if name in lines:
            twice.append((name, line))
        lines[name] = line
    return lines, twice


def _keys(node: yaml.Node | None, prefix: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                name = f"{prefix}{key.value}"
                yield name, key.start_mark.line + 1
                yield from _keys(value, f"{name}.")


def _line_of(field: str, lines: Mapping[str, int]) -> int | None:
    """Return the line of a field, or of the section around it."""
    while field and field not in lines:
        field = field.rpartition(".")[0]
    return lines.get(field)
