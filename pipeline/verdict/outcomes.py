"""The outcomes of the components of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

State = Literal["done", "cached", "failed"]


@dataclass(frozen=True)
class Output:
    """An output artifact of a component."""

    uri: str  # its URI
    properties: dict[str, Any]  # its properties, including custom ones


@dataclass(frozen=True)
class NodeOutcome:
    """The outcome of a component."""

    name: str  # the component's id
    state: State  # `done`, `cached` or `failed`
    seconds: float  # its duration in seconds
    outputs: dict[str, Output] = field(default_factory=dict)  # its artifacts by key
    error: BaseException | None = None  # the exception if it failed


class Observer(Protocol):
    """Receives the events of a run."""

    def started(self, name: str) -> None:
        """Handle the start of a component."""

    def finished(self, outcome: NodeOutcome) -> None:
        """Handle the end of a component, successful or not."""
