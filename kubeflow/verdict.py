"""The exit handler: what came of a run as a whole, written down, posted, and said by the run's own state."""

from __future__ import annotations

import datetime
import json
import logging
import os
from dataclasses import asdict
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from kubeflow.records import PARTS, VERDICT, read_records, run_of, write_verdict
from pipeline import webhook
from pipeline.status import Status
from pipeline.verdict import Verdict as RunVerdict
from trainer.errors import GateRefused

LOGGER = logging.getLogger("darkroom.verdict")
LAST_STEP = "Report"


class Executor(base_executor.BaseExecutor):
    """See `Verdict`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes and posts the verdict.

        Raises:
            GateRefused: A gate has refused the model: the steps have ended well, the run has not.
        """
        output = artifact_utils.get_single_instance(output_dict["verdict"])
        registry = exec_properties["registry"]
        run = run_of(output.uri, "Verdict")
        verdict = summed_up(run, exec_properties["title"], exec_properties["images"], read_records(registry, run))
        path = write_verdict(registry, verdict)
        os.makedirs(output.uri, exist_ok=True)
        with open(os.path.join(output.uri, VERDICT), "w", encoding="utf-8") as file:
            json.dump(asdict(verdict), file, indent=2, ensure_ascii=False)
        LOGGER.info("the verdict is %s", path)
        post(os.environ.get(exec_properties["webhook_env"], ""), verdict)
        if verdict.status == Status.REFUSED and verdict.gate != "data":
            raise GateRefused(verdict.gate, verdict.reasons)


def summed_up(run: str, title: str, images: str, records: list[dict[str, Any]]) -> RunVerdict:
    """The verdict on a run by what its steps have left.

    Args:
        run: The run's id.
        title: What the pictures are.
        images: Where they came from.
        records: See `kubeflow.records.record_of`.
    """
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    verdict = RunVerdict(run=run, title=title, images=images, started=min((r.get("started", now) for r in records), default=now))
    for record in records:
        verdict.components.append({name: record[name] for name in ("name", "state", "seconds")})
        for part, value in record.get("verdict", {}).items():
            if part in PARTS:
                setattr(verdict, part, {**getattr(verdict, part), **value} if part == "model" else value)
    verdict.seconds = round(sum(record["seconds"] for record in records), 3)
    errors = [(record["name"], record["error"]) for record in records if "error" in record]
    if errors:
        name, error = max(errors, key=lambda found: found[1]["status"] == Status.FAULT)
        reasons = error["reasons"] if error["gate"] else [f"{name}: {reason}" for reason in error["reasons"]]
        verdict.end(Status(error["status"]), error["gate"], reasons)
    elif not any(record["name"] == LAST_STEP for record in records):
        verdict.end(Status.FAULT, None, ["the run ended before its last step: a container was stopped or could not start"])
    else:
        verdict.end(Status.PUSHED)
    return verdict


def last_words(folder: str) -> str:
    """The outcome and its reasons in a line, by the verdict that the step has left in its output's folder."""
    with open(os.path.join(folder, VERDICT), encoding="utf-8") as file:
        verdict = json.load(file)
    return f"{verdict['outcome']}: {'; '.join(verdict['reasons']) or 'a model is in service'}"


def post(address: str, verdict: RunVerdict) -> None:
    """Posts the verdict as JSON; a failure is said in the log and changes nothing. The address, a secret, is not said."""
    if not address:
        return
    try:
        webhook.post(address, verdict)
        LOGGER.info("posted the verdict")
    except webhook.NotPosted as error:
        LOGGER.warning("the verdict could not be posted: %s", error)


class VerdictSpec(ComponentSpec):
    """Outputs and parameters of `Verdict`."""

    PARAMETERS = {name: ExecutionParameter(type=str) for name in ("registry", "title", "images", "webhook_env")}
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"verdict": ChannelParameter(type=standard_artifacts.String)}


class Verdict(base_component.BaseComponent):
    """Runs when all else has ended, well or not.

    Args:
        registry: Where the steps have left what came of them.
        title: What the pictures are.
        images: Where they came from.
        webhook_env: The environment variable with the address that the verdict is posted to.
    """

    SPEC_CLASS = VerdictSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, *, registry: str, title: str, images: str, webhook_env: str):
        channel = types.Channel(type=standard_artifacts.String)
        spec = VerdictSpec(registry=registry, title=title, images=images, webhook_env=webhook_env, verdict=channel)
        super().__init__(spec=spec)
