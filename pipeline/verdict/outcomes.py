"""The outcomes of the components of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

State = Literal["done", "cached", "failed"]


@dataclass(frozen=True)
class Output:
    """An output artifact of a component.

    Attributes:
        uri: Its URI.
        properties: Its properties, including custom ones.
    """

    uri: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class NodeOutcome:
    """The outcome of a component.

    Attributes:
        name: The component's id.
        state: `done`, `cached` or `failed`.
        seconds: Its duration in seconds.
        outputs: Its artifacts by key.
        error: The exception if it failed.
    """

    name: str
    state: State
    seconds: float
    outputs: dict[str, Output] = field(default_factory=dict)
    error: BaseException | None = None


class Observer(Protocol):
    """Receives the events of a run."""

    def started(self, name: str) -> None:
        """Handle the start of a component."""

    def finished(self, outcome: NodeOutcome) -> None:
        """Handle the end of a component, successful or not."""
