"""The layout of a work folder, and its lock."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from common.errors import InputError, MachineFault

LOCK = ".lock"
GLOB = "*?[]\\{}"  # not allowed in the path: TFX uses it in glob patterns


class WorkFolderBusy(RuntimeError):
    """Another run holds the work folder: exit status 4."""


class DiskFull(MachineFault):
    """There is not enough disk space: exit status 1."""


class Workspace:
    """The parts of a work folder; see `docs/work-folder.md`.

    Attributes:
        root: The work folder, absolute.
        metadata: The database of ML Metadata.
        artifacts: The pipeline's root.
        checkpoints: The checkpoints of an unfinished training.
        serving: The pushed models, one folder per version.
        report: The report of the last run.
    """

    def __init__(self, root: Path):
        self.root, self.metadata, self.artifacts = root, root / "metadata.db", root / "artifacts"
        self.checkpoints, self.serving, self.report = root / "checkpoints", root / "serving", root / "report"

    @classmethod
    def create(cls, root: Path) -> Workspace:
        """Create the folder if it does not exist.

        Raises:
            InputError: It cannot be created or written, or its path contains characters of glob patterns.
        """
        root = root.expanduser().absolute()
        forbidden = sorted(set(str(root)) & set(GLOB))
        if forbidden:
            raise InputError(
                f"the work folder's path {root} has {' '.join(forbidden)}, which TFX interprets as a pattern; choose another"
            )
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot create the work folder {root}: {error.strerror}; choose another with --work") from None
        _check_writable(root)
        return cls(root)

    @classmethod
    def open(cls, root: str | Path) -> Workspace:
        """Open a folder that a run has created; raise InputError if there is no such folder."""
        folder = Path(root).expanduser().absolute()
        if not folder.is_dir():
            raise InputError(f"there is no work folder {root}: `{command('run', root)}` makes it")
        return cls(folder)

    def run(self, run_id: str) -> Path:
        """Return the folder of one run."""
        return self.root / "runs" / run_id

    def runs(self) -> list[Path]:
        """Return the folders of all runs, sorted by name."""
        return sorted(path for path in (self.root / "runs").glob("*") if path.is_dir())

    def rejects(self, run_id: str) -> Path:
        """Return the file of the pictures that a run rejected, one JSON line each."""
        return self.root / "rejects" / f"{run_id}.jsonl"

    def new_run(self) -> str:
        """Create the folder of a new run, and return its id, which is the current time."""
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        for suffix in ("", *(f"-{i}" for i in range(2, 1000))):
            try:
                self.run(stamp + suffix).mkdir(parents=True)
            except FileExistsError:
                continue
            return stamp + suffix
        raise RuntimeError(f"too many runs at {stamp}")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one run. The kernel releases the lock however the process ends.

        Raises:
            InputError: The folder cannot be written.
            WorkFolderBusy: Another run holds the folder.
        """
        _check_writable(self.root)
        try:
            file = (self.root / LOCK).open("a+")
        except OSError as error:
            raise InputError(f"cannot write to the work folder {self.root}: {error.strerror}") from None
        with file:
            try:
                _hold(file)
            except BlockingIOError:
                holder = _words(file) or "another run"
                raise WorkFolderBusy(f"{self.root} is in use by {holder}; wait for it, or choose another --work") from None
            with contextlib.suppress(OSError):  # optional information, and the disk may be full
                os.truncate(file.fileno(), 0)
                os.write(file.fileno(), this_process().encode())
            yield

    def held(self) -> bool:
        """Return True if a process, including this one, holds the folder."""
        try:
            with (self.root / LOCK).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # the folder was never held
            return False
        return False

    def holder(self) -> str:
        """Return the process that holds the folder, in the words of its lock, such as "process 123"; '' if none does."""
        try:
            with (self.root / LOCK).open() as file:
                return _words(file) if self.held() else ""
        except OSError:
            return ""


def this_process() -> str:
    """Return this process in the words of a lock."""
    return f"process {os.getpid()}"


def _words(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip()


def command(arguments: str, work: str | Path) -> str:
    """Return a command on a work folder as the user would type it."""
    return f"darkroom {arguments} --work {shlex.quote(str(work))}"


def _hold(file: IO[str]) -> None:
    """Take the lock, or raise BlockingIOError. A call of `held` in another process may hold it for a moment."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(0.05)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _check_writable(root: Path) -> None:
    if not os.access(root, os.W_OK | os.X_OK):
        raise InputError(f"cannot write to the work folder {root}; choose another with --work")
