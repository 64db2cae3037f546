"""A stand-in for the Hugging Face Hub, as far as models are uploaded: repositories, listings and commits, with a token."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.http import Handler, served

TOKEN = "hf_not_a_real_token_0123456789"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class ModelHub:
    """What the stand-in holds.

    Attributes:
        owner: The only one whose repositories the token may write.
        repositories: Files by path, by repository.
        visibility: `public` or `private`, by repository.
        messages: Summaries of all commits.
        cards: Cards that were given for validation.
        requests: Requests as method and path.
        down: Whether every request is answered by an error of the server.
    """

    owner: str = "ada"
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    visibility: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    down: bool = False


class _Handler(Handler):
    hub: ModelHub

    def answer(self, body: bytes) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        if self.hub.down:
            return self._send(500, {"error": "down"})
        if self.path == "/api/validate-yaml":
            self.hub.cards.append(json.loads(body)["content"])
            return self._send(200, {"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            return self._create(json.loads(body))
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(tree|preupload|commit)/main(?:\?.*)?", self.path)
        if match is None or match[1] not in self.hub.repositories:
            return self._send(404, {"error": "Repository not found"}, "RepoNotFound")
        files, action = self.hub.repositories[match[1]], match[2]
        if action == "tree":
            return self._send(
                200, [{"type": "file", "oid": "0" * 40, "size": len(data), "path": path} for path, data in files.items()]
            )
        if action == "preupload":  # everything in the commit itself, as the Hub takes small files
            return self._send(
                200,
                {
                    "files": [
                        {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in json.loads(body)["files"]
                    ]
                },
            )
        return self._commit(match[1], files, [json.loads(line) for line in body.splitlines()])

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted.get('organization') or self.hub.owner}/{wanted['name']}"
        if not name.startswith(f"{self.hub.owner}/"):
            return self._send(403, {"error": "You don't have the rights"})
        address = {"url": f"http://{self.headers['Host']}/{name}"}
        if name in self.hub.repositories:
            return self._send(409, {"error": "You already created this model repo", **address})
        private = wanted.get("private") or wanted.get("visibility") == "private"
        self.hub.repositories[name], self.hub.visibility[name] = {}, "private" if private else "public"
        return self._send(200, address)

    def _commit(self, name: str, files: dict[str, bytes], operations: list[dict[str, Any]]) -> None:
        for operation in operations:
            key, value = operation["key"], operation["value"]
            if key == "header":
                self.hub.messages.append(value["summary"])
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "deletedFile":
                del files[value["path"]]
        address = f"http://{self.headers['Host']}/{name}/commit/{COMMIT}"
        self._send(200, {"success": True, "commitOid": COMMIT, "commitUrl": address})

    def _send(self, status: int, answer: Any, error: str = "") -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        if error:
            self.send_header("X-Error-Code", error)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def model_hub_server() -> Iterator[tuple[ModelHub, str]]:
    """Serve an empty Hub; gives what it holds, and its address."""
    hub = ModelHub()
    with served(_Handler, hub=hub) as address:
        yield hub, address
