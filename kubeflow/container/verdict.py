"""Conclude a run on a cluster: write its verdict, set the state of the run by it, and post it."""

from __future__ import annotations

import datetime
import logging
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_artifacts

from common.errors import GateRefused
from components.declaration import DeclaredComponent, Parameter
from kubeflow.container.records import RUN_ENV, read_records, write_verdict
from pipeline.reporting import webhook
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import FILE, parse_verdict
from pipeline.verdict.verdict import Verdict as RunVerdict

LOGGER = logging.getLogger("darkroom.verdict")
LAST_STEP = "Report"
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """The executor of `Verdict`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write the verdict; raise GateRefused if a gate refused the model. The steps succeeded, but the run did not."""
        verdict = _leave(exec_properties, output_dict)
        if verdict.status == Status.REFUSED:
            raise GateRefused(verdict.gate, verdict.reasons)


class NotificationExecutor(base_executor.BaseExecutor):
    """The executor of `Notification`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write the verdict, because a run may fail before `Verdict`, and post it."""
        post(os.environ.get(exec_properties["webhook_env"], ""), _leave(exec_properties, output_dict))


def _leave(exec_properties: dict[str, Any], output_dict: Artifacts) -> RunVerdict:
    """Write the verdict on this run to the registry and to the output's folder. A run that is retried gets a new one."""
    registry, run = exec_properties["registry"], os.environ[RUN_ENV]
    verdict = summed_up(run, exec_properties["title"], exec_properties["images"], read_records(registry, run))
    LOGGER.info("the verdict is %s", write_verdict(registry, verdict))
    folder = artifact_utils.get_single_instance(output_dict["verdict"]).uri
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, FILE), "w", encoding="utf-8") as file:
        file.write(verdict.to_json())
    return verdict


def summed_up(run: str, title: str, images: str, records: list[dict[str, Any]]) -> RunVerdict:
    """Return the verdict on a run from the records of its steps; see `kubeflow.container.records.record_of`."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    verdict = RunVerdict(run=run, title=title, images=images, started=min((r.get("started", now) for r in records), default=now))
    for record in records:
        verdict.add(record["name"], record["state"], record["seconds"], record.get("verdict", {}))
    verdict.seconds = round(sum(record["seconds"] for record in records), 3)
    errors = [(record["name"], record["error"]) for record in records if "error" in record]
    if errors:
        name, error = max(errors, key=lambda entry: entry[1]["status"] == Status.FAULT)
        reasons = error["reasons"] if error["gate"] else [f"{name}: {reason}" for reason in error["reasons"]]
        verdict.end(Status(error["status"]), error["gate"], reasons)
    elif not any(record["name"] == LAST_STEP for record in records):
        verdict.end(Status.FAULT, None, ["the run ended before its last step: a container was stopped or could not start"])
    else:
        verdict.end(Status.PUSHED)
    return verdict


def outcome_line(folder: str) -> str:
    """Return the outcome and its reasons as one line, from the verdict in the step's output folder."""
    with open(os.path.join(folder, FILE), "rb") as file:
        verdict = parse_verdict(file.read())
    return f"{verdict.outcome}: {'; '.join(verdict.reasons) or 'a model is in service'}"


def post(address: str, verdict: RunVerdict) -> None:
    """Post the verdict as JSON. A failure is logged and has no other effect. The address is a secret and is not logged."""
    if not address:
        return
    try:
        webhook.post(address, verdict)
        LOGGER.info("posted the verdict")
    except webhook.NotPosted as error:
        LOGGER.warning("the verdict could not be posted: %s", error)


class Verdict(DeclaredComponent):
    """Write the verdict after the last step, and fail if a gate refused the model, so that the run fails too.

    An exit handler cannot do this: on Kubeflow Pipelines it is a hook, and its result does not change the state of the run.
    """

    EXECUTOR = Executor
    PARAMETERS = {
        "registry": Parameter(str),  # where the steps leave their records
        "title": Parameter(str),  # the subject of the pictures
        "images": Parameter(str),  # where the pictures came from
    }
    OUTPUTS = {"verdict": standard_artifacts.String}


class Notification(DeclaredComponent):
    """The exit handler. It runs after all other steps, whether they succeeded or not, and posts the verdict of every run."""

    EXECUTOR = NotificationExecutor
    PARAMETERS = Verdict.PARAMETERS | {"webhook_env": Parameter(str)}  # the variable with the address
    OUTPUTS = Verdict.OUTPUTS
