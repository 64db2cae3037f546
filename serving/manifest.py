"""What files a model consists of, and their SHA-256: by it a changed byte is noticed before the model is loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from common.errors import InputError

MANIFEST = "manifest.json"
SCHEMA = 1


def write_manifest(folder: Path) -> None:
    """Writes the manifest of a model that is complete: {"schema": 1, "files": {path: SHA-256 in hexadecimal}}."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sums = {name: _sum(folder / name) for name in names if name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps({"schema": SCHEMA, "files": sums}, indent=2) + "\n", encoding="utf-8")


def verify(folder: Path) -> None:
    """Compares a model with its manifest.

    Hidden files, which a system leaves anywhere, are let be: nothing that loads a model looks at them.

    Raises:
        InputError: There is no manifest, or a file is missing, or not the one that was exported, or was added.
    """
    path = folder / MANIFEST
    try:
        sums = {**json.loads(path.read_text(encoding="utf-8"))["files"]}
    except FileNotFoundError:
        raise InputError(f"the model in {folder} has no {MANIFEST}: nothing says that it is whole") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is damaged: push the model again, or take another version") from None
    added = sorted(_names(folder) - {*sums, MANIFEST})
    if added:
        raise InputError(
            f"the model in {folder} has been changed since it was exported: {MANIFEST} does not name {added[0]}"
            f"{f' and {len(added) - 1} more' if added[1:] else ''}; move it away, push again, or take another version"
        )
    for name, expected in sums.items():
        try:
            found = _sum(folder / name)
        except OSError as error:
            what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise InputError(f"the model in {folder} is not whole: {name} {what}; push it again, or take another version") from None
        if found != expected:
            raise InputError(
                f"the model in {folder} has been changed since it was exported: {name} has another SHA-256 than {MANIFEST} says; "
                "push it again, or take another version"
            )


def sum_of(folder: Path, name: str) -> str:
    """What a model's manifest says of a file; '' where it says nothing."""
    try:
        return str(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"][name])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _names(folder: Path) -> set[str]:
    """All files and links in a folder by their path from there, but for hidden ones."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)}


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
