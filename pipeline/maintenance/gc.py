"""`darkroom gc`: removes what no kept model and no kept run needs."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from components.model_gate.decisions import RolledBack
from components.pusher.versions import versions
from pipeline.maintenance.disk_space import disk_full
from pipeline.maintenance.recovery import empty_aside, known_as, remove, unfinished_paths
from pipeline.metadata.store import exists, open_store
from pipeline.reporting.prometheus import read_verdicts
from pipeline.workspace.layout import DiskFull, Workspace, command

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import Artifact

KEPT_OF_A_RUN = ("verdict.json", "config.yaml")  # of every run, for `darkroom runs`


@dataclass
class Plan:
    """What is to go.

    Attributes:
        root: The work folder.
        sizes: The files and folders to remove, with their bytes.
        known: Those of them that hold what ML Metadata takes for a result.
        artifacts: Ids of the artifacts that ML Metadata is to know as deleted.
    """

    root: Path
    sizes: dict[Path, int] = field(default_factory=dict)
    known: list[Path] = field(default_factory=list)
    artifacts: list[int] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """In all."""
        return sum(self.sizes.values())

    def add(self, path: Path) -> None:
        """Has a file or a folder removed."""
        self.sizes[path] = sum(file.lstat().st_size for file in (path, *path.rglob("*")) if not file.is_dir())

    def lines(self) -> list[str]:
        """It in words, a line for each kind."""
        kinds: dict[str, list[Path]] = defaultdict(list)
        for path in self.sizes:
            parent = path.parent.relative_to(self.root)
            if ".system" not in parent.parts:  # what TFX itself has left: many, and next to empty
                kinds[str(parent)].append(path)
        return [
            f"{kind}: {', '.join(path.name for path in sorted(paths, key=_number))} ({megabytes(sum(map(self.sizes.get, paths)))})"
            for kind, paths in sorted(kinds.items())
        ]


def plan(workspace: Workspace, keep: int) -> Plan:
    """Finds what is not needed.

    Needed are the last runs and the last pushed versions with all that they were made of or compared with, and whatever the
    next run is compared with: the last good model and the last pictures that passed. Of a version's own run log and report stay
    as well, of all others the verdict and the configuration; ML Metadata forgets nothing.

    Args:
        workspace: The work folder; nobody may be at work in it.
        keep: How many runs that came to an end and how many versions are kept.

    Raises:
        InputError: `keep` is below 1, or nothing was run there.
    """
    if keep < 1:
        raise InputError(f"--keep must be at least 1, not {keep}: the model in service always stays")
    if not exists(workspace):
        raise InputError(f"nothing was run in {workspace.root} yet")
    store, found = open_store(workspace), Plan(workspace.root)
    runs, there = _kept_runs(store, workspace, keep), versions(workspace.serving)
    needed, executions = _needed(store, runs, there[-keep:])
    live = [artifact for artifact in store.get_artifacts() if artifact.state != artifact.DELETED]
    old = {str(workspace.serving / str(version)) for version in there[:-keep]}
    gone = [
        artifact
        for artifact in live
        if artifact.uri in old
        or (artifact.id not in needed and Path(artifact.uri).is_relative_to(workspace.artifacts))
        or (Path(artifact.uri).parent == workspace.serving and not Path(artifact.uri).exists())
    ]
    found.artifacts = [artifact.id for artifact in gone]
    kept = {artifact.uri for artifact in live if artifact.id in needed}
    for folder in _artifact_folders(workspace):
        system = folder.parent.parent.name == ".system"
        if folder.name not in executions if system else str(folder) not in kept:
            found.add(folder)
    for version in there[:-keep]:
        found.add(workspace.serving / str(version))
    uris = {artifact.uri for artifact in gone}
    found.known = [path for path in found.sizes if path.is_relative_to(workspace.artifacts) and str(known_as(path)) in uris]
    for path in unfinished_paths(workspace):
        found.add(path)
    told = runs | _pushed_by(workspace, there[-keep:])
    for run in workspace.runs():
        if run.name not in told:
            for path in (*run.iterdir(), *workspace.root.glob(f"rejects/{run.name}*.jsonl")):
                if path.name not in KEPT_OF_A_RUN:
                    found.add(path)
    return found


def carry_out(workspace: Workspace, found: Plan) -> None:
    """Removes what was found. Where it is interrupted, doing it again, or the next run, does the rest.

    What ML Metadata takes for a result is marked as deleted before it is removed, as nothing may be taken for one that is half
    removed. What it does not speak of goes before that: its database needs room for a journal, and the disk may be full. Where
    this is not enough, results are put aside first, under names that mean nothing to anyone.

    Raises:
        DiskFull: All that could be freed was not enough.
    """
    free = shutil.disk_usage(workspace.root).free
    for path in found.sizes:
        if path not in found.known:
            remove(path)
    aside: list[Path] = []
    try:
        _mark_deleted(workspace, found.artifacts)
    except Exception as error:
        if not disk_full(error, workspace.root):
            raise
        aside = [empty_aside(path) for path in found.known]
        try:
            _mark_deleted(workspace, found.artifacts)
        except Exception:
            freed = megabytes(shutil.disk_usage(workspace.root).free - free)
            raise DiskFull(
                f"{freed} were freed, and ML Metadata's database still cannot be written: the disk of {workspace.root} is full; "
                f"free some by other means, and call {command('gc', workspace.root)} again"
            ) from None
    for path in aside or found.known:
        remove(path)


def _mark_deleted(workspace: Workspace, artifacts: list[int]) -> None:
    """Has ML Metadata know artifacts as deleted."""
    store = open_store(workspace)
    gone = store.get_artifacts_by_id(artifacts) if artifacts else []
    for artifact in gone:
        artifact.state = artifact.DELETED
    if gone:
        store.put_artifacts(gone)


def megabytes(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / 1e6:,.1f} MB"


def _kept_runs(store: MetadataStore, workspace: Workspace, keep: int) -> set[str]:
    """The last runs that came to an end, by their names, which say the time; and the last of all, whatever became of it, by its
    name and by ML Metadata, should the clock have been turned back."""
    contexts = store.get_contexts_by_type("pipeline_run")
    last = max(contexts, key=lambda context: context.id).name if contexts else ""
    runs = workspace.runs()
    ended = [run.name for run in runs if (run / "verdict.json").is_file()]
    return {*ended[-keep:], *(run.name for run in runs[-1:]), last.removesuffix("-push")}


def _pushed_by(workspace: Workspace, kept_versions: list[int]) -> set[str]:
    """The runs that pushed versions: the first that say so; later ones found them in service."""
    first: dict[int, str] = {}
    for verdict in read_verdicts(workspace):
        first.setdefault(verdict.get("model", {}).get("version"), verdict["run"])
    return {first[version] for version in kept_versions if version in first}


def _needed(store: MetadataStore, runs: set[str], kept_versions: list[int]) -> tuple[set[int], set[str]]:
    """The artifacts that are needed, and the executions, by their ids."""
    from components.baselines.resolvers import BLESSED, SUBJECT_ID
    from pipeline.metadata.lineage import makers_of, pushed_models

    executions = {
        execution.id
        for context in store.get_contexts_by_type("pipeline_run")
        if context.name.removesuffix("-push") in runs
        for execution in store.get_executions_by_context(context.id)
    }
    kept_models = {model for version, model in pushed_models(store).items() if version in kept_versions}
    executions |= {execution for model in kept_models for execution in makers_of(store, model)}
    needed = {event.artifact_id for event in store.get_events_by_execution_ids(executions)} if executions else set()
    blessings = [*_of(store, "ModelBlessing"), *_of(store, "darkroom.DataBlessing")]
    for kind in ("ModelBlessing", "darkroom.DataBlessing"):
        blessed = [b for b in _of(store, kind) if b.custom_properties[BLESSED].int_value and b.state != b.DELETED]
        needed |= {blessing.custom_properties[SUBJECT_ID].int_value for blessing in blessed[-1:]}
    for blessing in blessings:  # of what is kept, and what people decided
        if blessing.custom_properties[SUBJECT_ID].int_value in needed or RolledBack.property("who") in blessing.custom_properties:
            needed.add(blessing.id)
    return needed, {str(execution) for execution in executions}


def _of(store: MetadataStore, kind: str) -> list[Artifact]:
    """The artifacts of a type, the first one first."""
    return sorted(store.get_artifacts_by_type(kind), key=lambda artifact: artifact.id)


def _artifact_folders(workspace: Workspace) -> list[Path]:
    """NODE/KEY/EXECUTION and NODE/.system/KEY/EXECUTION, and the curated schemas."""
    root = workspace.artifacts
    folders = [path for path in root.glob("*/*/*") if path.parent.name != ".system" and path.parent.parent.name != "schemas"]
    return sorted([*folders, *root.glob("*/.system/*/*"), *root.glob("schemas/*")])


def _number(path: Path) -> tuple[int, str]:
    return (int(path.name), "") if path.name.isdigit() else (0, path.name)
