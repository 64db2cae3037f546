"""Determine how a run on a server ended: from the verdict in its registry, or else from its state and its failed steps.

The state alone does not suffice. Since Kubeflow Pipelines 2.4 an exit handler cannot change it, and a server does not distinguish a
refusal from a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.lines import in_one_line
from common.quiet import hushed
from components.baselines import store
from kubeflow.compile.packages import Package
from kubeflow.server.submission import Ending
from pipeline.reporting.timeout import within
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import FILE, Verdict, parse_verdict

RUNS = "runs"  # as in `components.baselines.registry`, whose import takes many seconds
SECONDS = 60.0  # to read a verdict: a store that cannot be reached may never answer
GATES = ("DataGate", "Verdict")  # the steps that fail if a gate refuses


class NotRead(Exception):
    """The verdict cannot be read from here, or does not exist."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: Status  # the exit status of `darkroom submit --wait`
    why: str = ""  # the reasons if the status is not 0; else ''
    place: str = ""  # where the verdict was read; '' if it was not
    note: str = ""  # why it was not read; '' if it was, or if the pipeline writes none


def outcome_of(ending: Ending, package: Package, run_id: str, seconds: float = SECONDS) -> Outcome:
    """Return how a run ended, from its verdict if that can be read.

    Without a verdict, a run in which only gates failed counts as refused; for any other the state decides.

    Args:
        ending: The state of the run, and its failed tasks.
        package: The compiled pipeline that was run.
        run_id: The server's id of the run, which is also the name of the run's folder and records.
        seconds: The time limit for reading the verdict.
    """
    if not package.registry:
        return _by_state(ending, package, "")
    place = f"{package.registry}/{RUNS}/{run_id}/{FILE}"
    try:
        verdict = read_verdict(place, seconds)
    except NotRead as reason:
        return _by_state(ending, package, str(reason))
    return _by_verdict(verdict, place, ending, package)


def read_verdict(place: str, seconds: float = SECONDS) -> Verdict:
    """Read a verdict from a path or URI, with this machine's own credentials and within a time limit.

    Raises:
        NotRead: It does not exist, the store cannot be reached from here, or the file is not a verdict.
    """
    items: list[bytes] = []
    registry = place.rsplit("/", 3)[0]
    if not store.is_uri(place) and not Path(registry).is_dir():
        raise NotRead(f"{registry} is no folder of this machine")
    try:
        with hushed():  # the stores' clients print warnings at import
            within(seconds, lambda: items.append(store.read(place)))
        verdict = parse_verdict(items[0])
    except FileNotFoundError:
        raise NotRead(f"there is none, {place}") from None
    except TimeoutError:
        raise NotRead(f"{registry} has not answered within {seconds:g} seconds") from None
    except InputError as error:  # no credentials, no bucket, or no server
        raise NotRead(str(error)) from None
    except ValueError:
        raise NotRead(f"{place} is none that this version knows") from None
    except Exception as error:  # each store has its own exceptions
        raise NotRead(f"{registry}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from None
    return verdict


def _by_verdict(verdict: Verdict, place: str, ending: Ending, package: Package) -> Outcome:
    status = Status(verdict.status)
    if status is not Status.PUSHED:
        gate = f"{verdict.gate} gate: " if verdict.gate else ""
        reasons = "; ".join(map(str, verdict.reasons or ("it does not say why",)))
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
    """Return the pipeline's own steps among the failed tasks. A server also lists graphs and pods as tasks."""
    return [name for name in package.steps if name in ending.failed]
