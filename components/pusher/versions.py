"""The pushed versions of a model."""

from __future__ import annotations

import filecmp
from pathlib import Path

UNFINISHED = ".pushing-"  # prefix of the folder of a version that is being copied


def versions(base: Path) -> list[int]:
    """Return the versions pushed to a folder in ascending order; empty if the folder does not exist."""
    return sorted(int(p.name) for p in base.iterdir() if p.name.isdigit() and p.is_dir()) if base.is_dir() else []


def in_service(model: Path, base: Path) -> Path | None:
    """Return the folder of the highest version if it holds this exact SavedModel; None if not, or if there are no versions."""
    numbers = versions(base)
    if not numbers:
        return None
    current = base / str(numbers[-1])
    files = {p.relative_to(model) for p in model.rglob("*") if p.is_file()}
    if files != {p.relative_to(current) for p in current.rglob("*") if p.is_file()}:
        return None
    same = all(filecmp.cmp(model / file, current / file, shallow=False) for file in files)
    return current if same else None
