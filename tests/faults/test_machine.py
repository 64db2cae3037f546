"""What a machine does to a run: a full disk, a folder that cannot be written, a locked or damaged database, a clock that jumps."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import COMPONENTS, PUSHED, TRAINED, Watch
from tests.faults.inject import DONE, START, fill
from tests.faults.table import THOROUGH
from tests.faults.test_kill import check_recovered, orphans
from tests.project import ROOT, last_verdict, start_darkroom

NOBODY = 65534
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long jump(void) { const char *s = getenv("CLOCK_JUMP"); return s ? atol(s) : 0; }
int clock_gettime(clockid_t id, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, t);
  if (id == CLOCK_REALTIME) t->tv_sec += jump();
  return result;
}
int gettimeofday(struct timeval *t, void *zone) {
  struct timespec now; clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec; t->tv_usec = now.tv_nsec / 1000; return 0;
}
time_t time(time_t *t) { struct timespec now; clock_gettime(CLOCK_REALTIME, &now); if (t) *t = now.tv_sec; return now.tv_sec; }
"""


@pytest.fixture
def small_disk(lab):
    """The lab's work folder on a disk of its own, of 200 MB; there, span 2 was not trained on."""
    shutil.rmtree(lab.work)
    lab.work.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "none", str(lab.work)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    lab.restore()
    yield lab.work
    subprocess.run(["umount", "--lazy", str(lab.work)], check=True)


@pytest.mark.slow
def test_the_disk_is_full_from_a_component_on(lab, small_disk, trial):
    """Each run goes on from where the last one failed, to find the disk full in the next component."""
    trial("the disk fills up when a component starts", len(COMPONENTS))
    with Watch(small_disk / "serving") as watch:
        for component in COMPONENTS:
            ended = lab.run({"moment": START, "component": component, "fill": str(small_disk)})
            assert ended.status == 1, (component, ended.out + ended.err)
            said = [line for line in ended.err.splitlines() if not line.startswith("warning: ")]
            assert len(said) == 1 and said[0].startswith("failed: the disk of ") and "is full" in said[0], (component, ended.err)
            (small_disk / "filler").unlink()
            assert lab.versions() in ([1], [1, 2])
        check_recovered(lab)
    assert not watch.faults, watch.faults[:3]


@pytest.mark.slow
def test_a_run_without_room_does_not_begin(lab, small_disk, trial):
    trial("too little disk space at the start")
    lab.restore(TRAINED)
    with (small_disk / "filler").open("wb") as file:
        file.write(bytes(150 << 20))
    ended = lab.run()
    assert ended.status == 1 and len(ended.err.splitlines()) == 1
    assert "MB left and this run needs about" in ended.err and lab.versions() == [1]
    (small_disk / "filler").unlink()
    check_recovered(lab)


@pytest.mark.slow
def test_a_run_on_a_full_disk_leaves_no_trace(lab, small_disk, trial):
    trial("too little disk space at the start")
    lab.restore(TRAINED)
    before = sorted((small_disk / "runs").iterdir())
    fill(small_disk)
    for command in ("run", "retrain"):
        ended = start_darkroom(command, *lab.arguments()[1:]).wait()
        assert ended.status == 1 and len(ended.err.splitlines()) == 1 and ended.out == "", ended.err
        assert "0 MB left and this run needs about" in ended.err and "darkroom gc --work " in ended.err
        assert sorted((small_disk / "runs").iterdir()) == before
    (small_disk / "filler").unlink()
    check_recovered(lab)


@pytest.mark.slow
def test_a_retrain_whose_disk_fills_says_so_once(lab, small_disk, trial):
    trial("the disk fills up when a component starts")
    lab.restore(TRAINED)
    fault = {"moment": START, "component": "Trainer", "fill": str(small_disk)}
    ended = start_darkroom("retrain", *lab.arguments(**{"training.seed": 1})[1:], fault=fault).wait()
    said = [line for line in ended.err.splitlines() if not line.startswith("warning: ")]
    assert ended.status == 1 and len(said) == 1 and said[0].startswith("failed: the disk of "), ended.err
    assert "retrained.json" not in ended.out + ended.err
    (small_disk / "filler").unlink()
    check_recovered(lab)


@pytest.mark.slow
@pytest.mark.parametrize("only_results", [False, True])
def test_gc_makes_room_on_a_full_disk(lab, small_disk, trial, only_results):
    """Also where there is nothing to go but what ML Metadata has to be told of."""
    trial("gc on a full disk", 1)
    lab.restore(PUSHED)
    assert lab.versions() == [1, 2]
    if only_results:
        first, killed, _ = sorted((small_disk / "runs").iterdir())
        shutil.rmtree(killed)
        for folder in (first / "report", small_disk / "serving/1", *small_disk.glob("artifacts/*/.system")):
            shutil.rmtree(folder)
        (first / "log.txt").unlink()
    fill(small_disk)
    ended = start_darkroom("gc", "--keep", 1, "--work", small_disk, "--yes").wait()
    assert ended.status == 0 and ended.err == "" and ended.out.splitlines()[-1].startswith("removed: "), ended.err
    (small_disk / "filler").unlink()
    again = start_darkroom("gc", "--keep", 1, "--work", small_disk, "--yes").wait()
    assert again.out == "nothing to remove\n" and lab.versions() == [2] and not list(small_disk.rglob(".removing-*"))
    assert set(lab.run().states().values()) == {"cached"} and not orphans(small_disk)


@pytest.mark.slow
def test_a_work_folder_that_cannot_be_written(lab, trial):
    trial("a work folder that cannot be written")
    if os.getuid():
        user, owner = None, os.getuid()
    else:
        user, owner = NOBODY, 0
    lab.restore(TRAINED)
    os.chown(lab.work, owner, -1)
    os.chmod(lab.work, 0o555)
    for folder in lab.root.parents:  # a folder of the tests' own may be closed to others
        if folder.stat().st_uid == os.getuid() and folder != Path(folder.anchor):
            folder.chmod(folder.stat().st_mode | 0o055)
    lab.root.chmod(0o755)
    ended = start_darkroom(*lab.arguments(), user=user).wait()
    assert ended.status == 2 and len(ended.err.splitlines()) == 1, ended.err
    assert f"cannot write to the work folder {lab.work}" in ended.err
    for command in (["rollback"], ["gc", "--yes"]):
        other = start_darkroom(*command, "--work", lab.work, user=user).wait()
        assert other.status == 2 and len(other.err.splitlines()) == 1, other.err
        assert other.err.startswith(f"invalid: cannot write to the work folder {lab.work}")
    os.chmod(lab.work, 0o755)
    check_recovered(lab)


@pytest.mark.slow
def test_a_locked_database_is_said_in_a_line(lab, trial):
    trial("ML Metadata's database locked")
    lab.restore(TRAINED)
    with sqlite3.connect(lab.work / "metadata.db") as holder:
        holder.execute("BEGIN EXCLUSIVE")
        ended = lab.run()
        assert ended.status == 4 and len(ended.err.splitlines()) == 1 and "is locked by another program" in ended.err, ended.err
        holder.rollback()
    check_recovered(lab)


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.6, 0.99])
def test_a_truncated_database_is_said_in_a_line_and_restored(lab, kept, trial):
    trial("ML Metadata's database truncated, and restored")
    lab.restore(TRAINED)
    database, backup = lab.work / "metadata.db", lab.root / "backup.db"
    backup.unlink(missing_ok=True)
    made = start_darkroom("backup", backup, "--work", lab.work).wait()
    assert made.status == 0, made.err
    os.truncate(database, int(kept * database.stat().st_size))
    with Watch(lab.work / "serving") as watch:
        if kept:
            ended = lab.run()
            assert ended.status in (1, 2) and len(ended.err.splitlines()) == 1 and "darkroom restore" in ended.err, ended.err
        assert start_darkroom("restore", backup, "--work", lab.work).wait().status == 0
        check_recovered(lab)
    assert not watch.faults, watch.faults[:3]


@pytest.mark.slow
def test_two_runs_at_once(lab, trial):
    """One has the work folder, the other says so."""
    trial("two runs started at once", 20 if THOROUGH else 5)
    lab.restore(PUSHED)
    for _ in range(20 if THOROUGH else 5):
        runs = [lab.start(), lab.start()]
        ended = sorted((child.wait() for child in runs), key=lambda each: each.status)
        assert ended[0].status == 0 and ended[1].status in (0, 4), [each.err for each in ended]
        if ended[1].status == 4:
            assert len(ended[1].err.splitlines()) == 1 and "/work is in use by " in ended[1].err
        assert lab.versions() == [1, 2] and not orphans(lab.work)


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    """A library by which a process sees another time of day."""
    folder = tmp_path_factory.mktemp("clock")
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler, with which the clock is turned back")
    (folder / "clock.c").write_text(CLOCK)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", folder / "clock.so", folder / "clock.c", "-ldl"], check=True, capture_output=True
    )
    return folder / "clock.so"


@pytest.mark.slow
def test_a_clock_that_jumps_back(lab, clock, trial):
    """By two days, between two runs and back again: each is judged against the last blessed model, not the one of a later date."""
    trial("a clock that jumps back", 2)
    lab.restore()

    def run(jump: int, **settings: object) -> subprocess.CompletedProcess:
        environment = {**os.environ, "LD_PRELOAD": str(clock), "CLOCK_JUMP": str(jump), "PYTHONPATH": str(ROOT)}
        script = "import sys; del sys.path[0]; from local_runner import main; main(sys.argv[1:])"
        command = [sys.executable, "-c", script, *lab.arguments(**settings)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

    back = run(-2 * 86400)
    assert back.returncode == 0, back.stderr
    assert lab.versions() == [1, 2] and last_verdict(lab.work)["baseline"]
    assert last_verdict(lab.work)["figures"] == pytest.approx(lab.figures, abs=1e-3), "nothing had broken this run"
    now = run(0, **{"training.seed": 1})
    assert now.returncode == 0, now.stderr
    verdict = last_verdict(lab.work)
    assert lab.versions() == [1, 2, 3] and verdict["baseline"]["elbo"] == pytest.approx(lab.figures["elbo"], abs=1e-3)
    unchanged = run(-3 * 86400, **{"training.seed": 1})
    assert unchanged.returncode == 0 and lab.versions() == [1, 2, 3] and "✓ Trainer" not in unchanged.stdout
    assert not orphans(lab.work)


@pytest.mark.slow
def test_the_push_meets_a_full_disk(lab, small_disk, trial):
    """In the middle of it: after the model was copied and before ML Metadata knows."""
    trial("the disk fills up when a component starts")
    lab.restore(TRAINED)
    ended = lab.run({"moment": DONE, "component": "Pusher", "fill": str(small_disk)})
    assert ended.status in (0, 1) and len([line for line in ended.err.splitlines() if not line.startswith("warning: ")]) <= 1
    (small_disk / "filler").unlink()
    check_recovered(lab)
