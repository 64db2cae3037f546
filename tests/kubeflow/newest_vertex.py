"""A day with Vertex AI's stand-in, by whatever Python has the newest google-cloud-aiplatform: see `test_vertex_schema`.

Args: a compiled pipeline.
"""

from __future__ import annotations

import json
import sys
from typing import Any


class Patches:
    """What `vertex_server` takes pytest's monkeypatch for, which the newest environment has none of; nothing is put back."""

    def setattr(self, of: Any, name: str, value: Any, raising: bool = True) -> None:
        """Sets what has to be there."""
        assert hasattr(of, name), name
        setattr(of, name, value)


def a_day(file: str) -> dict[str, Any]:
    """Run a pipeline and schedule it by this project's client, and give what was sent."""
    from google.cloud import aiplatform
    from google.protobuf import json_format

    from kubeflow.server import vertex
    from kubeflow.server.connection import Retry
    from tests.kubeflow.vertex_server import vertex_server

    place = vertex.Place("a-project", "europe-west4", Retry(sleep=lambda _: None))
    with vertex_server(Patches()) as server:
        run = vertex.submit(file, place, service_account="me@a-project")
        ending = vertex.wait_for(run.run_id, place)
        first = vertex.schedule(file, place, cron="0 3 * * *", name="nightly")
        again = vertex.schedule(file, place, cron="0 3 * * *", name="nightly")
        moved = vertex.schedule(file, place, every="6h", name="nightly")
        vertex.pause("nightly", place)
        (paused,) = vertex.list_schedules(place)
        vertex.resume("nightly", place)
        removed = vertex.remove("nightly", place)
        (job,) = server.jobs.values()
        sent = json_format.MessageToDict(type(job).pb(job))
    return {
        "version": aiplatform.__version__,
        "state": ending.state,
        "made": [first.made, again.made, moved.made],
        "removed": [moved.removed == [first.id], removed == ([moved.id], [])],
        "listed": [paused.written, paused.enabled],
        "job": sent,
    }


if __name__ == "__main__":
    print(json.dumps(a_day(sys.argv[1])))
