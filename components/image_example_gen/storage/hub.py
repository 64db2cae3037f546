"""Read data sets of the Hugging Face Hub through huggingface_hub: hf://owner/name, optionally with @revision and a folder.

Files are read over the web in blocks on demand; none is stored. A token comes only from the environment
(HF_TOKEN), and is never written anywhere. Scripts of a data set are never run.
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
from components.image_example_gen.storage.streams import Readable

SCHEME = "hf://"
_URI = re.compile(r"hf://(?:datasets/)?([^/@]+(?:/[^/@]+)?)(?:@(refs/[^/]+/[^/]+|[^/]+))?(?:/(.*))?")
_OTHERS = re.compile(r"hf://(models|spaces|buckets)/")
_PASSED_OVER = ("README.md", ".gitattributes", "dataset_infos.json", "LICENSE", "LICENSE.md")  # in the top folder
_BLOCK, _BLOCKS = 4 << 20, 6  # bytes per request, and number of cached blocks: several columns are read alternately
_TIMEOUT_SECONDS = 30
_TRIES = 3
_MAX_NAME = 2 * 96 + 1  # characters of owner/name
_REASONS = {  # by the Hub's errors, the special ones first
    "GatedRepoError": "the data set {name} is gated: accept its terms on its page on the Hub, and set HF_TOKEN",
    "RepositoryNotFoundError": (
        "there is no data set {name} on the Hugging Face Hub, or it is private: check the name, or set HF_TOKEN"
    ),
    "RevisionNotFoundError": "the data set {name} has no revision {revision!r}",
    "EntryNotFoundError": "the data set {name} has no folder or file {path!r}",
    "HFValidationError": "{name!r} is no name of a data set: write hf://owner/name",
}


@dataclass(frozen=True)
class HubPath:
    """The parts of a URI."""

    repository: str  # the data set: owner/name
    revision: str | None  # a branch, a tag or a commit; None for the newest state
    path: str  # path of a file or a folder in it; '' for all of it

    @classmethod
    def parse(cls, uri: str) -> HubPath:
        """Split a URI into its parts. Raise InputError if it does not name a data set."""
        if _OTHERS.match(uri):
            raise InputError(f"{uri[:80]}: only data sets are read from the Hugging Face Hub: hf://owner/name")
        match = _URI.fullmatch(uri)
        if match is None:
            raise InputError(f"{uri[:80]} names no data set: write hf://owner/name, or hf://owner/name@revision/folder")
        repository, revision, path = match.groups()
        if len(repository) > _MAX_NAME:
            raise InputError(f"{repository[:40]!r}... is no name of a data set: write hf://owner/name")
        return cls(repository, unquote(revision) if revision else None, (path or "").strip("/"))


class HubFile(Readable):
    """A file of a data set, read by ranges. Raise OSError if it cannot be reached."""

    def __init__(self, uri: str):
        self.uri, self.place, self.size = uri, 0, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._block(0)  # also sets the size

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

    def _read(self, limit: int) -> bytes:
        number, begin = divmod(self.place, _BLOCK)
        piece = self._block(number)[begin : begin + limit] if self.place < self.size else b""
        self.place += len(piece)
        return piece

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
    """Open a file for random access. Raise OSError if the file cannot be reached."""
    return io.BufferedReader(HubFile(uri), 1 << 16)


def list_hub(folder: str) -> Iterator[tuple[str, int, float]]:
    """Yield the URI and the size in bytes of each file below a folder, and a number that changes with its content.

    Raise InputError if there is no such data set, revision or folder, or it cannot be reached.
    """
    root, top = folder.rstrip("/"), HubPath.parse(folder)
    with _one_line_errors(folder):
        api = _api()
        entries = api.list_repo_tree(top.repository, top.path or None, recursive=True, revision=top.revision, repo_type="dataset")
        for entry in entries:
            if hasattr(entry, "blob_id") and entry.path not in _PASSED_OVER:
                path = entry.path[len(top.path) + 1 :] if top.path else entry.path
                yield f"{root}/{path}", entry.size, _as_time(entry.blob_id)


def stat_hub(uri: str) -> tuple[int, float]:
    """Return a file's size in bytes, and a number that changes with its content. Raise InputError if it cannot be reached."""
    result = _info(uri)
    if result is None:
        raise InputError(f"there is no file {uri}")
    return result.size, _as_time(result.blob_id)


def is_hub_file(uri: str) -> bool:
    """Return whether a file exists. Raise InputError if there is no such data set, or it cannot be reached."""
    return _info(uri) is not None


def _info(uri: str) -> Any:
    where = HubPath.parse(uri)
    if not where.path:
        return None
    with _one_line_errors(uri):
        result = _api().get_paths_info(where.repository, [where.path], revision=where.revision, repo_type="dataset")
    return next((entry for entry in result if hasattr(entry, "blob_id")), None)


def _as_time(blob: str) -> float:
    """Return a time in seconds derived from the hash of a file's content, small enough for 64 bits in nanoseconds."""
    return int(blob[:16], 16) % (1 << 33)


def _fetch(uri: str, begin: int) -> tuple[bytes, int]:
    """Return a block of a file, and the size of the file."""
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
    except Exception as error:  # errors of the Hub, and of two HTTP libraries
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == 404:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri) from error
        if status in (401, 403):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), uri) from error
        raise OSError(_error_text(error)) from error
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    return answer.content, int(total) if total.isdigit() else len(answer.content)


def _endpoint() -> str | None:
    """Return the address of a mirror of the Hub, if the environment names one."""
    return os.environ.get("HF_ENDPOINT") or None


def _token() -> str | bool:
    """Return the environment's token, else False: the user's saved token is not used."""
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
def _one_line_errors(uri: str) -> Iterator[None]:
    """Convert the Hub's errors to one-line messages."""
    where = HubPath.parse(uri)
    try:
        yield
    except (InputError, GeneratorExit):
        raise
    except Exception as error:  # errors of the Hub, and of two HTTP libraries
        kinds = {kind.__name__ for kind in type(error).__mro__}
        reason = next((reason for kind, reason in _REASONS.items() if kind in kinds), "{uri} cannot be reached: {error}")
        names = {"name": where.repository[:80], "revision": (where.revision or "main")[:40], "path": where.path[:60]}
        raise InputError(reason.format(uri=uri[:80], error=_error_text(error), **names)) from None


def _error_text(error: Exception) -> str:
    """Return an error's message in one short line, without the token."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status:
        return f"the server answers with the status {status}"
    text = " ".join(str(error).split()) or type(error).__name__
    token = _token()
    text = text.replace(token, "...") if isinstance(token, str) else text
    return text if len(text) < 100 else f"{text[:96]} ..."
