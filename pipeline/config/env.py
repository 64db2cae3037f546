"""Expand ${NAME} references to environment variables."""

from __future__ import annotations

import os
import re

from common.errors import InputError

VARIABLE = re.compile(r"\$\{(\w+)\}")


def filled(text: str, field: str) -> str:
    """Return the value of a configuration field with each `${NAME}` replaced by that environment variable, or raise InputError."""

    def value(match: re.Match[str]) -> str:
        result = os.environ.get(match[1], "").strip()
        if not result:
            raise InputError(f"{field} asks for the environment variable {match[1]}, which is not set")
        return result

    return VARIABLE.sub(value, text)
