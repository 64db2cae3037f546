"""Print the result of a command for people or, with --json, for programs."""

from __future__ import annotations

import json
import shutil
from typing import Any

import click


def print_json(result: Any, err: bool = False) -> None:
    """Print a result as JSON, on standard error if asked. Infinite numbers and NaN, which JSON lacks, become null."""
    click.echo(json.dumps(_finite(result), indent=2, ensure_ascii=False, allow_nan=False, default=str), err=err)


def columns() -> int:
    """Return the width for text: that of the terminal, at most 100 columns."""
    return min(100, shutil.get_terminal_size().columns)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value
