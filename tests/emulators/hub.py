"""A stand-in for the Hugging Face Hub, as far as data sets are listed and read: its routes, pages, ranges and errors."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.emulators.http import Handler, served

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_not_a_real_token_0123456789"
_PAGE = 7  # entries of a page of a listing; the Hub has 1,000


@dataclass
class Hub:
    """What the stand-in serves.

    Attributes:
        root: The folder with the data sets: owner/name/files.
        gated: Data sets that need a token.
        revisions: What counts as a revision.
        requests: The requests that came, as method, path and range.
        down: Whether every request is answered by an error of the server.
    """

    root: Path
    gated: frozenset[str] = frozenset({"owner/gated"})
    revisions: frozenset[str] = frozenset({"main", "v1", "refs/convert/parquet", COMMIT})
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    down: bool = False


class _Handler(Handler):
    hub: Hub

    def answer(self, body: bytes) -> None:
        url = urlsplit(self.path)
        self.hub.requests.append((self.command, url.path, self.headers.get("Range", "")))
        match = re.fullmatch(r"/(api/)?datasets/([^/]+/[^/]+)/(tree|paths-info|resolve)/([^/]+)(?:/(.*))?", url.path)
        if match is None or self.hub.down:
            return self._send(500, b"", error="ServerError")
        _, name, action, revision, path = match.groups()
        if not (self.hub.root / name).is_dir():
            return self._send(401, b"", error="RepoNotFound")
        if name in self.hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(403, b"", error="GatedRepo")
        if unquote(revision) not in self.hub.revisions:
            return self._send(404, b"", error="RevisionNotFound")
        if action == "resolve":
            return self._resolve(self.hub.root / name / unquote(path))
        if action == "paths-info":
            paths = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
            entries = [self._entry(name, self.hub.root / name / each) for each in paths if (self.hub.root / name / each).exists()]
            return self._send(200, json.dumps(entries).encode())
        return self._tree(name, unquote(path or ""), int(parse_qs(url.query).get("cursor", ["0"])[0]))

    def _tree(self, name: str, path: str, cursor: int) -> None:
        top = self.hub.root / name / path
        if not top.is_dir():
            return self._send(404, b"", error="EntryNotFound")
        entries = [self._entry(name, each) for each in sorted(top.rglob("*"))]
        behind = cursor + _PAGE
        host = self.headers["Host"]
        link = f'<http://{host}{quote(urlsplit(self.path).path)}?recursive=True&cursor={behind}>; rel="next"'
        self._send(200, json.dumps(entries[cursor:behind]).encode(), **({"Link": link} if behind < len(entries) else {}))

    def _entry(self, name: str, path: Path) -> dict:
        there = path.relative_to(self.hub.root / name).as_posix()
        if path.is_dir():
            return {"type": "directory", "oid": "0" * 40, "size": 0, "path": there}
        return {"type": "file", "oid": hashlib.sha1(path.read_bytes()).hexdigest(), "size": path.stat().st_size, "path": there}

    def _resolve(self, path: Path) -> None:
        if not path.is_file():
            return self._send(404, b"", error="EntryNotFound")
        data = path.read_bytes()
        begin, end = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        if begin >= len(data):
            return self._send(416, b"", **{"Content-Range": f"bytes */{len(data)}"})
        piece = data[begin : end + 1]
        self._send(206, piece, **{"Content-Range": f"bytes {begin}-{begin + len(piece) - 1}/{len(data)}", "ETag": '"x"'})

    def _send(self, status: int, data: bytes, error: str = "", **headers: str) -> None:
        self.send_response(status)
        if error:
            headers |= {"X-Error-Code": error, "X-Error-Message": f"{error} was said"}
        for name, value in {"Content-Length": str(len(data)), "X-Repo-Commit": COMMIT, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def hub_server(root: Path) -> Iterator[tuple[Hub, dict[str, str]]]:
    """Serve data sets; gives what is served, and the environment that leads there."""
    hub = Hub(root)
    with served(_Handler, hub=hub) as address:
        yield hub, {"HF_ENDPOINT": address}
