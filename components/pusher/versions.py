"""The versions of a model that have been pushed."""

from __future__ import annotations

from pathlib import Path


def versions(base: Path) -> list[int]:
    """The versions pushed to a folder, in order; empty where there is no such folder."""
    return sorted(int(p.name) for p in base.iterdir() if p.name.isdigit() and p.is_dir()) if base.is_dir() else []
