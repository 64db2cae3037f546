"""Ingestion on Prism, Beam's engine in Go, when a part of the engine dies. One work folder goes through all tests of this file."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.engines.prism import BINARY, Engine, engine
from tests.fork_server import Ended
from tests.project import last_verdict, start_darkroom

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.access(BINARY, os.X_OK), reason="Prism is not built: tests/engines/install.sh builds it, with Go"),
]
SETTINGS = ("--config", "digits", "--set=data.pictures_per_shard=5")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine."""
    with engine(tmp_path_factory.mktemp("engine")) as started:
        yield started


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as PNG files: 360 units."""
    folder = tmp_path_factory.mktemp("digits")
    digits = load_digits()
    for index in range(len(digits.images)):
        path = folder / str(digits.target[index]) / f"{index:04d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((digits.images[index] * 15.9).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of the runs on the engine."""
    return tmp_path_factory.mktemp("work")


def struck(running: Engine, pictures: Path, work: Path, strike: Callable[[int], object]) -> Ended:
    """Run until the first units are written, do `strike` with the process id of the run, and return how the run ended."""
    before = set(work.glob("artifacts/ImageExampleGen/examples/*"))
    run = start_darkroom("run", "--images", pictures, "--work", work, *SETTINGS, *running.arguments())
    written = "artifacts/ImageExampleGen/examples/*/ingesting/by-content/*.json"
    end = time.monotonic() + 300
    while not any(path.parents[2] not in before for path in work.glob(written)):
        assert time.monotonic() < end and Path(f"/proc/{run.pid}").exists(), run.wait(1)
        time.sleep(0.005)
    strike(run.pid)
    return run.wait()


def check_nothing_half_written(work: Path) -> None:
    """No folder of examples is taken for a result, and no other component has begun."""
    assert not list(work.glob("artifacts/ImageExampleGen/examples/*/Split-*"))
    assert [folder.name for folder in (work / "artifacts").iterdir() if folder.name != "schemas"] in ([], ["ImageExampleGen"])
    assert not list(work.glob(".reach-*"))


def test_a_worker_that_is_killed_ends_the_run_in_one_line(running, pictures, work):
    def strike(_):
        for worker in running.workers():
            os.kill(worker, signal.SIGKILL)

    ended = struck(running, pictures, work, strike)
    assert ended.status == 1
    (line,) = (line for line in ended.err.splitlines() if line.startswith("failed: "))
    assert f"the engine at localhost:{running.ports['server']}: " in line and "disconnected" in line and len(line) < 200
    check_nothing_half_written(work)


def test_a_worker_pool_that_is_killed_ends_the_run_in_one_line(running, pictures, work):
    def strike(_):
        running.pool.kill()
        running.pool.wait()

    try:
        ended = struck(running, pictures, work, strike)
    finally:
        running.restart()
    assert ended.status == 1
    (line,) = (line for line in ended.err.splitlines() if line.startswith("failed: "))
    assert f"no worker pool answers at localhost:{running.ports['pool']}, and the " in line and len(line) < 200
    check_nothing_half_written(work)


def test_a_job_server_that_is_killed_ends_the_run_in_one_line(running, pictures, work):
    def strike(_):
        running.server.kill()
        running.server.wait()

    try:
        ended = struck(running, pictures, work, strike)
    finally:
        running.start_server()
    assert ended.status == 1
    (line,) = (line for line in ended.err.splitlines() if line.startswith("failed: "))
    assert f"the Beam job server at localhost:{running.ports['server']} went away" in line and len(line) < 200
    check_nothing_half_written(work)


def test_ctrl_c_ends_the_job_and_its_worker(running, pictures, work):
    ended = struck(running, pictures, work, lambda run: os.kill(run, signal.SIGINT))
    assert ended.status == 130, ended.err
    assert last_verdict(work)["outcome"] == "interrupted"
    end = time.monotonic() + 60
    while running.workers() and time.monotonic() < end:
        time.sleep(0.1)
    assert not running.workers()
    check_nothing_half_written(work)


@pytest.mark.parametrize("part", ["pool"])
def test_a_part_that_is_killed_while_the_evaluator_runs_ends_the_run_in_one_line(running, pictures, work, part):
    """The next run, with all parts there, takes the model that is trained and evaluates it."""
    settings = ("--config", "digits", "--set=training.epochs=1", "--set=training.importance_samples=20000")
    command = ("run", "--images", pictures, "--work", work, *settings, *running.arguments())
    run = start_darkroom(*command)
    end = time.monotonic() + 900
    while not (list(work.glob("artifacts/Evaluator/evaluation/*")) and running.workers()):
        assert time.monotonic() < end and Path(f"/proc/{run.pid}").exists(), run.wait(1)
        time.sleep(0.01)
    if part == "pool":
        running.pool.kill()
    else:
        for worker in running.workers():
            os.kill(worker, signal.SIGKILL)
    try:
        ended = run.wait()
    finally:
        running.restart()
    assert ended.status == 1, ended.err
    (line,) = (line for line in ended.err.splitlines() if line.startswith("failed: "))
    assert f"localhost:{running.ports['server']}" in line and len(line) < 200
    assert ("no worker pool answers" in line) == (part == "pool")
    assert not list(work.glob("artifacts/Evaluator/blessing/*/*LESSED")) and not list(work.glob("serving/[0-9]*"))
