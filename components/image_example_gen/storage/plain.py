"""Open files as they are stored, on this machine or elsewhere; `members` opens files in archives."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from email.utils import mktime_tz, parsedate_tz
from typing import BinaryIO

from tenacity import retry, retry_if_exception, stop_after_attempt, wait_fixed

from components.image_example_gen.storage.stores import is_stored_file, one_line, open_stored, stat_stored
from components.image_example_gen.storage.streams import read_up_to

TIMEOUT_SECONDS = 30
WEB = ("http://", "https://")


def is_remote(path: str) -> bool:
    """Return whether `path` is a URI of remote storage."""
    return "://" in path


def local_path(path: str) -> str:
    """Return the path of a local URI (file://); other paths unchanged."""
    return urllib.parse.unquote(re.sub("^file://", "", path)) if path.startswith("file:///") else path


def open_plain(path: str) -> BinaryIO:
    """Open a file for reading its stored bytes. Raise OSError if the file cannot be opened."""
    if not is_remote(path):
        return open(path, "rb")
    return open_url(path) if path.startswith(WEB) else open_stored(path)


def is_plain_file(path: str) -> bool:
    """Return whether there is such a file; the web is not asked, and has no folders."""
    if not is_remote(path):
        return os.path.isfile(path)
    return path.startswith(WEB) or is_stored_file(path)


def stat_plain(path: str) -> tuple[int, int]:
    """Return a file's size in bytes and modification time in nanoseconds since 1970; -1 for what a web server does not report."""
    if not is_remote(path):
        result = os.stat(path)
        return result.st_size, result.st_mtime_ns
    if path.startswith(WEB):
        with open_url(path) as stream:
            length, changed = (stream.headers.get(key) or "" for key in ("Content-Length", "Last-Modified"))
        date = parsedate_tz(changed)
        size, seconds = int(length) if length.isdigit() else -1, mktime_tz(date) if date else -1
    else:
        size, seconds = stat_stored(path)
    return size, int(seconds * 1_000_000_000)


def seekable(stream: BinaryIO) -> BinaryIO:
    """Return `stream` if it supports seeking, else a temporary copy, which deletes itself. Raise OSError if it cannot be read."""
    if stream.seekable():
        return stream
    with stream, contextlib.ExitStack() as on_failure:
        copy = on_failure.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        on_failure.pop_all()
    return copy


def first_bytes(path: str, count: int) -> bytes:
    """Return the first bytes of a file, fewer only if it is shorter. Raise OSError if the file cannot be read."""
    with open_plain(path) as stream:
        return read_up_to(stream, count)


def quoted(url: str) -> str:
    """Return a URL with spaces and other characters encoded as by browsers: the host by RFC 3490, the rest by %.

    Raise OSError if the host's name is invalid.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        host = f"{user}{at}{host if host.isascii() else host.encode('idna').decode('ascii')}"
    except ValueError as error:
        raise OSError(f"no address on the web: {one_line(error)}") from error
    return urllib.parse.quote(urllib.parse.urlunsplit(parts._replace(netloc=host)), safe="%/:=&?~#+!$,;'@()*[]")


def open_url(url: str) -> BinaryIO:
    """Open an http:// or https:// URL; retry if the server fails. Raise OSError if the URL cannot be opened."""
    url = quoted(url)
    try:
        return _request(url)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from error
        if error.code in (401, 403):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), url) from error
        raise


def _is_temporary(error: BaseException) -> bool:
    return error.code >= 500 if isinstance(error, urllib.error.HTTPError) else isinstance(error, OSError)


@retry(retry=retry_if_exception(_is_temporary), stop=stop_after_attempt(3), wait=wait_fixed(1), reraise=True)
def _request(url: str) -> BinaryIO:
    return urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS)
