"""The list of a model's files and their SHA-256. It reveals a changed byte before the model is loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from common.errors import InputError

MANIFEST = "manifest.json"
WEIGHTS = "weights.npz"  # all weights by the names of network and layer; trainer.warm_start writes them
SCHEMA = 1


def write_manifest(folder: Path) -> None:
    """Write the manifest of a complete model: {"schema": 1, "files": {path: SHA-256 in hexadecimal}}."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sums = {name: _sum(folder / name) for name in names if name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps({"schema": SCHEMA, "files": sums}, indent=2) + "\n", encoding="utf-8")


def verify(folder: Path) -> None:
    """Compare a model with its manifest.

    Hidden files are ignored: operating systems leave them anywhere, and no loader reads them.

    Raises:
        InputError: The manifest is missing or damaged, or a file is missing, unreadable, changed or added.
    """
    path = folder / MANIFEST
    try:
        sums = {**json.loads(path.read_text(encoding="utf-8"))["files"]}
    except FileNotFoundError:
        raise InputError(f"the model in {folder} has no {MANIFEST}: it cannot be verified") from None
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
            checksum = _sum(folder / name)
        except OSError as error:
            problem = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise InputError(
                f"the model in {folder} is not whole: {name} {problem}; push it again, or take another version"
            ) from None
        if checksum != expected:
            raise InputError(
                f"the model in {folder} has been changed since it was exported: {name} has another SHA-256 than {MANIFEST} says; "
                "push it again, or take another version"
            )


def sum_of(folder: Path, name: str) -> str:
    """Return a file's SHA-256 from a model's manifest, or '' if the manifest has none.

    Example:
        >>> sum_of(Path("no/such/model"), "saved_model.pb")
        ''
    """
    try:
        return str(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"][name])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _names(folder: Path) -> set[str]:
    """Return the relative paths of all files and links in a folder except hidden ones."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)}


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
