"""Decide whether an exported model may be served: it must answer every signature of the contract as the trainer's model did."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from common.errors import one_line
from components.serving_check.clean_process import Outcome, call_model
from components.serving_check.compare import compare
from components.serving_check.contract import OPTIONAL, SIGNATURES, expected_of
from serving.manifest import verify
from serving.signatures import Signature, read_signatures
from trainer import golden

SCHEMA = 1
ALL_SIGNATURES = {**SIGNATURES, **OPTIONAL}
_UNANSWERED = "it got no answer"


def check_model(model: str, golden_folder: str, timeout: float) -> dict[str, Any]:
    """Check an exported model in a clean process.

    Args:
        model: URI of the SavedModel's folder.
        golden_folder: URI of the folder with inputs.npz and answers.npz.
        timeout: Seconds after which the model counts as not answering.

    Returns:
        The report, as in serving_check.json: `schema`; `blessed`; `reasons`, one line each, none if blessed;
        `tensorflow`, the runtime's version, and `load_milliseconds`, both None if the model did not load;
        `signatures`: by name, `ok`, `max_difference` (of numbers; for pixels, levels), `milliseconds` of the first call
        and `reason`; `modules`, the modules that the process had imported. A broken model gives a report, not an exception.
    """
    with tempfile.TemporaryDirectory(prefix="serving_check_") as scratch:
        folder = Path(scratch)
        copies = {"model": folder / "model", "golden": folder / "golden"}
        try:
            # Check copies: a server also has the model in another place than the export, and in its own file system.
            for uri, copy in ((model, copies["model"]), (golden_folder, copies["golden"])):
                if not fileio.exists(uri):
                    raise FileNotFoundError(f"{uri} is missing")
                io_utils.copy_dir(uri, str(copy))
            verify(copies["model"])
            signatures = read_signatures((copies["model"] / "saved_model.pb").read_bytes())
            inputs, answers = golden.load_golden(copies["golden"])
        except (OSError, ValueError) as error:
            return _report([f"the model or its golden answers cannot be read: {one_line(error)}"])
        missing = {name: _missing_part(name, signatures, inputs, answers) for name in expected_of([*signatures, *answers])}
        calls = {name: _call(name, signatures[name], answers[name]) for name, reason in missing.items() if not reason}
        work = folder / "process"
        work.mkdir()
        outcome = call_model(copies["model"], copies["golden"] / golden.INPUTS, calls, work, timeout)
        verdicts = {
            name: _verdict(reason) if reason else _judge(name, outcome, answers[name], work / "answers")
            for name, reason in missing.items()
        }
    reasons = [f"{name}: {verdict['reason']}" for name, verdict in verdicts.items() if verdict["reason"]]
    if outcome.failure:  # It explains the unanswered signatures; report it only once.
        reasons = [outcome.failure, *(reason for reason in reasons if not reason.endswith(_UNANSWERED))]
    return _report(reasons, outcome, verdicts)


def _report(
    reasons: list[str], outcome: Outcome | None = None, verdicts: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    outcome = outcome or Outcome()
    return {
        "schema": SCHEMA,
        "blessed": not reasons,
        "reasons": reasons,
        "tensorflow": outcome.loaded.get("tensorflow"),
        "load_milliseconds": outcome.loaded.get("loaded"),
        "signatures": verdicts or {},
        "modules": outcome.modules,
    }


def _missing_part(name: str, signatures: dict[str, Signature], inputs: golden.Tensors, answers: golden.Tensors) -> str | None:
    """Return why a signature of the contract cannot be checked; None if it can."""
    exported, required = signatures.get(name), ALL_SIGNATURES[name]
    if exported is None:
        return "the exported model has no such signature"
    outputs = dict.fromkeys([*required.outputs, *answers.get(name, ())])
    for kind, names, present in (("input", required.inputs, exported.inputs), ("output", outputs, exported.outputs)):
        absent = [part for part in names if part not in present]
        if absent:
            return f"the exported signature has no {kind} {', '.join(absent)}"
    if not set(exported.inputs) <= set(inputs.get(name, ())) or not set(required.outputs) <= set(answers.get(name, ())):
        return "the trainer stored no golden answer for it"
    return None


def _call(name: str, exported: Signature, expected: dict[str, golden.Value]) -> dict[str, Any]:
    outputs = {output: exported.outputs[output] for output in expected}
    return {"inputs": exported.inputs, "outputs": outputs, "counted_by": ALL_SIGNATURES[name].counted_by}


def _judge(name: str, outcome: Outcome, expected: dict[str, golden.Value], folder: Path) -> dict[str, Any]:
    """Compare a signature's answer with the golden answer."""
    reply = outcome.signatures.get(name)
    if reply is None:
        return _verdict(_UNANSWERED)
    if "error" in reply:
        return _verdict(f"the runtime refused it: {one_line(reply['error'])}")
    answers = golden.read_tensors(folder / f"{name}.npz")
    differences, reasons = [], []
    for output in expected:
        difference, reason = compare(expected[output], answers["golden"][output])
        differences.append(difference)
        if reason:
            reasons.append(f"{output} {reason}")
        reason = _judge_other_batch_size(name, expected[output], answers["other_batch_size"][output])
        if reason:
            reasons.append(f"{output} {reason}")
    largest = None if None in differences else max(differences)
    return _verdict("; ".join(reasons) or None, largest, reply["milliseconds"])


def _judge_other_batch_size(name: str, expected: golden.Value, actual: golden.Value) -> str | None:
    """Return the fault of the answer in another batch size; None if it is correct."""
    if ALL_SIGNATURES[name].counted_by:
        wanted = len(expected) + 1
        return None if np.shape(actual)[:1] == (wanted,) else f"are not {wanted} pictures, as requested"
    reason = compare(expected, actual).reason
    return f"{reason} when called row by row" if reason else None


def _verdict(reason: str | None, max_difference: float | None = None, milliseconds: float | None = None) -> dict[str, Any]:
    return {"ok": reason is None, "max_difference": max_difference, "milliseconds": milliseconds, "reason": reason}
