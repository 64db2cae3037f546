"""Collect what is known about a pushed model, for its card: from its own folder, and from the work folder that trained it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from common.errors import InputError, one_line
from common.quiet import hushed
from pipeline.metadata.history import ended_runs
from pipeline.verdict.verdict import Verdict
from pipeline.workspace.layout import Workspace
from serving.manifest import sum_of, verify
from serving.saved_model import SavedModel


@dataclass(frozen=True)
class Facts:
    """What is known about a pushed model.

    Attributes:
        folder: The model's folder.
        about: Content of model.json.
        metrics: Content of metrics.json.
        signatures: Names of the signatures.
        digest: SHA-256 of saved_model.pb.
        verdict: The verdict of the run that pushed it; None without a work folder.
        by_label: The Evaluator's figures by label, each with `pictures`; empty if they are not known.
        fingerprint: Fingerprint of the input files, '' if unknown.
        code: Hash of the trainer's code, '' if unknown.
        examples: SHA-256 of the examples by split; empty if they have been deleted.
    """

    folder: Path
    about: Mapping[str, Any]
    metrics: Mapping[str, Any]
    signatures: tuple[str, ...]
    digest: str
    verdict: Verdict | None = None
    by_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fingerprint: str = ""
    code: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)


def collect_facts(model: Path, work: Path | None) -> Facts:
    """Read what is known about a model. Without a work folder, its own folder is the only source.

    Raises:
        InputError: The model is broken or changed.
    """
    verify(model)
    try:
        about, metrics = (json.loads((model / name).read_text(encoding="utf-8")) for name in ("model.json", "metrics.json"))
    except (OSError, ValueError) as error:
        raise InputError(f"the model in {model} is damaged ({one_line(error)}): push it again") from None
    saved = SavedModel(model)
    signatures = tuple(saved.signatures)
    saved.close()
    own = Facts(model, about, metrics, signatures, sum_of(model, "saved_model.pb"))
    return own if work is None else _with_history(own, Workspace.open(work))


def _with_history(own: Facts, workspace: Workspace) -> Facts:
    """Add what the work folder knows: the verdict, the data, and the figures by label."""
    version = int(own.folder.name)
    verdict = next((each for _, each in ended_runs(workspace) if each.model.get("version") == version), None)
    with hushed():
        from components.evaluation.results import read_evaluation
        from pipeline.metadata.lineage import evaluation_of, lineage

        origin = lineage(workspace, version)
        evaluation = evaluation_of(workspace, version)
        by_label = read_evaluation(evaluation).per_label if evaluation else {}
    return replace(
        own,
        verdict=verdict,
        by_label=by_label,
        fingerprint=origin.fingerprint,
        code=origin.code,
        examples=_digests(Path(origin.examples)),
    )


def _digests(examples: Path) -> dict[str, str]:
    """Return the SHA-256 of each split's files, in the order of their names. The same pictures give the same bytes."""
    digests = {}
    for split in sorted(examples.glob("Split-*")):
        digest = hashlib.sha256()
        for path in sorted(split.iterdir()):
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        digests[split.name.removeprefix("Split-")] = digest.hexdigest()
    return digests
