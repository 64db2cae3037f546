"""Print the result of a command for people or, with --json, for programs."""

from __future__ import annotations

import json
from typing import Any

import click


def print_json(result: Any) -> None:
    """Print a result as JSON on standard output. Infinite numbers and NaN become null, which JSON lacks."""
    click.echo(json.dumps(_finite(result), indent=2, ensure_ascii=False, allow_nan=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value
