"""What a person may set about being told how a run ended."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Outcome = Literal["pushed", "refused", "failed", "invalid"]
_LOCAL = ("localhost", "127.0.0.1")
# A variable alone, or behind scheme and host: nothing else that could be a secret.
_HARMLESS = re.compile(r"(https?://[^/@?#]+)?(/?\$\{\w+\})+")


@dataclass(frozen=True)
class NotifyConfig:
    """Who is told how a run ended. An interrupted run tells nobody: a person is there.

    Attributes:
        command: A program and its arguments, as a list or as a shell would split them; no shell runs it. It reads the verdict
            as JSON from its standard input and has DARKROOM_OUTCOME and DARKROOM_RUN in its environment.
        webhook: An address that the verdict is posted to as JSON: https://, or http:// on this machine. `${NAME}` is taken from
            the environment when it is posted. It is a secret: such addresses let anyone post who knows them.
        on: After which outcomes.
    """

    command: str | tuple[str, ...] | None = None
    webhook: str | None = field(default=None, repr=False)
    on: tuple[Outcome, ...] = ("pushed", "refused", "failed", "invalid")

    def __post_init__(self) -> None:
        """Checks what would only show at night.

        Raises:
            ValueError: The command has no words, or the address is of no use; in a person's words, without the address.
        """
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
        """The command's words; none where there is none."""
        if isinstance(self.command, str):
            return tuple(shlex.split(self.command))
        return self.command or ()

    @property
    def written_webhook(self) -> str | None:
        """The address as it may be written down: scheme and host, and the rest only where all of it is variables' names."""
        if self.webhook is None or is_writable(self.webhook):
            return self.webhook
        if self.webhook.startswith("${"):  # a variable for the host, and what follows may be a secret
            return self.webhook[: self.webhook.index("}") + 1]
        parts = urlsplit(self.webhook)
        return f"{parts.scheme}://{parts.netloc}"


def is_writable(address: str) -> bool:
    """Whether an address may be written down whole: all after the host is variables' names, or there is nothing after it."""
    return re.fullmatch(r"https?://[^/@?#]+/?", address) is not None or _HARMLESS.fullmatch(address) is not None


def allowed(address: str) -> bool:
    """Whether the verdict may be posted to an address: nobody on the way reads it."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or re.search(r"\s", address):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
