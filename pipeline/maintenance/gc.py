"""Remove what no kept model and no kept run needs (`darkroom gc`)."""

from __future__ import annotations

import itertools
import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from components.decisions import BLESSED, SUBJECT_ID, RolledBack
from components.pusher.versions import versions
from pipeline.maintenance.disk_space import disk_full
from pipeline.maintenance.recovery import known_as, remove, rename_and_empty, unfinished_paths
from pipeline.metadata.store import exists, open_store
from pipeline.verdict.verdict import FILE as VERDICT
from pipeline.verdict.verdict import read_verdicts
from pipeline.workspace.layout import DiskFull, Workspace, command

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import Artifact

KEPT_OF_A_RUN = (VERDICT, "config.yaml")  # kept of every run, for `darkroom runs`


@dataclass
class Plan:
    """The files, folders and artifacts to remove."""

    root: Path  # the work folder
    sizes: dict[Path, int] = field(default_factory=dict)  # the files and folders to remove, with their bytes
    known: list[Path] = field(default_factory=list)  # those of them that ML Metadata records as results
    artifacts: list[int] = field(default_factory=list)  # ids of the artifacts to mark as deleted in ML Metadata

    @property
    def bytes(self) -> int:
        """The total size in bytes."""
        return sum(self.sizes.values())

    def add(self, path: Path) -> None:
        """Add a file or a folder."""
        self.sizes[path] = sum(file.lstat().st_size for file in (path, *path.rglob("*")) if not file.is_dir())

    def lines(self) -> list[str]:
        """Return the plan as text, one line for each kind."""
        kinds: dict[str, list[Path]] = defaultdict(list)
        for path in self.sizes:
            parent = path.parent.relative_to(self.root)
            if ".system" not in parent.parts:  # TFX's own folders: many, and almost empty
                kinds[str(parent)].append(path)
        return [
            f"{kind}: {', '.join(path.name for path in sorted(paths, key=_number))} ({megabytes(sum(map(self.sizes.get, paths)))})"
            for kind, paths in sorted(kinds.items())
        ]


def plan(workspace: Workspace, keep: int) -> Plan:
    """Find what is not needed.

    Needed are the last runs and the last pushed versions, with everything that they were made of or compared with, and the
    baselines of the next run: the last blessed model and the last accepted pictures. The run of a kept version keeps its log and
    report. All other runs keep the verdict and the configuration. ML Metadata keeps all records.

    Args:
        workspace: The work folder; no run may be active in it.
        keep: The number of ended runs and the number of versions to keep.

    Raises:
        InputError: `keep` is below 1, or nothing was run there.
    """
    if keep < 1:
        raise InputError(f"--keep must be at least 1, not {keep}: the model in service always stays")
    if not exists(workspace):
        raise InputError(f"nothing was run in {workspace.root} yet")
    store, result = open_store(workspace), Plan(workspace.root)
    runs, pushed = _kept_runs(store, workspace, keep), versions(workspace.serving)
    needed, executions = _needed(store, runs, pushed[-keep:])
    live = [artifact for artifact in store.get_artifacts() if artifact.state != artifact.DELETED]
    old = {str(workspace.serving / str(version)) for version in pushed[:-keep]}
    obsolete = [
        artifact
        for artifact in live
        if artifact.uri in old
        or (artifact.id not in needed and Path(artifact.uri).is_relative_to(workspace.artifacts))
        or (Path(artifact.uri).parent == workspace.serving and not Path(artifact.uri).exists())
    ]
    result.artifacts = [artifact.id for artifact in obsolete]
    kept = {artifact.uri for artifact in live if artifact.id in needed}
    for folder in _artifact_folders(workspace):
        system = folder.parent.parent.name == ".system"
        if folder.name not in executions if system else str(folder) not in kept:
            result.add(folder)
    for version in pushed[:-keep]:
        result.add(workspace.serving / str(version))
    uris = {artifact.uri for artifact in obsolete}
    result.known = [path for path in result.sizes if path.is_relative_to(workspace.artifacts) and str(known_as(path)) in uris]
    for path in unfinished_paths(workspace):
        result.add(path)
    kept_runs = runs | _pushed_by(workspace, pushed[-keep:])
    for run in workspace.runs():
        if run.name not in kept_runs:
            for path in (*run.iterdir(), *workspace.root.glob(f"rejects/{run.name}*.jsonl")):
                if path.name not in KEPT_OF_A_RUN:
                    result.add(path)
    return result


def carry_out(workspace: Workspace, found: Plan) -> None:
    """Remove what was found. After an interruption, another call or the next run removes the rest.

    A result is marked as deleted in ML Metadata before its files are removed, so that no run uses a half-removed one. Files that
    ML Metadata does not record are removed first: its database needs space for a journal, and the disk may be full. If this is not
    enough, the folders of results are renamed and emptied before they are marked.

    Raises:
        DiskFull: The freed space was not enough to write the database.
    """
    free = shutil.disk_usage(workspace.root).free
    for path in found.sizes:
        if path not in found.known:
            remove(path)
    emptied: list[Path] = []
    try:
        _mark_deleted(workspace, found.artifacts)
    except Exception as error:
        if not disk_full(error, workspace.root):
            raise
        emptied = [rename_and_empty(path) for path in found.known]
        try:
            _mark_deleted(workspace, found.artifacts)
        except Exception:
            freed = megabytes(shutil.disk_usage(workspace.root).free - free)
            raise DiskFull(
                f"{freed} were freed, and ML Metadata's database still cannot be written: the disk of {workspace.root} is full; "
                f"free some by other means, and call {command('gc', workspace.root)} again"
            ) from None
    for path in emptied or found.known:
        remove(path)


def _mark_deleted(workspace: Workspace, artifacts: list[int]) -> None:
    store = open_store(workspace)
    obsolete = store.get_artifacts_by_id(artifacts) if artifacts else []
    for artifact in obsolete:
        artifact.state = artifact.DELETED
    if obsolete:
        store.put_artifacts(obsolete)


def megabytes(size: int) -> str:
    """Return a number of bytes as text in megabytes."""
    return f"{size / 1e6:,.1f} MB"


def _kept_runs(store: MetadataStore, workspace: Workspace, keep: int) -> set[str]:
    """Return the names of the runs to keep: the last ones that ended, and the last one of all.

    The last one of all is taken both by name, which is its time, and from ML Metadata, in case the clock was set back.
    """
    contexts = store.get_contexts_by_type("pipeline_run")
    last = max(contexts, key=lambda context: context.id).name if contexts else ""
    runs = workspace.runs()
    ended = [run.name for run in runs if (run / VERDICT).is_file()]
    return {*ended[-keep:], *(run.name for run in runs[-1:]), last.removesuffix("-push")}


def _pushed_by(workspace: Workspace, kept_versions: list[int]) -> set[str]:
    """Return the runs that pushed the versions. The first verdict with a version counts; later runs only found it in service."""
    first: dict[int, str] = {}
    for verdict in read_verdicts(workspace.runs()):
        first.setdefault(verdict.model.get("version"), verdict.run)
    return {first[version] for version in kept_versions if version in first}


def _needed(store: MetadataStore, runs: set[str], kept_versions: list[int]) -> tuple[set[int], set[str]]:
    """Return the ids of the needed artifacts and executions."""
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
    by_kind = [_artifacts_of_type(store, kind) for kind in ("ModelBlessing", "darkroom.DataBlessing")]
    for blessings in by_kind:
        blessed = [b for b in blessings if b.custom_properties[BLESSED].int_value and b.state != b.DELETED]
        needed |= {blessing.custom_properties[SUBJECT_ID].int_value for blessing in blessed[-1:]}
    for blessing in itertools.chain(*by_kind):  # blessings of kept artifacts, and decisions of people
        if blessing.custom_properties[SUBJECT_ID].int_value in needed or RolledBack.property("who") in blessing.custom_properties:
            needed.add(blessing.id)
    return needed, {str(execution) for execution in executions}


def _artifacts_of_type(store: MetadataStore, kind: str) -> list[Artifact]:
    """Return the artifacts of a type, oldest first."""
    return sorted(store.get_artifacts_by_type(kind), key=lambda artifact: artifact.id)


def _artifact_folders(workspace: Workspace) -> list[Path]:
    """Return the folders NODE/KEY/EXECUTION and NODE/.system/KEY/EXECUTION, and the curated schemas."""
    root = workspace.artifacts
    folders = [path for path in root.glob("*/*/*") if path.parent.name != ".system" and path.parent.parent.name != "schemas"]
    return sorted([*folders, *root.glob("*/.system/*/*"), *root.glob("schemas/*")])


def _number(path: Path) -> tuple[int, str]:
    return (int(path.name), "") if path.name.isdigit() else (0, path.name)
