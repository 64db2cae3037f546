"""A day with a server of Kubeflow Pipelines 2.17, by whatever Python has its newest SDK: see `test_newest_sdk`.

Args: the server's URL, a compiled pipeline, and `ours` for this project's client or `theirs` for `kfp.Client`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def by_ours(url: str, file: str) -> dict[str, Any]:
    """Run a pipeline, schedule it, change, pause, resume and remove the schedule, by this project's client."""
    from kubeflow.server.connection import connect
    from kubeflow.server.schedules import list_schedules, pause, remove, resume, schedule
    from kubeflow.server.submission import submit, wait_for

    connection = connect(url, environment={})
    run = submit(file, connection, parameters=["epochs=7"])
    again = submit(file, connection)
    first = schedule(file, connection, cron="0 3 * * *", name="nightly")
    same = schedule(file, connection, cron="0 3 * * *", name="nightly")
    moved = schedule(file, connection, every="6h", name="nightly", pipeline_root="s3://bucket/other")
    pause("nightly", connection)
    (paused,) = list_schedules(connection)
    resume("nightly", connection)
    (resumed,) = list_schedules(connection)
    removed, left = remove("nightly", connection)
    return {
        "uploaded": [run.version.uploaded, again.version.uploaded],
        "state": wait_for(connection, run.run_id, sleep=lambda _: None).state,
        "made": [first.made, same.made, moved.made],
        "removed": [moved.removed == [first.id], removed == [moved.id], left],
        "listed": [paused.written, paused.enabled, resumed.enabled, paused.version == run.version.name],
    }


def by_theirs(url: str, file: str) -> dict[str, Any]:
    """Upload a pipeline, run it and schedule it, by the newest `kfp.Client`."""
    import kfp

    client = kfp.Client(host=url)
    pipeline = client.upload_pipeline(file, pipeline_name="theirs")
    version = client.upload_pipeline_version(file, "second", pipeline_id=pipeline.pipeline_id)
    experiment = client.create_experiment("one")
    more = {
        "experiment_id": experiment.experiment_id,
        "pipeline_id": pipeline.pipeline_id,
        "version_id": version.pipeline_version_id,
        "params": {"epochs": 5, "rate": 0.001, "images": "a", "cached": True, "labels": ["cat"], "more": {"seed": 1}},
    }
    run = client.run_pipeline(job_name="a run", pipeline_root="s3://bucket/theirs", **more)
    made = client.create_recurring_run(
        job_name="nightly", cron_expression="0 0 3 * * *", no_catchup=True, max_concurrency=1, **more
    )
    client.disable_recurring_run(made.recurring_run_id)
    disabled = client.get_recurring_run(made.recurring_run_id).status
    client.delete_recurring_run(made.recurring_run_id)
    return {"state": client.wait_for_run_completion(run.run_id, 10).state, "disabled": disabled, "name": pipeline.name}


if __name__ == "__main__":
    address, compiled, whose = sys.argv[1:]
    found = {"ours": by_ours, "theirs": by_theirs}[whose](address, compiled)
    print(json.dumps(found))
