"""Retries by Argo Workflows 4.0's rules, on a clock that tests can set.

Kubeflow Pipelines 2.17 makes a retryStrategy of a task's retryPolicy (backend/src/v2/compiler/argocompiler/container.go,
getTaskRetryParametersWithValues): the whole seconds of each duration, and "0" for what the policy leaves out. It names no phases
that are tried again. As it is installed, the workflow controller's configuration does (manifests/kustomize/third-party/argo/base/
workflow-controller-configmap-patch.yaml): a limit of 2 and the policy OnError are laid below each template, those of graphs too
(Argo's workflow/controller/operator.go, mergedTemplateDefaultsInto). So lost pods are tried again, and failed ones are not.
Where the controller has another configuration, Argo's own default holds, OnFailure (RetryPolicyActual), which is the reverse.
What Argo does with it all is in operator.go, processNodeRetries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tests.kubeflow.emulator.values import number_text

Result = TypeVar("Result")
Phased = TypeVar("Phased", bound="tuple[str, Any]")


class Clock:
    """A clock that goes only when it is told to; the cluster adds what its pods have really taken."""

    def __init__(self) -> None:
        self.now = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass(frozen=True)
class Try(Generic[Result]):
    """A pod's end.

    Attributes:
        phase: Succeeded, Failed, or Error if the pod is gone.
        result: What came of it.
    """

    phase: str
    result: Result


@dataclass(frozen=True)
class Defaults:
    """What the workflow controller's configuration lays below the retryStrategy of each template.

    Attributes:
        limit: How many tries may follow the first; 0 is no strategy at all.
        policy: The phases that are tried again: OnError, OnFailure or Always.
    """

    limit: int = 2
    policy: str = "OnError"

    def again(self, phase: str) -> bool:
        """Whether a pod or a graph that has ended so is tried again."""
        return {"Failed": self.policy in ("OnFailure", "Always"), "Error": self.policy in ("OnError", "Always")}.get(phase, False)


INSTALLED = Defaults()
ARGOS_OWN = Defaults(0, "OnFailure")


@dataclass(frozen=True)
class Backoff:
    """Pauses between tries, as 2.17 writes them.

    Attributes:
        duration: Seconds before the second try.
        factor: What each further pause is multiplied by, as Argo reads it: a whole number, else an error.
        max_duration: Seconds after the first try's start in which all must end.
    """

    duration: int
    factor: str
    max_duration: int


@dataclass(frozen=True)
class Strategy:
    """Argo's retryStrategy.

    Attributes:
        limit: How many tries may follow the first.
        defaults: The controller's defaults, of which the policy is.
        backoff: None for no pauses and no end.
    """

    limit: int
    defaults: Defaults
    backoff: Backoff | None = None

    @classmethod
    def of_task(cls, task: dict[str, Any], defaults: Defaults) -> Strategy:
        """Return the strategy of a task's pods."""
        if "retryPolicy" not in task:
            return cls(defaults.limit, defaults)
        policy = task["retryPolicy"]
        backoff = Backoff(
            duration=seconds_of(policy.get("backoffDuration", "0s")),
            factor=number_text(policy.get("backoffFactor", 0)),
            max_duration=seconds_of(policy.get("backoffMaxDuration", "0s")),
        )
        return cls(int(policy.get("maxRetryCount", 0)), defaults, backoff)


def seconds_of(duration: str) -> int:
    """Return the whole seconds of protobuf's text for a duration, such as 60s or 1.5s."""
    match = re.fullmatch(r"(-?\d+)(\.\d+)?s", str(duration))
    assert match, f"not a duration: {duration!r}; protobuf writes seconds, such as 90s"
    return int(match[1])


def with_retries(
    strategy: Strategy, clock: Clock, attempt: Callable[[int, float | None], Try[Result]]
) -> tuple[list[Try[Result]], str]:
    """Run a pod, and again as the strategy says.

    Args:
        strategy: What says so.
        clock: What says how late it is.
        attempt: Runs the pod of a number; its second argument is the time at which Argo has it killed, None for never.

    Returns:
        All tries, and why there were no more ("" if the last one succeeded).
    """
    backoff, started = strategy.backoff, clock.now
    deadline = started + backoff.max_duration if backoff else None
    tries = [attempt(0, None)]
    while tries[-1].phase != "Succeeded":
        last = len(tries) > strategy.limit
        if backoff and deadline is not None:
            if clock.now > deadline or not backoff.max_duration:  # the controller looks later than the pod has started
                return tries, "Max duration limit exceeded"
            if not re.fullmatch(r"[+-]?\d+", backoff.factor):
                return tries, f"value '{backoff.factor}' cannot be resolved to an int"
            factor = int(backoff.factor)
            pause = backoff.duration * (factor ** (len(tries) - 1) if factor > 0 else 1)
            if clock.now + pause > deadline:
                return tries, "Backoff would exceed max duration limit"
            clock.advance(0 if last else pause)
        if not strategy.defaults.again(tries[-1].phase):
            return tries, f"the policy {strategy.defaults.policy} retries no pod in phase {tries[-1].phase}"
        if last:
            return tries, "No more retries left"
        tries.append(attempt(len(tries), deadline))
    return tries, ""


def with_defaults(defaults: Defaults, run: Callable[[], Phased]) -> Phased:
    """Run a graph, and again as the controller's defaults say, which hold for templates of graphs too.

    Args:
        defaults: The controller's defaults.
        run: Runs it; the first of what it gives is the phase.
    """
    done = run()
    for _ in range(defaults.limit):
        if not defaults.again(done[0]):
            break
        done = run()
    return done
