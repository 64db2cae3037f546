"""Serve the explorer on this machine, with what needs the whole model: the code and the score of one's own pictures."""

from __future__ import annotations

import base64
import hmac
import io
import ipaddress
import json
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np

from common.errors import InputError, one_line
from serving.c_api import TensorFlowError
from serving.explorer.page import render_again
from serving.grids import to_image
from serving.pictures import as_seen
from serving.pushed import PushedModel

MAX_BYTES = 20_000_000  # of a picture file
TOKEN_HEADER = "X-Darkroom-Token"
_SECONDS = 30  # without a byte of a request


@dataclass
class ExplorerServer:
    """The explorer of a model.

    Attributes:
        model: The model, which answers one request at a time.
        page: The page, from `page_of`.
        host: The address to listen on.
        port: The port, 0 for a free one.
        token: What every request must have; '' for none, which only a loopback address allows.

    Raises:
        InputError: Another address than a loopback one has no token, or the address or port cannot be used.
    """

    model: PushedModel
    page: str
    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if not self.local and not self.token:
            raise InputError(f"--host {self.host} is reachable for others: choose a --token, without which nobody is answered")
        try:
            self.content = render_again(self.page, api={"limit": MAX_BYTES}).encode()
        except ValueError:
            raise InputError(
                f"the decoder of {self.model.path} is too large for a page: use `darkroom generate` and `reconstruct`"
            ) from None
        try:
            self._server = ThreadingHTTPServer((self.host, self.port), type("Handler", (_Handler,), {"explorer": self}))
        except (OSError, OverflowError) as error:
            raise InputError(f"cannot listen on {self.host}, port {self.port}: {one_line(error)}; choose another --port") from None
        self.port = self._server.server_port

    @property
    def local(self) -> bool:
        """Return whether only this machine can reach the address."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def address(self) -> str:
        """Return the page's address, with the token."""
        return f"http://{self.host}:{self.port}/{f'?token={quote(self.token)}' if self.token else ''}"

    def run(self) -> None:
        """Answer requests until `stop`, or an exception such as KeyboardInterrupt."""
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._server.server_close()

    def stop(self) -> None:
        """End `run`, which is called in another thread."""
        self._server.shutdown()

    def allows(self, host: str, origin: str, token: str) -> bool:
        """Return whether a request is answered. A page of another site may reach 127.0.0.1, but under its own name or origin."""
        if self.local and host not in {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]", self.host)}:
            return False
        if origin and origin != f"http://{host}":
            return False
        return not self.token or hmac.compare_digest(token.encode(), self.token.encode())

    def describe(self, content: bytes) -> dict[str, Any]:
        """Return what the model finds in a picture file.

        Returns:
            `original` and `reconstruction` as data URIs of PNG files; the `code`; its `label` if the model is conditional, else None;
            `elbo`, `reconstruction_term` and `kl` in nats; and `unusual`, the share of held-out pictures with a higher ELBO, None for models
            that do not record it.

        Raises:
            InputError: The file is no picture that can be read.
        """
        model = self.model
        try:
            with self.lock:
                coded = model.ask("encode_label" if model.offers("encode_label") else "encode", content)
                rebuilt = model.ask("reconstruct", content)["images"][0]
                score = {name: float(value[0]) for name, value in model.ask("score", content).items()}
        except InputError as error:
            raise InputError(f"This file cannot be read as a picture: {error}.") from None
        except TensorFlowError as error:
            raise InputError(f"The model cannot answer: {one_line(error)}.") from None
        seen = as_seen(content, model.image_shape, model.about.get("preprocessing", {}), model.options)
        return {
            "original": _uri(seen),
            "reconstruction": _uri(rebuilt),
            "code": [float(value) for value in coded["mean"][0]],
            "label": coded["label"][0].decode() if "label" in coded else None,
            "elbo": score["elbo"],
            "reconstruction_term": score["reconstruction"],
            "kl": score["kl"],
            "unusual": unusual(score["elbo"], model.about.get("held_out_elbo")),
        }


def unusual(elbo: float, quantiles: list[float] | None) -> float | None:
    """Return the share of held-out pictures with a higher ELBO than a picture's, from evenly spaced quantiles; None without them.

    Example:
        >>> unusual(-30.0, [-40.0, -20.0, -10.0])
        0.75
    """
    if not quantiles:
        return None
    return float(1.0 - np.interp(elbo, quantiles, np.linspace(0.0, 1.0, len(quantiles))))


def _uri(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    to_image(picture).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


class _Handler(BaseHTTPRequestHandler):
    explorer: ExplorerServer
    timeout = _SECONDS
    server_version, sys_version = "darkroom", ""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        token = parse_qs(url.query).get("token", [""])[0]
        if not self._allowed(token):
            self._send(HTTPStatus.FORBIDDEN, b"This address needs its token.", "text/plain; charset=utf-8")
        elif url.path != "/":
            self._send(HTTPStatus.NOT_FOUND, b"There is only one page: /", "text/plain; charset=utf-8")
        else:
            self._send(HTTPStatus.OK, self.explorer.content, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        if not self._allowed(self.headers.get(TOKEN_HEADER, "")):
            return self._refuse(HTTPStatus.FORBIDDEN, "This address needs its token.")
        if urlsplit(self.path).path != "/picture":
            return self._refuse(HTTPStatus.NOT_FOUND, "Pictures go to /picture.")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or not int(length):
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "The picture is empty.")
        if int(length) > MAX_BYTES:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A picture has at most {MAX_BYTES // 1_000_000} MB.")
        content = self.rfile.read(int(length))
        if len(content) < int(length):
            return self._refuse(HTTPStatus.BAD_REQUEST, "The picture was cut short.")
        try:
            answer = self.explorer.describe(content)
        except InputError as error:
            return self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        return self._send(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")

    def _allowed(self, token: str) -> bool:
        return self.explorer.allows(self.headers.get("Host", ""), self.headers.get("Origin", ""), token)

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        self.close_connection = True  # the rest of the request is not read
        self._send(status, json.dumps({"error": sentence}).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
