"""The newest SDK's own models under this project's client, and the newest client against the stand-in for its server."""

from __future__ import annotations

import json
import os
import subprocess

from tests.kubeflow.api_server import api_server
from tests.kubeflow.published import NEWEST, ROOT, usable
from tests.kubeflow.tiny_pipeline import DEFAULTS, write_pipeline


def a_day(server, folder, whose):
    """What `newest_sdk` says of a day with a server."""
    file = write_pipeline(folder)
    done = subprocess.run(
        [NEWEST, "-W", "ignore", ROOT / "tests/kubeflow/newest_sdk.py", server.url, file, whose],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_this_projects_client_by_the_newest_models(tmp_path):
    with api_server(release=usable("2.17")) as server:
        assert a_day(server, tmp_path, "ours") == {
            "uploaded": [True, False],
            "state": "SUCCEEDED",
            "made": [True, False, True],
            "removed": [True, True, []],
            "listed": ["every 6h", False, True, True],
        }
        first, second = server.runs.values()
        assert first["runtime_config"] == {"parameters": {**DEFAULTS, "epochs": 7}, "pipeline_root": "gs://bucket/root"}
        assert second["runtime_config"]["parameters"] == DEFAULTS


def test_the_newest_client_can_use_the_stand_in(tmp_path):
    with api_server(release=usable("2.17")) as server:
        assert a_day(server, tmp_path, "theirs") == {"state": "SUCCEEDED", "disabled": "DISABLED", "name": "theirs"}
        (run,) = server.runs.values()
        assert run["runtime_config"]["pipeline_root"] == "s3://bucket/theirs"
