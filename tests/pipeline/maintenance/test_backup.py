"""Copies of metadata.db, and the way back to one."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time

import pytest

from common.errors import InputError
from pipeline.config.metadata import MetadataConfig
from pipeline.maintenance.backup import backup, check, contents, keep_copy, restore
from pipeline.maintenance.orphans import put_away
from pipeline.metadata.store import StoreDamaged, open_store, settle
from pipeline.workspace.layout import WorkFolderBusy, Workspace
from tests.pipeline.maintenance.test_orphans import executions, left
from tests.project import ROOT, darkroom, last_verdict, write_discs

LOCK = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
input()
"""
HALF = """
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA cache_size = 1"); c.execute("BEGIN")
c.execute("DELETE FROM Execution"); c.execute("CREATE TABLE large (n)")
c.executemany("INSERT INTO large VALUES (zeroblob(?))", [(5000,)] * 200)
print("half written", flush=True)
os.kill(os.getpid(), 9)
"""
LIMITED = """
import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from local_runner import main
main(sys.argv[1:])
"""
WRITE = """
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("CREATE TABLE a (n)"); c.execute("CREATE TABLE b (n)")
print("writing", flush=True)
while True:
    c.execute("BEGIN IMMEDIATE")
    c.execute("INSERT INTO a VALUES (zeroblob(5000))"); c.execute("INSERT INTO b VALUES (zeroblob(5000))")
    c.execute("COMMIT")
    time.sleep(0.003)
"""


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace.create(tmp_path / "work")
    executions(workspace, 5)
    return workspace


@pytest.fixture
def elsewhere():
    """Runs a script in a process of its own: a process does not heed its own locks."""
    processes = []

    def run(script, *arguments):
        command = [sys.executable, "-c", script, *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        process.stdout.readline()
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def damage(path, how):
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(
        {
            "cut": content[:half],
            "stub": content[:50],
            "no database": b"a letter to the editor, quite long" * 100,
            "a bad page": content[:8192] + os.urandom(4096) + content[12288:],
            "bad pages": content[:half] + os.urandom(16384) + content[half + 16384 :],
            "emptied": b"",
        }[how]
    )


DAMAGES = ("cut", "stub", "no database", "a bad page", "bad pages", "emptied")


def test_a_backup_holds_all_and_obeys_the_umask(workspace, tmp_path):
    previous = os.umask(0o027)
    try:
        found = backup(tmp_path / "out.db", workspace)
    finally:
        os.umask(previous)
    assert len(found.executions) == 5 and contents(tmp_path / "out.db") == found
    assert (tmp_path / "out.db").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.db", "work"], "nothing is left beside it"


def test_a_backup_taken_while_another_process_writes_is_of_one_moment(workspace, tmp_path, elsewhere):
    elsewhere(WRITE, workspace.metadata)
    for i in range(5):
        time.sleep(0.1)
        backup(tmp_path / "out.db", workspace)
        with sqlite3.connect(tmp_path / "out.db") as copy:
            a, b = (copy.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in "ab")
        assert a == b > i


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_database_is_not_copied_over_a_good_one(workspace, how):
    keep_copy(workspace)
    kept = (workspace.root / "metadata.db.backup").read_bytes()
    damage(workspace.metadata, how)
    with pytest.raises(StoreDamaged, match="darkroom restore .*metadata.db.backup --work .* goes back to the copy of 2"):
        keep_copy(workspace)
    assert (workspace.root / "metadata.db.backup").read_bytes() == kept


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("out.tar.gz", "one SQLite file"),
        ("nowhere/out.db", "no such folder"),
        ("work", "it is a folder"),
        ("work/metadata.db", "not overwritten"),
        ("letter", "not overwritten"),
    ],
)
def test_where_no_backup_is_written(workspace, tmp_path, out, words):
    (tmp_path / "letter").write_text("dear sir")
    with pytest.raises(InputError, match=words):
        backup(tmp_path / out, workspace)
    assert (tmp_path / "letter").read_text() == "dear sir" and len(contents(workspace.metadata).executions) == 5


def test_where_there_is_no_room_the_backup_before_stays(workspace, tmp_path):
    out = tmp_path / "out.db"
    backup(out, workspace)
    before = out.read_bytes()
    command = [sys.executable, "-c", LIMITED, "backup", str(out), "--work", str(workspace.root)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 2 and ended.stderr.startswith(f"invalid: cannot write {out}") and len(ended.stderr.splitlines()) == 1
    assert out.read_bytes() == before and sorted(path.name for path in tmp_path.iterdir()) == ["out.db", "work"]


def test_nothing_to_back_up(tmp_path):
    with pytest.raises(InputError, match="nothing was run"):
        backup(tmp_path / "out.db", Workspace.create(tmp_path / "work"))
    with pytest.raises(InputError, match="no work folder"):
        backup(tmp_path / "out.db", Workspace(tmp_path / "nowhere"))


def test_an_older_database_and_back_again(workspace, tmp_path):
    backup(tmp_path / "old.db", workspace)
    newer = executions(workspace, 3)
    lines = restore(tmp_path / "old.db", workspace)
    assert left(workspace) == [1, 2, 3, 4, 5]
    assert "5 executions of 0 runs" in lines[0] and "files of 3 executions" in lines[2]
    assert put_away(workspace) == []
    # Ids go on from beyond those that are aside, so that these have their own files when they come back.
    newest = executions(workspace, 2)
    assert min(newest) > max(newer)
    (before,) = workspace.root.glob("metadata.db.before-restore-*")
    restore(before, workspace)
    assert left(workspace) == [1, 2, 3, 4, 5, *newer]
    for number in left(workspace):
        assert (workspace.artifacts / "Trainer" / "model" / str(number) / "made-by").read_text() == str(number)
    assert min(executions(workspace, 1)) > max(newest)
    assert len(list(workspace.root.glob("metadata.db.before-restore-*"))) == 2


def test_artifacts_that_are_gone_since_count_as_deleted(workspace, tmp_path):
    from ml_metadata.proto import metadata_store_pb2 as pb

    store = open_store(workspace)
    kind = store.put_artifact_type(pb.ArtifactType(name="Model"))
    folders = {name: workspace.artifacts / "Trainer" / "model" / name for name in ("1", "2")}
    uris = [*map(str, folders.values()), "s3://elsewhere/3"]
    store.put_artifacts([pb.Artifact(type_id=kind, uri=uri, state=pb.Artifact.LIVE) for uri in uris])
    backup(tmp_path / "old.db", workspace)
    shutil.rmtree(folders["1"])
    assert "files of 1 artifacts that it knows are not there any more: they count as deleted" in restore(
        tmp_path / "old.db", workspace
    )
    states = {artifact.uri: artifact.state for artifact in open_store(workspace).get_artifacts()}
    assert states == dict(zip(uris, (pb.Artifact.DELETED, pb.Artifact.LIVE, pb.Artifact.LIVE)))


def test_models_that_the_restored_database_does_not_know_stay_in_service_and_are_named(workspace, tmp_path):
    backup(tmp_path / "old.db", workspace)
    for version in (1, 2):
        (workspace.serving / str(version)).mkdir(parents=True)
    assert restore(tmp_path / "old.db", workspace)[-1].endswith("does not know: 1, 2; version 2 is in service")
    assert (workspace.serving / "2").is_dir()


def test_what_a_killed_process_had_half_written_is_not_played_into_the_restored_database(workspace, tmp_path, elsewhere):
    backup(tmp_path / "old.db", workspace)
    executions(workspace, 1)
    elsewhere(HALF, workspace.metadata).wait()
    assert (workspace.root / "metadata.db-journal").stat().st_size > 0
    restore(tmp_path / "old.db", workspace)
    (before,) = workspace.root.glob("metadata.db*before-restore*")
    assert len(contents(before).executions) == 6 and len(contents(workspace.metadata).executions) == 5
    check(workspace)
    assert not list(workspace.root.glob("*-journal"))


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_database_is_replaced_and_kept_and_a_damaged_backup_is_refused(workspace, tmp_path, how):
    backup(tmp_path / "good.db", workspace)
    shutil.copy(tmp_path / "good.db", tmp_path / "bad.db")
    damage(tmp_path / "bad.db", how)
    with pytest.raises(InputError, match="bad.db"):
        restore(tmp_path / "bad.db", workspace)
    assert len(contents(workspace.metadata).executions) == 5 and not list(workspace.root.glob("*before-restore*"))
    damage(workspace.metadata, how)
    damaged = workspace.metadata.read_bytes()
    with pytest.raises(StoreDamaged):
        check(workspace)
    restore(tmp_path / "good.db", workspace)
    check(workspace)
    (before,) = workspace.root.glob("*before-restore*")
    assert before.read_bytes() == damaged
    assert not list(workspace.root.glob(".metadata*"))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE MLMDEnv SET schema_version = 99", "version 99 is greater"),
        ("UPDATE MLMDEnv SET schema_version = 7", "version 7 is older"),
        ("DROP TABLE MLMDEnv", "no database of ML Metadata"),
    ],
)
def test_a_sound_database_that_is_not_of_use(workspace, tmp_path, sql, words):
    backup(tmp_path / "other.db", workspace)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute(sql)
    with pytest.raises(InputError, match=f"other.db cannot be restored: .*{words}"):
        restore(tmp_path / "other.db", workspace)
    assert not list(workspace.root.glob("*before-restore*")) and left(workspace) == [1, 2, 3, 4, 5]


def test_what_another_program_holds_is_waited_for_and_then_left(workspace, tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr("pipeline.maintenance.backup.PATIENCE", 0.2)
    monkeypatch.setattr("pipeline.metadata.store.PATIENCE", 0.2)
    backup(tmp_path / "old.db", workspace)
    elsewhere(LOCK, workspace.metadata)
    with pytest.raises(WorkFolderBusy, match="locked by another program"):
        backup(tmp_path / "new.db", workspace)
    with pytest.raises(WorkFolderBusy, match="locked by another program"):
        restore(tmp_path / "old.db", workspace)
    with pytest.raises(WorkFolderBusy, match="locked by another program"):
        settle(workspace, MetadataConfig())
    assert not (tmp_path / "new.db").exists()


def test_nothing_is_restored_under_a_run(workspace, tmp_path):
    backup(tmp_path / "old.db", workspace)
    with workspace.lock():
        ended = darkroom("restore", tmp_path / "old.db", "--work", workspace.root, fresh=True)
    assert ended.status == 4 and len(ended.err.splitlines()) == 1


def test_an_empty_database_of_a_run_that_was_killed_at_once_is_sound(tmp_path):
    workspace = Workspace.create(tmp_path / "work")
    check(workspace)
    workspace.metadata.touch()
    check(workspace)


@pytest.mark.slow
def test_a_run_upon_a_damaged_database_says_how_to_go_on_and_an_older_copy_is_gone_on_from(tmp_path):
    pictures, work = tmp_path / "pictures", tmp_path / "work"
    write_discs(pictures, 200)
    arguments = ["--images", pictures, "--work", work, "--set", "tuning.trials=0", "--set", "evaluation.max_drop=100"]

    def run(epochs):
        return darkroom("run", *arguments, "--set", f"training.epochs={epochs}")

    assert run(1).status == 0
    backup = darkroom("backup", tmp_path / "one.db", "--work", work)
    assert backup.status == 0 and "of 1 run, models up to version 1" in backup.out, backup.err
    assert run(2).status == 0 and not (work / "aside").exists()

    damage(work / "metadata.db", "cut")
    ended = run(2)
    copy = work / "metadata.db.backup"
    (line,) = ended.err.splitlines()
    assert ended.status == 1 and "`darkroom restore " in line and len(line) < 200, ended.err
    assert line.startswith("failed: ") and "is damaged" in line
    (reason,) = last_verdict(work)["reasons"]
    assert f"darkroom restore {copy} --work {work}" in reason  # whole, to be copied
    assert last_verdict(work)["outcome"] == "failed"
    lost = darkroom("lineage", 1, "--work", work)
    assert lost.status == 1 and len(lost.err.splitlines()) == 1 and "darkroom restore " in lost.err

    assert darkroom("restore", copy, "--work", work).status == 0
    again = run(2)
    assert again.status == 0 and set(again.states().values()) == {"cached"}, again.out + again.err

    older = darkroom("restore", tmp_path / "one.db", "--work", work)
    assert older.status == 0 and "does not know: 2; version 2 is in service" in older.out, older.out
    second = run(2)
    assert second.status == 0, second.out + second.err
    states = second.states()
    assert states["Transform"] == "cached" and states["Trainer"] == "done"
    assert last_verdict(work)["model"]["version"] in (2, 3)
    assert len(list((work / "aside").iterdir())) == 1, "nothing more was moved by the run"
    models = [int(path.name) for path in (work / "artifacts" / "Trainer" / "model").iterdir()]
    aside = [int(path.name) for path in work.glob("aside/*/Trainer/model/*")]
    assert aside and max(aside) < max(models) < 1000, "its folder is one that no execution had before"


def test_a_backup_goes_through_links_pipes_and_standard_output(workspace, tmp_path):
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "far" / "target.db")
    for _ in range(2):  # made, then replaced
        backup(link, workspace)
        assert link.is_symlink() and os.listdir(tmp_path / "far") == ["target.db"]
        (tmp_path / "far" / "target.db").chmod(0o640)
    assert (tmp_path / "far" / "target.db").stat().st_mode & 0o777 == 0o640
    assert contents(link) == contents(workspace.metadata)

    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "read.db").open("wb") as file:
        reading = subprocess.Popen(["cat", tmp_path / "fifo"], stdout=file)
        backup(tmp_path / "fifo", workspace)
        assert reading.wait(20) == 0 and stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    assert contents(tmp_path / "read.db") == contents(workspace.metadata)

    script = "from local_runner import main; import sys; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, "backup", "-", "--work", workspace.root]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120)
    assert printed.returncode == 0 and printed.stderr.startswith(b"wrote standard output: 5 executions"), printed.stderr
    assert printed.stdout == (tmp_path / "read.db").read_bytes()
    (tmp_path / "null").symlink_to("/dev/null")
    backup(tmp_path / "null", workspace)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_database_that_is_a_link_is_restored_where_it_is(workspace, tmp_path):
    backup(tmp_path / "copy.db", workspace)
    target = tmp_path / "on another disk.db"
    shutil.move(workspace.metadata, target)
    workspace.metadata.symlink_to(target)
    restore(tmp_path / "copy.db", workspace)
    assert workspace.metadata.is_symlink() and contents(target) == contents(tmp_path / "copy.db")
