"""Hash the code that a component runs. The hash is a component parameter, so that edited code misses the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType


def code_hash(*packages: ModuleType) -> str:
    """Return a hash of modules, and of all files below packages: 16 hex digits of a SHA-256 over file names and contents.

    It does not depend on the installation path.
    """
    digest = hashlib.sha256()
    for package in sorted(packages, key=lambda p: p.__name__):
        for name, path in _files(package):
            digest.update(f"{package.__name__}/{name}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _files(package: ModuleType) -> list[tuple[str, Path]]:
    if not hasattr(package, "__path__"):
        path = Path(package.__file__)
        return [(path.name, path)]
    files = []
    for root in map(Path, package.__path__):
        files += [(p.relative_to(root).as_posix(), p) for p in root.rglob("*") if p.is_file() and p.suffix != ".pyc"]
    return sorted(files)
