"""What came of each component of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

State = Literal["done", "cached", "failed"]


@dataclass(frozen=True)
class Output:
    """An artifact that a component gave.

    Attributes:
        uri: Where it is.
        properties: Its properties, custom ones included.
    """

    uri: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class NodeOutcome:
    """What came of a component.

    Attributes:
        name: The component's id.
        state: `done`, `cached` or `failed`.
        seconds: How long it took.
        outputs: Its artifacts by key.
        error: Why it failed.
    """

    name: str
    state: State
    seconds: float
    outputs: dict[str, Output] = field(default_factory=dict)
    error: BaseException | None = None


class Observer(Protocol):
    """Is told what happens."""

    def started(self, name: str) -> None:
        """A component starts."""

    def finished(self, outcome: NodeOutcome) -> None:
        """A component has ended, one way or another."""
