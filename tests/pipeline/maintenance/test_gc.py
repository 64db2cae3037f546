"""Clearing up: what stays, and that nothing half removed is taken for a result, whatever the disk does."""

from __future__ import annotations

from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.maintenance import gc
from pipeline.maintenance.gc import carry_out, plan
from pipeline.maintenance.recovery import clear
from pipeline.metadata.store import open_store
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from pipeline.workspace.layout import DiskFull, Workspace

FULL = RuntimeError("INTERNAL: database or disk is full")


def add_run(workspace: Workspace, name: str, version: int | None = None, ended: bool = True) -> Path:
    folder = workspace.run(name)
    (folder / "report").mkdir(parents=True)
    for file in ("config.yaml", "log.txt", "report/index.html"):
        (folder / file).write_text("x")
    if ended:
        verdict = Verdict(name, "cats", "/cats", "2026-01-01T03:00:00+00:00", model={"version": version} if version else {})
        verdict.end(Status.PUSHED)
        verdict.write(folder / "verdict.json")
    return folder


@pytest.fixture
def workspace(tmp_path):
    """Two artifacts that nothing needs, a run of before, and the last one."""
    made = Workspace.create(tmp_path / "work")
    store = open_store(made)
    kind = store.put_artifact_type(pb.ArtifactType(name="Thing"))
    for number in (1, 2):
        folder = made.artifacts / "Trainer" / "model" / str(number)
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_text("x" * 1000)
        store.put_artifacts([pb.Artifact(type_id=kind, uri=str(folder), state=pb.Artifact.LIVE)])
    add_run(made, "20260101-000000")
    add_run(made, "20260102-000000")
    return made


def live(workspace):
    return [Path(each.uri).name for each in open_store(workspace).get_artifacts() if each.state == pb.Artifact.LIVE]


def test_what_ml_metadata_does_not_speak_of_goes_before_it_is_written(workspace, monkeypatch):
    seen = []
    mark = gc._mark_deleted

    def look(*arguments):
        model = workspace.artifacts / "Trainer" / "model"
        seen.append(((workspace.run("20260101-000000") / "log.txt").exists(), sorted(path.name for path in model.iterdir())))
        mark(*arguments)

    monkeypatch.setattr(gc, "_mark_deleted", look)
    carry_out(workspace, plan(workspace, 1))
    assert seen == [(False, ["1", "2"])]
    assert live(workspace) == [] and not list(workspace.artifacts.rglob("file"))
    assert not plan(workspace, 1).sizes


def test_a_database_that_has_no_room_gets_it_from_results_that_were_put_aside(workspace, monkeypatch):
    mark, tries = gc._mark_deleted, []

    def full_at_first(*arguments):
        tries.append([path.name for path in workspace.artifacts.glob("*/*/*") if any(path.iterdir())])
        if not tries[1:]:
            raise FULL
        mark(*arguments)

    monkeypatch.setattr(gc, "_mark_deleted", full_at_first)
    carry_out(workspace, plan(workspace, 1))
    assert [sorted(names) for names in tries] == [["1", "2"], []]
    assert live(workspace) == [] and not list(workspace.artifacts.glob("*/*/*"))


@pytest.mark.parametrize("then", ["gc", "run"])
def test_where_it_cannot_be_written_all_the_same_nothing_half_removed_counts(workspace, monkeypatch, then):
    def full(*_):
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(gc, "_mark_deleted", full)
        with pytest.raises(DiskFull, match="MB were freed, .* free some by other means, and call darkroom gc --work"):
            carry_out(workspace, plan(workspace, 1))
    assert sorted(path.name for path in workspace.artifacts.glob("*/*/*")) == [".removing-1", ".removing-2"]
    if then == "gc":
        carry_out(workspace, plan(workspace, 1))
    else:
        clear(workspace)
    assert live(workspace) == [] and not list(workspace.artifacts.glob("*/*/*"))


def test_another_failure_removes_no_result(workspace, monkeypatch):
    def broken(*_):
        raise RuntimeError("the server has gone away")

    monkeypatch.setattr(gc, "_mark_deleted", broken)
    with pytest.raises(RuntimeError, match="gone away"):
        carry_out(workspace, plan(workspace, 1))
    assert len(list(workspace.artifacts.rglob("file"))) == 2


def test_killed_runs_do_not_count_among_those_that_stay(workspace):
    killed = [add_run(workspace, f"2026010{day}-000000", ended=False) for day in (3, 4)]
    carry_out(workspace, plan(workspace, 1))
    assert not (workspace.run("20260101-000000") / "log.txt").exists()
    assert (workspace.run("20260102-000000") / "log.txt").exists(), "the last that ended"
    assert not (killed[0] / "log.txt").exists() and (killed[0] / "config.yaml").exists()
    assert (killed[1] / "log.txt").exists(), "the last of all"


def test_the_run_that_made_a_kept_version_is_told_of(workspace):
    made = add_run(workspace, "20260103-000000", version=7)
    later = [add_run(workspace, f"2026010{day}-000000", version=7) for day in (4, 5)]  # found it in service
    (workspace.serving / "7").mkdir(parents=True)
    carry_out(workspace, plan(workspace, 1))
    assert (made / "report" / "index.html").exists() and (later[1] / "log.txt").exists()
    assert not (later[0] / "log.txt").exists()


def test_an_old_version_goes_in_one_rename(workspace, monkeypatch):
    for version in (1, 2):
        (workspace.serving / str(version)).mkdir(parents=True)
    import shutil

    gone = []
    monkeypatch.setattr(shutil, "rmtree", lambda path: gone.append(Path(path)))
    carry_out(workspace, plan(workspace, 1))
    assert [path.name for path in gone if path.parent == workspace.serving] == [".pushing-gc-1"]
    assert sorted(path.name for path in workspace.serving.iterdir()) == [".pushing-gc-1", "2"]
