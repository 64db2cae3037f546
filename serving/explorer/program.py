"""The files of an export that hold its decoder as a program; `trainer.program` writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

PROGRAM = "program/program.json"
WEIGHTS = "program/weights.bin"


def read_program(model: str, open_file: Callable[[str, str], Any] = open) -> tuple[dict[str, Any], bytes]:
    """Return the program of an exported model, and its weights.

    Args:
        model: The model's folder.
        open_file: Opens a file; for a folder in another file system, the function of a library that reads it.

    Raises:
        OSError: The model has none, or the error of another `open_file`.
        ValueError: The program is damaged.
    """
    with open_file(os.path.join(model, PROGRAM), "rb") as file:  # noqa: PTH118  a URI has no Path
        program = json.loads(file.read())
    with open_file(os.path.join(model, WEIGHTS), "rb") as file:  # noqa: PTH118
        return program, file.read()
