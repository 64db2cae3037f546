"""Run a component in a container: TFX's executor, and workarounds for gaps of open-source Kubeflow Pipelines.

Its driver sends input artifacts without a type, on which TFX's entrypoint fails. TensorFlow cannot open its URIs (minio://, s3://),
but its launcher maps them to folders and uploads the files in them. It runs no drivers, so that nothing would look for spans.
Vertex AI mounts gs:// at /gcs in the same way.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import IO, Any

LOGGER = logging.getLogger("darkroom.entrypoint")
# The folders to which the launcher downloads, and from which it uploads.
FOLDERS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
# The classes of the project's artifact types by name. On a cluster the name of a type has two parts, a class path has more.
TYPES = {
    "darkroom.DataBlessing": "components.artifacts.DataBlessing",
    "darkroom.Features": "components.artifacts.Features",
    "darkroom.Quality": "components.artifacts.Quality",
    "darkroom.Report": "components.artifacts.Report",
}
VERDICTS = ("Verdict", "Notification")  # the components that write the verdict of the run
LOGS = "executor-logs"  # an output that newer drivers add and their launchers write
MOUNTS_ENV = "DARKROOM_LAUNCHER_ROOT"  # the parent of these folders; / in a container
RECORD_PAUSES = (1.0, 5.0, 20.0)  # seconds between attempts to write a record
INDEX_ENV = "KFP_RETRY_INDEX"  # index of the pod among the attempts of a step, from 0, on Kubeflow Pipelines 2.17
TRY_ENV = "DARKROOM_TRY"  # index of this process among the attempts in one pod, from 0


def main(arguments: Sequence[str] | None = None, sleep: Callable[[float], None] = time.sleep) -> int:
    """Run one component, and return the exit status; see `pipeline.verdict.status`.

    The arguments are those of `kubeflow.compile.compiler`, followed by those of TFX's compiler; None takes those of this process.
    `sleep` waits between attempts.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _log_to(sys.stdout)
    parser = argparse.ArgumentParser(prog="python -m kubeflow.entrypoint", description=__doc__.partition("\n")[0])
    for name in ("--component", "--registry", "--pipeline", "--executor_class_path", "--json_serialized_invocation_args"):
        parser.add_argument(name, required=True)
    parser.add_argument("--retries", type=int, default=0)
    parser.add_argument("--pause", type=int, default=60)
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}")
    parsed, beam_args = parser.parse_known_args(arguments)

    # Imported here because it takes seconds, and prints noise.
    from common.errors import GateRefused, InputError
    from kubeflow.container.records import RUN_ENV, record_of, run_of
    from kubeflow.container.verdict import outcome_line
    from pipeline.verdict.outcomes import NodeOutcome
    from pipeline.verdict.status import Status

    invocation = json.loads(parsed.json_serialized_invocation_args)
    uris = [artifact["uri"] for key, artifact in artifacts_of(invocation["outputs"]) if key != LOGS]
    try:
        run = os.environ[RUN_ENV] = run_of(uris[0] if uris else "(no output)", parsed.pipeline)
    except ValueError as problem:  # fails before hours of work whose result could not be recorded
        LOGGER.error("%s: %s: which run this is, its outputs must tell: %s", parsed.component, Status.FAULT.word, problem)
        return int(Status.FAULT)
    begin, started = time.perf_counter(), time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    error: BaseException | None = None
    outputs: dict[str, Any] = {}
    try:
        outputs = run_component(parsed, invocation, beam_args)
    except Exception as caught:
        error = caught
        if not isinstance(caught, (GateRefused, InputError)):
            LOGGER.exception("the component failed")
    outcome = NodeOutcome(parsed.component, "failed" if error else "done", time.perf_counter() - begin, outputs, error)
    record = record_of(outcome) | {"started": started}
    if parsed.component not in VERDICTS:
        leave_record(parsed.registry, run, record, sleep)
    value = record.get("error")
    if error is None:
        result = outcome_line(outputs["verdict"].uri) if parsed.component in VERDICTS else record["said"]
        LOGGER.info("%s: %s", parsed.component, result or "done")
        return 0
    message = f"{parsed.component}: {Status(value['status']).word}: {'; '.join(value['reasons'])}"
    pause = pause_before_next(value["status"] == Status.FAULT, parsed.retries, parsed.pause)
    if pause is None:
        LOGGER.error("%s", message)
        return value["status"]
    LOGGER.warning("%s; retrying in %d s", message, pause)
    sleep(pause)
    return again(uris, sys.argv[1:] if arguments is None else arguments)


def pause_before_next(fault: bool, retries: int, pause: int) -> int | None:
    """Return the seconds until a failed step is retried in this pod; None if it is not.

    Kubeflow Pipelines 2.17, in its default installation, starts no new pod for a step that failed, only for a step whose pod was
    lost: the configuration of its workflow controller sets the policy OnError for the retries of every step. In such servers a pod
    knows its index. Older servers set no index, and start a new pod. Only a fault is retried: a mistake or a refusal would repeat.
    """
    done = int(os.environ.get(TRY_ENV, 0))
    return pause * 2**done if fault and os.environ.get(INDEX_ENV) == "0" and done < retries else None


def again(uris: Sequence[str], arguments: Sequence[str]) -> int:
    """Start again in a new program with the same process id, after removing the outputs of the last attempt."""
    for uri in uris:
        shutil.rmtree(to_folder(uri), ignore_errors=True)
    os.environ[TRY_ENV] = str(int(os.environ.get(TRY_ENV, 0)) + 1)
    os.execv(sys.executable, [sys.executable, "-m", "kubeflow.entrypoint", *arguments])
    raise AssertionError("execv does not return")


def leave_record(registry: str, run: str, record: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> None:
    """Write a step's record in several attempts.

    If the registry stays unavailable, an error is logged, and the result of the step stays valid.
    """
    from kubeflow.container.records import write_record

    for pause in (*RECORD_PAUSES, None):
        try:
            write_record(registry, run, record)
            return
        except Exception as error:  # each store has its own exceptions
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            if pause is None:
                LOGGER.error(
                    "the record for Verdict, which will not know of this step, could not be left in %s: %s", registry, reason
                )
            else:
                LOGGER.warning("the record cannot be left in %s (%s); once more in %g s", registry, reason, pause)
                sleep(pause)


def run_component(parsed: argparse.Namespace, invocation: dict[str, Any], beam_args: list[str]) -> dict[str, Any]:
    """Run TFX's executor on a corrected invocation, and return the outputs in the form of `NodeOutcome`."""
    from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
    from tfx.orchestration.kubeflow.v2 import compiler_utils
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
    from tfx.utils import import_utils

    from pipeline.verdict.outcomes import Output

    compiler_utils.TITLE_TO_CLASS_PATH.update(TYPES)
    spec = json.loads(parsed.json_serialized_inputs_spec_args)
    fill_in_types(invocation, spec)
    drop_absent(invocation)
    invocation["outputs"]["artifacts"].pop(LOGS, None)
    to_folders(invocation)
    invocation["outputs"]["outputFile"] = to_folder(invocation["outputs"]["outputFile"])
    result: dict[str, Any] = {}
    if issubclass(import_utils.import_class_by_path(parsed.executor_class_path), BaseExampleGenExecutor):
        result = run_driver(invocation)
    parsed.json_serialized_invocation_args = json.dumps(invocation)
    kubeflow_v2_run_executor._run_executor(parsed, beam_args)

    with open(invocation["outputs"]["outputFile"], encoding="utf-8") as file:
        written = json.load(file)
    outputs = {}
    for key, artifact in artifacts_of(written):
        artifact.setdefault("metadata", {}).update(result)
        outputs[key] = Output(artifact["uri"], whole_numbers(artifact["metadata"]))
        if artifact.get("name") == artifact["uri"]:
            del artifact["name"]
        artifact["uri"] = to_uri(artifact["uri"])
    with open(invocation["outputs"]["outputFile"], "w", encoding="utf-8") as file:
        json.dump(written, file)
    return outputs


def artifacts_of(part: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the artifacts of an invocation's inputs or outputs, each with its key."""
    return [(key, artifact) for key, many in part.get("artifacts", {}).items() for artifact in many.get("artifacts", ())]


def fill_in_types(invocation: dict[str, Any], spec: dict[str, Any]) -> None:
    """Give each input artifact the type of the component's definition, and a name, by which TFX distinguishes artifacts.

    The delivered type is useless: it is empty (Kubeflow Pipelines), or system.Artifact for all (the SDK's `kfp.local`).
    """
    for key, artifact in artifacts_of(invocation.get("inputs", {})):
        artifact["type"] = spec["artifacts"][key]["artifactType"]
        artifact["name"] = artifact.get("name") or artifact["uri"]


def drop_absent(invocation: dict[str, Any]) -> None:
    """Remove inputs that mark an absent artifact: see `components.baselines.registry`."""
    from components.baselines.registry import ABSENT

    inputs = invocation.get("inputs", {}).get("artifacts", {})
    absent = [key for key, artifact in artifacts_of(invocation.get("inputs", {})) if artifact.get("metadata", {}).get(ABSENT)]
    for key in absent:
        del inputs[key]


def to_folders(invocation: dict[str, Any]) -> None:
    """Replace URIs by the launcher's folders, create these folders, and name outputs that have no name.

    Folders of inputs are created too, because uploads lose empty folders.
    """
    for _, artifact in artifacts_of(invocation.get("inputs", {})):
        uri, artifact["uri"] = artifact["uri"], to_folder(artifact["uri"])
        if artifact["uri"] != uri:
            os.makedirs(artifact["uri"], exist_ok=True)
    for _, artifact in artifacts_of(invocation["outputs"]):
        artifact["uri"] = to_folder(artifact["uri"])
        artifact["name"] = artifact.get("name") or artifact["uri"]  # otherwise TFX logs a warning with the whole artifact
        os.makedirs(artifact["uri"], exist_ok=True)


def to_folder(uri: str) -> str:
    """Return the folder that the launcher maps a URI to, or the URI itself if it maps it to none."""
    for scheme, folder in FOLDERS.items():
        if uri.startswith(scheme):
            return f"{_mounts()}{folder}{uri[len(scheme) :]}"
    return uri


def to_uri(folder: str) -> str:
    """Return the URI that the launcher maps to a folder. It is the reverse of `to_folder`."""
    for scheme, mounted in FOLDERS.items():
        if folder.startswith(f"{_mounts()}{mounted}"):
            return f"{scheme}{folder[len(_mounts()) + len(mounted) :]}"
    return folder


def run_driver(invocation: dict[str, Any]) -> dict[str, Any]:
    """Do the work of the driver of `ImageExampleGen`: find the latest span and the fingerprint of the files.

    Return the corresponding properties of the examples.
    """
    from tfx.components.example_gen import utils
    from tfx.types import standard_component_specs as specs

    from components.image_example_gen.discovery.find import find_sources
    from components.image_example_gen.options import unpack_options

    given = invocation["inputs"]["parameterValues"]
    sources = find_sources(given[specs.INPUT_BASE_KEY], unpack_options(given[specs.CUSTOM_CONFIG_KEY]))
    return {utils.SPAN_PROPERTY_NAME: sources.span, utils.FINGERPRINT_PROPERTY_NAME: sources.fingerprint}


def whole_numbers(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return properties with the types of ML Metadata: JSON has no integers."""
    return {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in metadata.items()}


def _log_to(stream: IO[str]) -> None:
    """Log the project's own lines, and the warnings and errors of libraries."""
    handler = logging.StreamHandler(stream)
    # The libraries' log levels do not suffice: TFX's entrypoint sets absl's to INFO.
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.partition(".")[0] == "darkroom")
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")  # warnings about future Python versions


def _mounts() -> str:
    return os.environ.get(MOUNTS_ENV, "/").rstrip("/")


if __name__ == "__main__":
    sys.exit(main())
