"""The versions of a model that have been pushed."""

from __future__ import annotations

import filecmp
from pathlib import Path

UNFINISHED = ".pushing-"  # how the folder of a version that is being copied is called


def versions(base: Path) -> list[int]:
    """The versions pushed to a folder, in order; empty where there is no such folder."""
    return sorted(int(p.name) for p in base.iterdir() if p.name.isdigit() and p.is_dir()) if base.is_dir() else []


def in_service(model: Path, base: Path) -> Path | None:
    """The current version's folder, if it holds this very model.

    Args:
        model: The SavedModel's folder.
        base: Where versions are.

    Returns:
        The folder of the highest version, or None where it holds another model or there is none.
    """
    numbers = versions(base)
    if not numbers:
        return None
    current = base / str(numbers[-1])
    files = {p.relative_to(model) for p in model.rglob("*") if p.is_file()}
    if files != {p.relative_to(current) for p in current.rglob("*") if p.is_file()}:
        return None
    same = all(filecmp.cmp(model / file, current / file, shallow=False) for file in files)
    return current if same else None
