"""Data sets of the Hugging Face Hub, read through huggingface_hub: hf://owner/name, with @revision and a folder behind it.

Files are read over the web in parts, as they are asked for; none is kept. A token comes from the environment only
(HF_TOKEN), and is never written anywhere. Scripts that a data set brings along are never run.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import unquote

from common.errors import InputError

SCHEME = "hf://"
_URI = re.compile(r"hf://(?:datasets/)?([^/@]+(?:/[^/@]+)?)(?:@(refs/[^/]+/[^/]+|[^/]+))?(?:/(.*))?")
_OTHERS = re.compile(r"hf://(models|spaces|buckets)/")
_PASSED_OVER = ("README.md", ".gitattributes", "dataset_infos.json", "LICENSE", "LICENSE.md")  # in the topmost folder
_BLOCK, _BLOCKS = 4 << 20, 6  # bytes fetched at once, and how many of these are kept: several columns are read in turns
_TIMEOUT_SECONDS = 30
_TRIES = 3
_MOST_NAME = 2 * 96 + 1  # letters of owner/name


@dataclass(frozen=True)
class HubPath:
    """What a URI names.

    Attributes:
        repository: The data set: owner/name.
        revision: A branch, a tag or a commit; None for the newest state.
        path: Of a file or a folder in it; '' for all of it.
    """

    repository: str
    revision: str | None
    path: str

    @classmethod
    def parse(cls, uri: str) -> HubPath:
        """Split a URI into its parts.

        Raises:
            InputError: It names no data set.
        """
        if _OTHERS.match(uri):
            raise InputError(f"{uri[:80]}: only data sets are read from the Hugging Face Hub: hf://owner/name")
        match = _URI.fullmatch(uri)
        if match is None:
            raise InputError(f"{uri[:80]} names no data set: write hf://owner/name, or hf://owner/name@revision/folder")
        repository, revision, path = match.groups()
        if len(repository) > _MOST_NAME:
            raise InputError(f"{repository[:40]!r}... is no name of a data set: write hf://owner/name")
        return cls(repository, unquote(revision) if revision else None, (path or "").strip("/"))


class HubFile(io.RawIOBase):
    """A file of a data set, read by ranges.

    Args:
        uri: The file.

    Raises:
        OSError: It cannot be reached.
    """

    def __init__(self, uri: str):
        self.uri, self.place, self.size = uri, 0, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._block(0)  # says the size as well

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence]
        if place < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.place = place
        return place

    def readinto(self, buffer: Any) -> int:
        if self.place >= self.size:
            return 0
        number, begin = divmod(self.place, _BLOCK)
        piece = self._block(number)[begin : begin + len(buffer)]
        buffer[: len(piece)] = piece
        self.place += len(piece)
        return len(piece)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            data, self.size = _fetch(self.uri, number * _BLOCK)
            if number and len(data) != min(_BLOCK, self.size - number * _BLOCK):
                raise OSError("the file has changed while it was read")
            self._blocks[number] = data
            if len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]


def open_hub(uri: str) -> BinaryIO:
    """Open a file for reading anywhere in it.

    Raises:
        OSError: It cannot be reached.
    """
    return io.BufferedReader(HubFile(uri), 1 << 16)


def list_hub(folder: str) -> Iterator[tuple[str, int, float]]:
    """Yield the URI and the size in bytes of each file below a folder, and a number that changes with its content.

    Raises:
        InputError: There is no such data set, revision or folder, or it cannot be reached.
    """
    root, top = folder.rstrip("/"), HubPath.parse(folder)
    with _said(folder):
        api = _api()
        entries = api.list_repo_tree(top.repository, top.path or None, recursive=True, revision=top.revision, repo_type="dataset")
        for entry in entries:
            if hasattr(entry, "blob_id") and entry.path not in _PASSED_OVER:
                path = entry.path[len(top.path) + 1 :] if top.path else entry.path
                yield f"{root}/{path}", entry.size, _as_time(entry.blob_id)


def stat_hub(uri: str) -> tuple[int, float]:
    """The size in bytes of a file, and a number that changes with its content.

    Raises:
        InputError: It cannot be reached.
    """
    found = _info(uri)
    if found is None:
        raise InputError(f"there is no file {uri}")
    return found.size, _as_time(found.blob_id)


def is_hub_file(uri: str) -> bool:
    """Whether there is a file of this name.

    Raises:
        InputError: There is no such data set, or it cannot be reached.
    """
    return _info(uri) is not None


def _info(uri: str) -> Any:
    where = HubPath.parse(uri)
    if not where.path:
        return None
    with _said(uri):
        found = _api().get_paths_info(where.repository, [where.path], revision=where.revision, repo_type="dataset")
    return next((entry for entry in found if hasattr(entry, "blob_id")), None)


def _as_time(blob: str) -> float:
    """A time, in seconds, made of the hash of a file's content; such that nanoseconds fit into 64 bits."""
    return int(blob[:16], 16) % (1 << 33)


def _fetch(uri: str, begin: int) -> tuple[bytes, int]:
    """A block of a file, and the size of all of it.

    Raises:
        OSError: It cannot be had.
    """
    where = HubPath.parse(uri)
    try:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

        url = hf_hub_url(where.repository, where.path, repo_type="dataset", revision=where.revision, endpoint=_endpoint())
        headers = build_hf_headers(token=_token())
        headers["range"] = f"bytes={begin}-{begin + _BLOCK - 1}"
        answer = http_backoff("GET", url, headers=headers, timeout=_TIMEOUT_SECONDS, max_retries=_TRIES)
        if answer.status_code == 416 and not begin:  # an empty file has no range
            return b"", 0
        hf_raise_for_status(answer)
    except ImportError as error:
        raise _missing() from error
    except Exception as error:  # the Hub's own, and those of two libraries for the web
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == 404:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri) from error
        if status in (401, 403):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), uri) from error
        raise OSError(_words(error)) from error
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    return answer.content, int(total) if total.isdigit() else len(answer.content)


def _endpoint() -> str | None:
    """The address of a mirror of the Hub, where the environment names one."""
    return os.environ.get("HF_ENDPOINT") or None


def _token() -> str | bool:
    """The token of the environment, else none: not the one that a person has saved on this machine."""
    return (os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or "").strip() or False


def _api() -> Any:
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise _missing() from error
    return HfApi(endpoint=_endpoint(), token=_token())


def _missing() -> InputError:
    return InputError("hf:// needs one more package: pip install 'darkroom-tfx[huggingface]'")


@contextlib.contextmanager
def _said(uri: str) -> Iterator[None]:
    """Turn what the Hub answers into a line for a person.

    Raises:
        InputError: That line.
    """
    where = HubPath.parse(uri)
    try:
        yield
    except (InputError, GeneratorExit):
        raise
    except Exception as error:  # the Hub's own, and those of two libraries for the web
        kinds = {kind.__name__ for kind in type(error).__mro__}
        name = where.repository[:80]
        if "GatedRepoError" in kinds:
            reason = f"the data set {name} is gated: accept its terms on its page on the Hub, and set HF_TOKEN"
        elif "RepositoryNotFoundError" in kinds:
            reason = f"there is no data set {name} on the Hugging Face Hub, or it is private: check the name, or set HF_TOKEN"
        elif "RevisionNotFoundError" in kinds:
            reason = f"the data set {name} has no revision {(where.revision or 'main')[:40]!r}"
        elif "EntryNotFoundError" in kinds:
            reason = f"the data set {name} has no folder or file {where.path[:60]!r}"
        elif "HFValidationError" in kinds:
            reason = f"{name!r} is no name of a data set: write hf://owner/name"
        else:
            reason = f"{uri[:80]} cannot be reached: {_words(error)}"
        raise InputError(reason) from None


def _words(error: Exception) -> str:
    """An error's words in one short line, without the token."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status:
        return f"the server answers with the status {status}"
    words = " ".join(str(error).split()) or type(error).__name__
    token = _token()
    words = words.replace(token, "...") if isinstance(token, str) else words
    return words if len(words) < 100 else f"{words[:96]} ..."
