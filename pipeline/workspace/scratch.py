"""A run's own folder for temporary files, its libraries' and its children's included, which is gone however the run ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "darkroom-run-"
_VARIABLE = "TMPDIR"  # that children, and the libraries' C++ code, go by
_own: list[Path] = []  # the folders of this process: one, or none


@contextmanager
def scratch() -> Iterator[Path]:
    """For as long as it lasts, all temporary files of this process and its children go to a new folder, which is then removed.

    Folders that dead processes of this user have left are removed first: no code of theirs ran when they were killed.

    Yields:
        The folder. Where there is one already, that.
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
    """Return where temporary files go, as a person knows it: the folder that the run's own is in."""
    return _own[-1].parent if _own else Path(tempfile.gettempdir())


def remove_own() -> None:
    """Remove this process's folder, if it has one: also where the process is about to end with threads still at work."""
    while _own:
        folder = _own.pop()
        gone = folder.with_name(f"{folder.name}.gone")
        with suppress(OSError):  # under another name nothing more is written into it
            folder.rename(gone)
        for each in (gone, folder):
            shutil.rmtree(each, ignore_errors=True)


def remove_dead(place: Path) -> None:
    """Remove the folders whose processes have ended: nobody holds their locks any more."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another one was faster, or it is not this user's
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                if os.fstat(lock).st_uid == os.getuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _new(place: Path) -> tuple[Path, int]:
    """Make a folder, and hold its lock. Between the two another process may take it for a dead one's, and remove it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):  # a file system without locks: then nobody else takes it for a dead one's either
                fcntl.flock(lock, fcntl.LOCK_SH)
            if folder.is_dir():
                return folder, lock
            os.close(lock)
