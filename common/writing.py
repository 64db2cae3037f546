"""Write the output of a command to a file, the target of a link, a pipe, a device or standard output.

A file is written completely or not at all: its content goes to a temporary name in the same folder, which is then renamed. A
pipe or a device gets the bytes directly, and is never replaced by a file.
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

_MAX_LINKS = 40  # the limit of Linux
_PIECE = 1 << 20  # bytes written at once
_MAX_NAME = 40  # characters of the target's name in the temporary name; names have at most 255 bytes
_DESCRIPTOR = re.compile(r"(?:/dev/fd|/proc/(?P<process>\d+)(?:/task/\d+)?/fd)/(?P<number>\d+)")


def followed(out: str | Path) -> Path:
    """Return the path, which need not exist, that `out` refers to after following links. Raise OSError if they form a cycle.

    Links in /proc to the open files of a process are not followed: they mean the open file, not its path.
    """
    path = Path(out)
    for _ in range(_MAX_LINKS):
        path = Path(os.path.realpath(path.parent), path.name) if path.name not in ("", "..") else Path(os.path.realpath(path))
        if _DESCRIPTOR.fullmatch(str(path)) or not path.is_symlink():
            return path
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(out))


def is_stream(out: str | Path) -> bool:
    """Return True if `out` takes bytes directly: `-`, an open file such as /dev/stdout, a FIFO, a socket or a device."""
    if str(out) == "-":
        return True
    path = followed(out)
    if _DESCRIPTOR.fullmatch(str(path)):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:  # it does not exist or cannot: opening it reports the reason
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def is_standard_output(out: str | Path) -> bool:
    """Return True if `out` is the standard output of this process under any name. No messages may be printed there."""
    if str(out) == "-" or _own_descriptor(followed(out)) == 1:
        return True
    try:
        return is_stream(out) and os.path.samestat(os.stat(out), os.fstat(1))
    except OSError:
        return False


def shown(out: str | Path) -> str:
    """Return the name of `out` for a message."""
    return "standard output" if str(out) == "-" else str(out)


@contextmanager
def written(out: str | Path) -> Iterator[BinaryIO]:
    """Yield a file to fill, which replaces `out` at the end. If an exception is raised, `out` does not change.

    Missing folders are created. A replaced file keeps its permissions and its owner.

    Raises:
        BrokenPipeError: The pipe has no reader any more.
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
    """Copy the content of a file to a stream. Raise OSError if the stream cannot be written."""
    number = 1 if str(out) == "-" else _own_descriptor(followed(out))
    if number is None:
        descriptor = os.open(out, os.O_WRONLY | os.O_NOCTTY)
        try:
            _copy(content, descriptor)
        finally:
            os.close(descriptor)
        return
    if number not in (1, 2):
        _copy(content, number)
        return
    stream = sys.stdout if number == 1 else sys.stderr
    if stream is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    stream.flush()  # earlier output comes first
    try:
        _copy(content, stream.fileno())
    except io.UnsupportedOperation:  # a Python stream in place of the process's descriptor
        shutil.copyfileobj(content, stream.buffer)
        stream.flush()


def put(part: Path, path: Path) -> None:
    """Move a finished file to its path in one step, with the permissions and the owner of the file that it replaces."""
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
        with part.open("rb") as content, path.open("wb") as file:  # the file is a mount, as in containers: it cannot be replaced
            shutil.copyfileobj(content, file)


def check_writable(path: Path) -> None:
    """Raise PermissionError if the file exists and is write-protected. A rename would replace it all the same."""
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def beside(path: Path) -> Path:
    """Return a new hidden name in the same folder."""
    return path.with_name(f".{path.name[:_MAX_NAME]}.{secrets.token_hex(4)}.part")


@contextmanager
def filled(out: str | Path) -> Iterator[Path]:
    """Yield a new folder, whose files move to the folder `out` at the end. If an exception is raised, `out` does not change.

    An existing folder, also behind a link, is filled and not replaced: it may be a mount, or the working folder of a shell.
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
    """Move all files of a folder to its parent folder, or none."""
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
    """Replace the temporary file's name in errors by the name that the user gave."""
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
    """Return the number of this process's open file that a path refers to, or None for any other path."""
    match = _DESCRIPTOR.fullmatch(str(path))
    if match is None or match["process"] not in (None, os.path.basename(os.path.realpath("/proc/self"))):
        return None
    return int(match["number"])


def _copy(content: BinaryIO, descriptor: int) -> None:
    while piece := content.read(_PIECE):
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:  # the pipe was set to non-blocking by another process
                select.select([], [descriptor], [])
