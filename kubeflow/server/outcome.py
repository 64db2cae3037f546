"""How a run on a server came out: by the verdict that it has left in its registry, else by its state and the steps that failed.

The state alone does not do: since Kubeflow Pipelines 2.4 an exit handler decides nothing, and a server tells no refusal from a fault.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.quiet import hushed
from components.baselines import store
from kubeflow.compile.packages import Package
from kubeflow.server.submission import Ending
from pipeline.reporting.timeout import within
from pipeline.verdict.status import Status, in_one_line

RUNS, VERDICT = "runs", "verdict.json"  # where `kubeflow.container.records` leaves it, whose imports take many seconds
SECONDS = 60.0  # to read a verdict: a store that is not reached from here may never say so
GATES = ("DataGate", "Verdict")  # the steps that fail where a gate refuses


class NotRead(Exception):
    """The verdict cannot be read from here, or there is none."""


@dataclass(frozen=True)
class Outcome:
    """How a run came out.

    Attributes:
        status: What `darkroom submit --wait` ends with.
        why: The reasons where that is not 0; else ''.
        place: Where the verdict was read; '' where it was not.
        note: Why it was not; '' where it was, and where the pipeline leaves none.
    """

    status: Status
    why: str = ""
    place: str = ""
    note: str = ""


def outcome_of(ending: Ending, package: Package, run_id: str, seconds: float = SECONDS) -> Outcome:
    """Read the verdict of a run that has ended, and say how it came out.

    Args:
        ending: The run's state, and which of its tasks failed.
        package: What was run.
        run_id: The server's id of the run, by which the driver names the run's folder, and the steps their records.
        seconds: How long reading may take.

    Returns:
        What the verdict says. Without one, a run whose gates alone failed counts as refused, any other by its state.
    """
    if not package.registry:
        return _by_state(ending, package, "")
    place = f"{package.registry}/{RUNS}/{run_id}/{VERDICT}"
    try:
        verdict = read_verdict(place, seconds)
    except NotRead as reason:
        return _by_state(ending, package, str(reason))
    return _by_verdict(verdict, place, ending, package)


def read_verdict(place: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Read a verdict, with this machine's own credentials.

    Args:
        place: Its path or URI.
        seconds: How long that may take.

    Raises:
        NotRead: It is not there, the store cannot be reached from here, or it is no verdict.
    """
    found: list[bytes] = []
    registry = place.rsplit("/", 3)[0]
    if not store.is_uri(place) and not Path(registry).is_dir():
        raise NotRead(f"{registry} is no folder of this machine")
    try:
        with hushed():  # the stores' clients warn at their import
            within(seconds, lambda: found.append(store.read(place)))
        verdict = json.loads(found[0])
        Status(verdict["status"])
    except FileNotFoundError:
        raise NotRead(f"there is none, {place}") from None
    except TimeoutError:
        raise NotRead(f"{registry} has not answered within {seconds:g} seconds") from None
    except InputError as error:  # no credentials, no bucket, nobody there
        raise NotRead(str(error)) from None
    except (ValueError, KeyError, TypeError):
        raise NotRead(f"{place} is none that this version knows") from None
    except Exception as error:  # each store has its own
        raise NotRead(f"{registry}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from None
    return verdict


def _by_verdict(verdict: dict[str, Any], place: str, ending: Ending, package: Package) -> Outcome:
    status = Status(verdict["status"])
    if status is not Status.PUSHED:
        gate = f"{verdict['gate']} gate: " if verdict.get("gate") else ""
        reasons = "; ".join(map(str, verdict.get("reasons") or ("it does not say why",)))
        return Outcome(status, f"{gate}{reasons} (see {place})", place=place)
    if ending.well:
        return Outcome(status, place=place)
    return Outcome(Status.FAULT, f"{_ended(ending, package)}, though {place} says pushed", place=place)


def _by_state(ending: Ending, package: Package, note: str) -> Outcome:
    note = in_one_line(f"cannot be read from here, so the run's state decides: {note}", 190) if note else ""
    if ending.well:
        return Outcome(Status.PUSHED, note=note)
    failed = _failed_steps(ending, package)
    if package.registry and failed and set(failed) <= set(GATES):
        return Outcome(Status.REFUSED, f"the step {failed[0]} failed, as it does where a gate refuses; its log says why", note=note)
    return Outcome(Status.FAULT, _ended(ending, package), note=note)


def _ended(ending: Ending, package: Package) -> str:
    failed = _failed_steps(ending, package)
    why = f"failed: {', '.join(failed)}" if failed and ending.why.startswith("failed: ") else ending.why
    return f"the run ended {ending.state}{f', {why}' if why else ''}"


def _failed_steps(ending: Ending, package: Package) -> list[str]:
    """The pipeline's own steps among the failed tasks: to a server their graphs and pods are tasks as well."""
    return [name for name in package.steps if name in ending.failed]
