"""A real server, where KFP_HOST names one: runs a pipeline of one task there, schedules it, pauses and removes the schedule."""

from __future__ import annotations

import os
import uuid

import pytest

from kubeflow.server.connection import connect
from kubeflow.server.schedules import list_schedules, pause, remove, resume, schedule
from kubeflow.server.submission import submit, wait_for
from tests.kubeflow.tiny_pipeline import write_pipeline

pytestmark = pytest.mark.skipif(
    not os.environ.get("KFP_HOST"),
    reason="NOT RUN AGAINST A SERVER: set KFP_HOST (and KFP_TOKEN, KFP_NAMESPACE) to a server of Kubeflow Pipelines 2 to do so",
)


@pytest.fixture
def connection():
    return connect()


@pytest.fixture
def file(tmp_path):
    """A pipeline without a root: it would be sent, and no server has that of the other tests."""
    return write_pipeline(tmp_path, defaultPipelineRoot="")


def test_a_run(connection, file):
    run = submit(file, connection, experiment="darkroom smoke test")
    assert not submit(file, connection, experiment="darkroom smoke test").version.uploaded
    assert wait_for(connection, run.run_id, pause=5).well


def test_a_schedule(connection, file):
    name = f"darkroom-smoke-{uuid.uuid4().hex[:8]}"
    try:
        first = schedule(file, connection, cron="0 3 * * *", name=name, experiment="darkroom smoke test")
        assert not schedule(file, connection, cron="0 3 * * *", name=name).made
        second = schedule(file, connection, cron="0 4 1 1 *", name=name, experiment="darkroom smoke test")
        assert second.removed == [first.id] and not second.left
        (mine,) = [each for each in list_schedules(connection) if each.name == name]
        assert (mine.cron, mine.written, mine.enabled) == ("0 0 4 1 1 *", "0 4 1 1 *", True)
        pause(name, connection)
        assert not next(each for each in list_schedules(connection) if each.name == name).enabled
        resume(name, connection)
    finally:
        remove(name, connection)
