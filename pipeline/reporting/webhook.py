"""Post a verdict to a webhook. The address is a secret: no message of this module contains any part of it."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import asdict
from typing import Any

from pipeline.config.env import filled
from pipeline.config.notify import NotifyConfig, allowed
from pipeline.reporting.timeout import within
from pipeline.verdict.verdict import Verdict

SECONDS = 30


class NotPosted(RuntimeError):
    """A verdict was not posted; the message is the reason."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the verdict is sent only to the configured host."""

    def redirect_request(self, *_: Any) -> None: ...


def post(address: str, verdict: Verdict, seconds: float = SECONDS) -> None:
    """Post a verdict as JSON.

    Args:
        address: http:// or https://; certificates are verified with the system's trusted ones.
        verdict: The verdict.
        seconds: The total time limit.

    Raises:
        NotPosted: The verdict did not arrive, as far as is known.
    """
    if not address.startswith(("https://", "http://")):
        raise NotPosted("the address is neither https:// nor http://")
    body = json.dumps(asdict(verdict)).encode()

    def send() -> None:
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method="POST")
        with urllib.request.build_opener(_Stay).open(request, timeout=seconds):
            pass

    try:
        within(seconds, send)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotPosted(_reason(error, seconds)) from None


def post_verdict(config: NotifyConfig, verdict: Verdict) -> None:
    """Post the verdict to the configured address, or raise NotPosted, or InputError if a variable of the address is not set."""
    address = filled(config.webhook or "", "notify.webhook")
    if not allowed(address):
        raise NotPosted("with its variables it is no https:// address; http:// is for localhost alone")
    post(address, verdict)


def _reason(error: Exception, seconds: float) -> str:
    """Return the reason without the exception's own text, which may contain the address or text from the server."""
    if isinstance(error, urllib.error.HTTPError):
        phrase = http.client.responses.get(error.code, "")
        redirect = ", a redirect, which is not followed" if 300 <= error.code < 400 else ""
        return f"the answer was {error.code} {phrase}".rstrip() + redirect
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, TimeoutError):
        return f"no answer within {seconds:g} seconds"
    return getattr(cause, "strerror", None) or type(cause).__name__
