"""Put an earlier pushed model back into service (`darkroom rollback`)."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InputError
from components.decisions import BLESSED, EVALUATION_ID, RECORD, SUBJECT_ID, WEIGHTS_SUM, RolledBack
from components.pusher.versions import versions
from pipeline.metadata.store import exists, open_store
from pipeline.workspace.layout import Workspace

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2 as pb

LOGGER = logging.getLogger(__name__)
HISTORY = "rollbacks.jsonl"
PIPELINE = "darkroom"  # the context that all runs of a work folder share
_NODE = "Rollback"


@dataclass(frozen=True)
class PutBack:
    """The record of a rollback."""

    version: int  # the version that was put back
    became: int  # its new version number: servers take the highest
    instead_of: int  # the version that was in service
    withdrawn: list[int]  # the versions of models first pushed after it, which are not pushed again automatically
    who: str  # see `RolledBack`
    why: str
    when: str
    # Versions that were withdrawn together with it, and are no longer withdrawn
    taken_back: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        decision = RolledBack(self.who, self.why, self.when)
        return f"version {self.became} is version {self.version}, put back in place of {self.instead_of} on {decision}"


def rollback(workspace: Workspace, version: int | None, decision: RolledBack) -> PutBack:
    """Put an earlier model back: push it under a new number, and make it the baseline of new models.

    Args:
        workspace: The work folder.
        version: The version to put back; None takes the last one before that in service with another model that is not withdrawn.
        decision: The person and the reason.

    Raises:
        InputError: There is no such version, it is in service, its files were changed, or ML Metadata does not know it.
        WorkFolderBusy: A run holds the work folder.
    """
    from components.pusher.executor import push
    from pipeline.maintenance.backup import keep_copy
    from pipeline.metadata.lineage import pushed_models
    from serving.manifest import verify

    with workspace.lock():
        served = versions(workspace.serving)
        if not served or not exists(workspace):
            raise InputError(f"nothing was pushed in {workspace.root} yet")
        store = open_store(workspace)
        pushes = pushed_models(store)
        if version is None:
            version = _one_before(store, served, pushes)
        _check(version, served, pushes)
        folder = workspace.serving / str(version)
        verify(folder)
        model, current = pushes[version], served[-1]
        first = _first_pushes(pushes)
        withdrawn = [number for number in served if number in pushes and first[pushes[number]] > first[model]]
        together = _withdrawn_with(store, model)
        back = [number for number in served if pushes.get(number) in together and first[pushes[number]] < first[model]]
        folders = {pushes[number]: workspace.serving / str(number) for number in (*withdrawn, *back, version)}
        execution = _decide(store, workspace, model, folders, set(map(pushes.get, withdrawn)), decision, current)
        target = push(folder, workspace.serving)
        _record_push(store, execution, target)
        try:
            keep_copy(workspace)
        except Exception:  # the rollback is done, and the earlier copy still exists
            LOGGER.exception("there is no new copy of metadata.db")
        done = PutBack(version, int(target.name), current, withdrawn, decision.who, decision.why, decision.when, back)
        with (workspace.root / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(done), ensure_ascii=False) + "\n")
        return done


def rollbacks(work: Path) -> list[PutBack]:
    """Return all rollbacks of a work folder, oldest first."""
    path = work / HISTORY
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [PutBack(**json.loads(line)) for line in lines]


def _one_before(store: MetadataStore, served: list[int], pushes: dict[int, int]) -> int:
    """Return the version to put back if the user names none."""
    current, withdrawn = pushes.get(served[-1]), _withdrawn(store)
    others = [version for version in reversed(served) if version in pushes and pushes[version] != current]
    for version in others:
        if pushes[version] not in withdrawn:
            return version
    numbers = ", ".join(map(str, reversed(others)))
    more = f"; `darkroom rollback VERSION` takes one that was withdrawn before: {numbers}" if others else ""
    raise InputError(f"there is no earlier model to put back{more}")


def _first_pushes(pushes: dict[int, int]) -> dict[int, int]:
    """Return the first version of each model, because a rollback pushes the same model again."""
    return {pushes[version]: version for version in sorted(pushes, reverse=True)}


def _withdrawn(store: MetadataStore) -> dict[int, str]:
    """Return the models that their last rollback took out of service, with its time."""
    last: dict[int, pb.Artifact] = {}
    for blessing in sorted(store.get_artifacts_by_type("ModelBlessing"), key=lambda blessing: blessing.id):
        if RolledBack.property("who") in blessing.custom_properties:
            last[blessing.custom_properties[SUBJECT_ID].int_value] = blessing
    return {
        model: blessing.custom_properties[RolledBack.property("when")].string_value
        for model, blessing in last.items()
        if not blessing.custom_properties[BLESSED].int_value
    }


def _withdrawn_with(store: MetadataStore, model: int) -> set[int]:
    """Return the models that were withdrawn in the same rollback as `model`; none if it is not withdrawn."""
    withdrawn = _withdrawn(store)
    return {other for other, when in withdrawn.items() if when == withdrawn.get(model)} - {model}


def _check(version: int, served: list[int], pushes: dict[int, int]) -> None:
    if version not in served:
        raise InputError(f"there is no version {version}: there are {', '.join(map(str, served))}")
    if version not in pushes:
        raise InputError(f"ML Metadata does not know version {version}: it was not pushed by a run of this folder")
    if pushes[version] == pushes.get(served[-1]):
        same = "" if version == served[-1] else f": version {served[-1]} is the same model"
        raise InputError(f"version {version} is in service already{same}")


def _decide(
    store: MetadataStore,
    workspace: Workspace,
    model: int,
    folders: dict[int, Path],
    withdrawn: set[int],
    decision: RolledBack,
    current: int,
) -> int:
    """Record the blessings in one transaction, that of `model` as the newest; return the id of the execution."""
    from ml_metadata.proto import metadata_store_pb2 as pb

    from components.baselines.resolvers import weights_sum

    kind = store.get_artifact_type("ModelBlessing").id
    execution = pb.Execution(
        type_id=store.put_execution_type(pb.ExecutionType(name=f"darkroom.{_NODE}")), last_known_state=pb.Execution.COMPLETE
    )
    record: dict[str, Any] = {**decision.properties(), "instead_of": current}
    _set(execution.custom_properties, record)
    (put_back,) = store.get_artifacts_by_id([model])
    pairs = [(put_back, _event(pb.Event.INPUT, "model"))]
    for number, model_id in enumerate(sorted(folders, key=lambda each: (each == model, each))):
        blessed = int(model_id not in withdrawn)
        folder = workspace.artifacts / _NODE / "blessing" / f"{decision.when.replace(':', '')}-{model_id}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ("BLESSED" if blessed else "NOT_BLESSED")).touch()
        (folder / RECORD).write_text(
            json.dumps({"blessed": bool(blessed), "rolled_back": asdict(decision)}, indent=2) + "\n", encoding="utf-8"
        )
        blessing = pb.Artifact(type_id=kind, uri=str(folder), state=pb.Artifact.LIVE)
        properties = {BLESSED: blessed, SUBJECT_ID: model_id, EVALUATION_ID: 0, WEIGHTS_SUM: weights_sum(str(folders[model_id]))}
        _set(blessing.custom_properties, properties | decision.properties())
        pairs.append((blessing, _event(pb.Event.OUTPUT, "blessing", number)))
    context = store.get_context_by_type_and_name("pipeline", PIPELINE)
    id_, _, _ = store.put_execution(execution, pairs, [context], reuse_context_if_already_exist=True)
    return id_


def _record_push(store: MetadataStore, execution: int, target: Path) -> None:
    from ml_metadata.proto import metadata_store_pb2 as pb

    pushed = pb.Artifact(type_id=store.get_artifact_type("PushedModel").id, uri=str(target), state=pb.Artifact.LIVE)
    _set(pushed.custom_properties, {"pushed": 1, "pushed_version": target.name, "pushed_destination": str(target)})
    (made,) = store.get_executions_by_id([execution])
    context = store.get_context_by_type_and_name("pipeline", PIPELINE)
    store.put_execution(made, [(pushed, _event(pb.Event.OUTPUT, "pushed_model"))], [context], reuse_context_if_already_exist=True)


def _event(kind: pb.Event.Type, key: str, index: int = 0) -> pb.Event:
    from ml_metadata.proto import metadata_store_pb2 as pb

    event = pb.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event


def _set(properties: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, int):
            properties[name].int_value = value
        else:
            properties[name].string_value = value
