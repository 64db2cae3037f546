"""The work folder: where everything of a run is, and who may use it."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from common.errors import InputError

LOCK = ".lock"
GLOB = "*?[]\\{}"  # TFX finds an artifact's files by patterns made of its path


class WorkFolderBusy(RuntimeError):
    """Another run holds the work folder: exit status 4."""


class DiskFull(RuntimeError):
    """There is no room for what is to be done, or there was none: exit status 1."""


@dataclass(frozen=True)
class Workspace:
    """The parts of a work folder; see `docs/work-folder.md`.

    Attributes:
        root: The folder itself, absolute.
    """

    root: Path

    @classmethod
    def create(cls, root: Path) -> Workspace:
        """Makes the folder where it is not there yet.

        Raises:
            InputError: It cannot be made or written, or its path would be taken for a pattern.
        """
        root = root.expanduser().absolute()
        odd = sorted(set(str(root)) & set(GLOB))
        if odd:
            raise InputError(f"the work folder's path {root} has {' '.join(odd)}, which TFX takes for a pattern; choose another")
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the work folder {root}: {error.strerror}; choose another with --work") from None
        _check_writable(root)
        return cls(root)

    @classmethod
    def open(cls, root: str | Path) -> Workspace:
        """A folder that a run has made.

        Raises:
            InputError: There is no such folder.
        """
        folder = Path(root).expanduser().absolute()
        if not folder.is_dir():
            raise InputError(f"there is no work folder {root}: `{command('run', root)}` makes it")
        return cls(folder)

    @property
    def metadata(self) -> Path:
        """ML Metadata's database."""
        return self.root / "metadata.db"

    @property
    def artifacts(self) -> Path:
        """The pipeline's root."""
        return self.root / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """How far a training has come that is not at its end."""
        return self.root / "checkpoints"

    @property
    def serving(self) -> Path:
        """Pushed models, a folder each version."""
        return self.root / "serving"

    @property
    def report(self) -> Path:
        """The last run's report."""
        return self.root / "report"

    def run(self, run_id: str) -> Path:
        """What belongs to one run."""
        return self.root / "runs" / run_id

    def runs(self) -> list[Path]:
        """The folders of all runs, in the order of their names."""
        return sorted(path for path in (self.root / "runs").glob("*") if path.is_dir())

    def rejects(self, run_id: str) -> Path:
        """The pictures that a run refused, a line of JSON each."""
        return self.root / "rejects" / f"{run_id}.jsonl"

    def new_run(self) -> str:
        """A new run's id, which names the time, and its folder."""
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
        """Holds the folder for one run; the kernel lets go of it however the process ends.

        Raises:
            InputError: It cannot be written.
            WorkFolderBusy: Another run holds it.
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
                file.seek(0)
                holder = file.read().strip() or "another run"
                raise WorkFolderBusy(f"{self.root} is in use by {holder}; wait for it, or choose another --work") from None
            with contextlib.suppress(OSError):  # only a comfort for others, and the disk may be full
                os.truncate(file.fileno(), 0)
                os.write(file.fileno(), f"process {os.getpid()}".encode())
            yield

    def held(self) -> bool:
        """Whether somebody is at work in the folder, this process included."""
        try:
            with (self.root / LOCK).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # nobody was ever
            return False
        return False


def command(words: str, work: str | Path) -> str:
    """A command on a work folder, as a person may type it."""
    return f"darkroom {words} --work {shlex.quote(str(work))}"


def _hold(file: IO[str]) -> None:
    """Takes the lock; `held` of another process may have it for a moment.

    Raises:
        BlockingIOError: Another run has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(0.05)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _check_writable(root: Path) -> None:
    if not os.access(root, os.W_OK | os.X_OK):
        raise InputError(f"cannot write to the work folder {root}; choose another with --work")
