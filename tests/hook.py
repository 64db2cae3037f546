"""A server that verdicts are posted to, on this machine."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Hook:
    """What it answers and what came.

    Attributes:
        status: The answer.
        headers: Its headers.
        silent: It never answers.
        received: Method, path, content type and the decoded JSON of each request.
        address: Where it listens, without a path.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    received: list[tuple[str, str, str | None, Any]] = field(default_factory=list)
    address: str = ""


@contextmanager
def hook(tls: ssl.SSLContext | None = None, **how: Any) -> Iterator[Hook]:
    """Serves for as long as it lasts."""
    served, ended = Hook(**how), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            served.received.append((self.command, self.path, self.headers["Content-Type"], json.loads(body) if body else None))
            if served.silent:
                ended.wait(60)
            self.send_response(served.status, f"echo of {self.path}")
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_POST = do_GET = answer

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # a client that hangs up is what some tests are about
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        served.address = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield served
        finally:
            ended.set()
            server.shutdown()
