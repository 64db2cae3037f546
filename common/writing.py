"""Write a command's result where a person says: a file, what a link points to, a pipe, a device or standard output.

A file is whole or not touched: it is filled under another name beside its place, and then renamed. What is no file takes the
bytes as they come, and is never replaced by one.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import select
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_MOST_LINKS = 40  # that are followed, as Linux does
_PIECE = 1 << 20  # bytes written at once
_LONGEST_NAME = 40  # characters of the place's name in that of the file beside it; names have at most 255 bytes
_DESCRIPTOR = re.compile(r"(?:/dev/fd|/proc/(?P<process>\d+)(?:/task/\d+)?/fd)/(?P<number>\d+)")


def followed(out: str | Path) -> Path:
    """Return what `out` names once links are followed, whether it is there yet or not.

    Links of /proc to the open files of a process are not followed: it is the open file that is meant, not its path.

    Raises:
        OSError: The links go round in a circle.
    """
    path = Path(out)
    for _ in range(_MOST_LINKS):
        path = Path(os.path.realpath(path.parent), path.name) if path.name not in ("", "..") else Path(os.path.realpath(path))
        if _DESCRIPTOR.fullmatch(str(path)) or not path.is_symlink():
            return path
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(out))


def is_stream(out: str | Path) -> bool:
    """Return whether `out` takes bytes as they come: `-`, an open file such as /dev/stdout, a FIFO, a socket or a device."""
    if str(out) == "-":
        return True
    path = followed(out)
    if _DESCRIPTOR.fullmatch(str(path)):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:  # it is not there yet, or cannot be: the one who opens it is told why
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def is_standard_output(out: str | Path) -> bool:
    """Return whether `out` is where this process's standard output goes, by whatever name: no other words belong there."""
    if str(out) == "-" or _own_descriptor(followed(out)) == 1:
        return True
    try:
        return is_stream(out) and os.path.samestat(os.stat(out), os.fstat(1))
    except OSError:
        return False


def shown(out: str | Path) -> str:
    """Return what to call `out` in a sentence."""
    return "standard output" if str(out) == "-" else str(out)


@contextmanager
def written(out: str | Path) -> Iterator[BinaryIO]:
    """Yield a file to fill, which becomes `out` if nothing is raised meanwhile; otherwise `out` is as it was.

    Args:
        out: Where to. Folders that are missing are made. A file that is replaced keeps its permissions and its owner.

    Raises:
        BrokenPipeError: Nobody reads the pipe any more.
        OSError: `out` cannot be written; its `filename` is `out`.
    """
    with _named(out):
        if is_stream(out):
            content = io.BytesIO()
            yield content
            content.seek(0)
            send(content, out)
            return
        path = followed(out)
        check_writable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = beside(path)
        try:
            with part.open("xb") as file:
                yield file
            put(part, path)
        finally:
            part.unlink(missing_ok=True)


def write_text(text: str, out: str | Path) -> None:
    """Write text as UTF-8. See `written`."""
    with written(out) as file:
        file.write(text.encode())


def send(content: BinaryIO, out: str | Path) -> None:
    """Copy a file's content to a stream.

    Raises:
        OSError: The stream cannot be written.
    """
    number = 1 if str(out) == "-" else _own_descriptor(followed(out))
    if number is None:
        descriptor = os.open(out, os.O_WRONLY | os.O_NOCTTY)
        try:
            _copy(content, descriptor)
        finally:
            os.close(descriptor)
        return
    stream = {1: sys.stdout, 2: sys.stderr}.get(number)
    if stream is None and number in (1, 2):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if stream is not None:
        stream.flush()  # what was said before comes before
        with suppress(io.UnsupportedOperation):
            number = stream.fileno()
            stream = None
    if stream is not None:  # one of this program's own, in place of the process's
        shutil.copyfileobj(content, stream.buffer)
        stream.flush()
    else:
        _copy(content, number)


def put(part: Path, path: Path) -> None:
    """Give a finished file its place in one step; it takes over the permissions and the owner of the file before it."""
    with suppress(FileNotFoundError):
        before = path.stat()
        with suppress(PermissionError):
            os.chown(part, before.st_uid, before.st_gid)
        part.chmod(stat.S_IMODE(before.st_mode))
    try:
        os.replace(part, path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        with part.open("rb") as content, path.open("wb") as file:  # a mount of this one file, as containers have: it must stay
            shutil.copyfileobj(content, file)


def check_writable(path: Path) -> None:
    """Raise an error if there is a file that is protected against writing, which a rename would not ask about.

    Raises:
        PermissionError: It is.
    """
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def beside(path: Path) -> Path:
    """Return a new hidden name in the same folder."""
    return path.with_name(f".{path.name[:_LONGEST_NAME]}.{secrets.token_hex(4)}.part")


@contextmanager
def filled(out: str | Path) -> Iterator[Path]:
    """Yield a new folder, whose files are in the folder `out` afterwards if nothing is raised; otherwise `out` is as it was.

    A folder that is there is filled and not replaced: it may be a mount, or a shell may be in it.

    Args:
        out: A folder, a link to one, or a name that is free.
    """
    with _named(out):
        path = followed(out)
        there = path.is_dir()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = beside(path / "new" if there else path)
        part.mkdir()
        try:
            yield part
            if there:
                _move_up(part)
            else:
                os.rename(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _move_up(part: Path) -> None:
    """Move a folder's files to the folder that it is in: all of them, or none."""
    moved: list[Path] = []
    try:
        for file in sorted(part.iterdir()):
            target = part.parent / file.name
            file.rename(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            target.unlink(missing_ok=True)
        raise


@contextmanager
def _named(out: str | Path) -> Iterator[None]:
    """Have errors name what the person has named, and not the file beside it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno is None:
            raise
        name = error.filename if error.errno in (errno.EEXIST, errno.ENOTDIR) and error.filename else shown(out)
        raise OSError(error.errno, error.strerror, str(name)) from error


def _own_descriptor(path: Path) -> int | None:
    """Return which of this process's open files a path means; None for any other path."""
    found = _DESCRIPTOR.fullmatch(str(path))
    if found is None or found["process"] not in (None, os.path.basename(os.path.realpath("/proc/self"))):
        return None
    return int(found["number"])


def _copy(content: BinaryIO, descriptor: int) -> None:
    while piece := content.read(_PIECE):
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:  # whoever gave this process the pipe has made it so
                select.select([], [descriptor], [])
