"""Give a run its own folder for temporary files, also of libraries and child processes. It is removed however the run ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "darkroom-run-"
_VARIABLE = "TMPDIR"  # used by child processes and by the C++ code of libraries
_own: list[Path] = []  # the folder of this process, if it has one


@contextmanager
def scratch() -> Iterator[Path]:
    """Within the context, put all temporary files of this process and its children in a new folder, and remove it afterwards.

    Folders that killed processes of this user have left are removed first. Yield the folder; the existing one if there already is
    one.
    """
    if _own:
        yield _own[-1]
        return
    place = Path(tempfile.gettempdir())
    remove_dead(place)
    folder, lock = _new(place)
    before = os.environ.get(_VARIABLE), tempfile.tempdir
    os.environ[_VARIABLE] = tempfile.tempdir = str(folder)
    _own.append(folder)
    try:
        yield folder
    finally:
        if before[0] is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before[0]
        tempfile.tempdir = before[1]
        remove_own()
        os.close(lock)


def place() -> Path:
    """Return the folder for temporary files that the user knows, which contains the run's own folder."""
    return _own[-1].parent if _own else Path(tempfile.gettempdir())


def remove_own() -> None:
    """Remove the folder of this process, if it has one, even if threads are still active."""
    while _own:
        folder = _own.pop()
        renamed = folder.with_name(f"{folder.name}.gone")
        with suppress(OSError):  # after the rename nothing more is written to it
            folder.rename(renamed)
        for each in (renamed, folder):
            shutil.rmtree(each, ignore_errors=True)


def remove_dead(place: Path) -> None:
    """Remove the folders whose processes have ended, which are no longer locked."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process was faster, or the folder belongs to another user
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                if os.fstat(lock).st_uid == os.getuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _new(place: Path) -> tuple[Path, int]:
    """Create and lock a folder. Before it is locked, another process may remove it as abandoned; then try again."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):  # a file system without locks: no other process can lock and remove it either
                fcntl.flock(lock, fcntl.LOCK_SH)
            if folder.is_dir():
                return folder, lock
            os.close(lock)
