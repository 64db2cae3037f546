"""The configuration section `notify`: who is notified of how a run ended."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Outcome = Literal["pushed", "refused", "failed", "invalid"]
_LOCAL = ("localhost", "127.0.0.1")
# Variables alone, or after scheme and host: no other part that could be a secret.
_HARMLESS = re.compile(r"(https?://[^/@?#]+)?(/?\$\{\w+\})+")


@dataclass(frozen=True)
class NotifyConfig:
    """Who is notified of how a run ended. An interrupted run notifies nobody, because a person interrupted it.

    Attributes:
        command: A program and its arguments, as a list or as one string that is split like in a shell; no shell runs it. It reads
            the verdict as JSON from standard input, and has DARKROOM_OUTCOME and DARKROOM_RUN in its environment.
        webhook: The address that the verdict is posted to as JSON: https://, or http:// on this machine. `${NAME}` is taken from
            the environment when it is posted. The address is a secret: everyone who knows it can post to it. See
            docs/operations.md.
        on: The outcomes that are notified of.
    """

    command: str | tuple[str, ...] | None = None
    webhook: str | None = field(default=None, repr=False)
    on: tuple[Outcome, ...] = ("pushed", "refused", "failed", "invalid")

    def __post_init__(self) -> None:
        """Check values that would otherwise fail only at the end of a run: raise ValueError, whose message has no address."""
        try:
            empty = self.command is not None and not any(self.words)
        except ValueError as error:
            raise ValueError(f"notify.command is not what a shell could split into words: {str(error).lower()}") from None
        if empty:
            raise ValueError("notify.command has no words; null runs nothing")
        if self.webhook is not None and not self.webhook.startswith("${") and not allowed(self.webhook):
            raise ValueError("notify.webhook must be https://host/path without a user or password; http:// is for localhost alone")

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the command; empty if there is no command."""
        if isinstance(self.command, str):
            return tuple(shlex.split(self.command))
        return self.command or ()

    @property
    def written_webhook(self) -> str | None:
        """The address in a form that may be written to files.

        It is complete if all parts after the host are variable references. Otherwise only scheme and host are kept.
        """
        if self.webhook is None or is_writable(self.webhook):
            return self.webhook
        if self.webhook.startswith("${"):  # the host is a variable, and the rest may be a secret
            return self.webhook[: self.webhook.index("}") + 1]
        parts = urlsplit(self.webhook)
        return f"{parts.scheme}://{parts.netloc}"


def is_writable(address: str) -> bool:
    """Return True if an address may be written in full: after the host it is empty, or contains only variable references."""
    return re.fullmatch(r"https?://[^/@?#]+/?", address) is not None or _HARMLESS.fullmatch(address) is not None


def allowed(address: str) -> bool:
    """Return True if the verdict may be posted to an address, so that nobody can read it in transit."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or re.search(r"\s", address):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
