"""What runs in every container: TFX's own executor, with the gaps closed that open-source Kubeflow Pipelines leaves.

Its driver sends input artifacts without a type, on which TFX's entrypoint dies; its URIs (minio://, s3://) are none that
TensorFlow opens, but its launcher maps them to folders and uploads what is written there; and it runs no drivers, so that
nobody would look which spans there are. Vertex AI mounts gs:// at /gcs in the same way.
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
# Where the launcher puts what it has downloaded, and looks for what it is to upload.
FOLDERS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
# Our own artifacts' classes by their types' names: on a cluster a type's name has two parts, the path of a class more.
TYPES = {
    "darkroom.DataBlessing": "components.data_gate.artifacts.DataBlessing",
    "darkroom.Features": "components.feature_extractor.artifacts.Features",
    "darkroom.Quality": "components.sample_quality.artifacts.Quality",
    "darkroom.Report": "components.report.artifacts.Report",
}
VERDICTS = ("Verdict", "Notification")  # those that sum a run up
LOGS = "executor-logs"  # an output that newer drivers add, and their launchers write
MOUNTS_ENV = "DARKROOM_LAUNCHER_ROOT"  # the folder above those; / in a container
RECORD_PAUSES = (1.0, 5.0, 20.0)  # seconds between tries to leave a record
INDEX_ENV = "KFP_RETRY_INDEX"  # which of its tries a pod is, from 0, on Kubeflow Pipelines 2.17
TRY_ENV = "DARKROOM_TRY"  # which of its tries in one pod this process is, from 0


def main(arguments: Sequence[str] | None = None, sleep: Callable[[float], None] = time.sleep) -> int:
    """Runs one component; the arguments are those that `kubeflow.compile.compiler` writes, and TFX's compiler behind them.

    Args:
        arguments: None takes this process's own.
        sleep: What waits for a registry that is away.

    Returns:
        The exit status: see `pipeline.verdict.status`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _log_to(sys.stdout)
    parser = argparse.ArgumentParser(prog="python -m kubeflow.entrypoint", description=__doc__.partition("\n")[0])
    parser.add_argument("--component", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--retries", type=int, default=0)
    parser.add_argument("--pause", type=int, default=60)
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}")
    parsed, beam_args = parser.parse_known_args(arguments)

    # Imported here: it takes seconds, and what it prints is noise.
    from common.errors import GateRefused, InputError
    from kubeflow.container.records import RUN_ENV, record_of, run_of
    from kubeflow.container.verdict import last_words
    from pipeline.verdict.outcomes import NodeOutcome
    from pipeline.verdict.status import Status

    invocation = json.loads(parsed.json_serialized_invocation_args)
    uris = [artifact["uri"] for key, artifact in artifacts_of(invocation["outputs"]) if key != LOGS]
    try:
        run = os.environ[RUN_ENV] = run_of(uris[0] if uris else "(no output)", parsed.pipeline)
    except ValueError as problem:  # said before hours of work, of which nobody would ever know
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
    found = record.get("error")
    if error is None:
        said = last_words(outputs["verdict"].uri) if parsed.component in VERDICTS else record["said"]
        LOGGER.info("%s: %s", parsed.component, said or "done")
        return 0
    words = f"{parsed.component}: {Status(found['status']).word}: {'; '.join(found['reasons'])}"
    pause = pause_before_next(found["status"] == Status.FAULT, parsed.retries, parsed.pause)
    if pause is None:
        LOGGER.error("%s", words)
        return found["status"]
    LOGGER.warning("%s; tried again in %d s", words, pause)
    sleep(pause)
    return again(uris, sys.argv[1:] if arguments is None else arguments)


def pause_before_next(fault: bool, retries: int, pause: int) -> int | None:
    """Seconds until a step that failed is tried again in this very pod; None where it is not.

    As Kubeflow Pipelines 2.17 is installed, it starts no further pod for a step that failed, but only for one whose pod was lost:
    its workflow controller's configuration lays the policy OnError over the retries of every step. Whether a pod knows its
    number tells such servers from older ones, which do start it. Only a fault is tried again: a mistake or a refusal stays one.
    """
    done = int(os.environ.get(TRY_ENV, 0))
    return pause * 2**done if fault and os.environ.get(INDEX_ENV) == "0" and done < retries else None


def again(uris: Sequence[str], arguments: Sequence[str]) -> int:
    """Begins anew, in a new process of the same number; what the outputs' folders hold of the last try is removed."""
    for uri in uris:
        shutil.rmtree(to_folder(uri), ignore_errors=True)
    os.environ[TRY_ENV] = str(int(os.environ.get(TRY_ENV, 0)) + 1)
    os.execv(sys.executable, [sys.executable, "-m", "kubeflow.entrypoint", *arguments])
    raise AssertionError("execv does not return")


def leave_record(registry: str, run: str, record: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> None:
    """Leaves a step's record, in a few tries; that a registry stays away is said, and does not undo what the step has done."""
    from kubeflow.container.records import write_record

    for pause in (*RECORD_PAUSES, None):
        try:
            write_record(registry, run, record)
            return
        except Exception as error:  # each store has its own
            words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            if pause is None:
                LOGGER.error(
                    "the record for Verdict, which will not know of this step, could not be left in %s: %s", registry, words
                )
            else:
                LOGGER.warning("the record cannot be left in %s (%s); once more in %g s", registry, words, pause)
                sleep(pause)


def run_component(parsed: argparse.Namespace, invocation: dict[str, Any], beam_args: list[str]) -> dict[str, Any]:
    """Runs TFX's executor on an invocation that is mended first; gives the outputs as `NodeOutcome` has them.

    Raises:
        Exception: What the component raised.
    """
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
    found: dict[str, Any] = {}
    if issubclass(import_utils.import_class_by_path(parsed.executor_class_path), BaseExampleGenExecutor):
        found = run_driver(invocation)
    parsed.json_serialized_invocation_args = json.dumps(invocation)
    kubeflow_v2_run_executor._run_executor(parsed, beam_args)

    with open(invocation["outputs"]["outputFile"], encoding="utf-8") as file:
        written = json.load(file)
    outputs = {}
    for key, artifact in artifacts_of(written):
        artifact.setdefault("metadata", {}).update(found)
        outputs[key] = Output(artifact["uri"], whole_numbers(artifact["metadata"]))
        if artifact.get("name") == artifact["uri"]:
            del artifact["name"]
        artifact["uri"] = to_uri(artifact["uri"])
    with open(invocation["outputs"]["outputFile"], "w", encoding="utf-8") as file:
        json.dump(written, file)
    return outputs


def artifacts_of(part: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The artifacts of an invocation's inputs or outputs, each with its key."""
    return [(key, one) for key, many in part.get("artifacts", {}).items() for one in many.get("artifacts", ())]


def fill_in_types(invocation: dict[str, Any], spec: dict[str, Any]) -> None:
    """Gives each input artifact the type that the component's definition says, and a name, by which TFX tells them apart.

    What was delivered says nothing: nothing (Kubeflow Pipelines), or system.Artifact of all (the SDK's `kfp.local`).
    """
    for key, artifact in artifacts_of(invocation.get("inputs", {})):
        artifact["type"] = spec["artifacts"][key]["artifactType"]
        artifact["name"] = artifact.get("name") or artifact["uri"]


def drop_absent(invocation: dict[str, Any]) -> None:
    """Leaves out inputs that stand for nothing: see `components.baselines.registry`."""
    from components.baselines.registry import ABSENT

    inputs = invocation.get("inputs", {}).get("artifacts", {})
    absent = [key for key, artifact in artifacts_of(invocation.get("inputs", {})) if artifact.get("metadata", {}).get(ABSENT)]
    for key in absent:
        del inputs[key]


def to_folders(invocation: dict[str, Any]) -> None:
    """Writes the launcher's folders in place of URIs; those of outputs are made, and name outputs without a name.

    So are those of inputs: a folder with nothing in it is lost when it is uploaded.
    """
    for _, artifact in artifacts_of(invocation.get("inputs", {})):
        uri, artifact["uri"] = artifact["uri"], to_folder(artifact["uri"])
        if artifact["uri"] != uri:
            os.makedirs(artifact["uri"], exist_ok=True)
    for _, artifact in artifacts_of(invocation["outputs"]):
        artifact["uri"] = to_folder(artifact["uri"])
        artifact["name"] = artifact.get("name") or artifact["uri"]  # else TFX warns of each, with all that is in it
        os.makedirs(artifact["uri"], exist_ok=True)


def to_folder(uri: str) -> str:
    """The folder that the launcher maps a URI to; what it maps none to stays what it is."""
    for scheme, folder in FOLDERS.items():
        if uri.startswith(scheme):
            return f"{_mounts()}{folder}{uri[len(scheme) :]}"
    return uri


def to_uri(folder: str) -> str:
    """The reverse of `to_folder`."""
    for scheme, mounted in FOLDERS.items():
        if folder.startswith(f"{_mounts()}{mounted}"):
            return f"{scheme}{folder[len(_mounts()) + len(mounted) :]}"
    return folder


def run_driver(invocation: dict[str, Any]) -> dict[str, Any]:
    """Does what the driver of `ImageExampleGen` does elsewhere: finds the latest span and what has changed.

    Returns:
        What the examples' properties are to say of it.
    """
    from tfx.components.example_gen import utils
    from tfx.types import standard_component_specs as specs

    from components.image_example_gen.discovery.find import find_sources
    from components.image_example_gen.options import unpack_options

    given = invocation["inputs"]["parameterValues"]
    sources = find_sources(given[specs.INPUT_BASE_KEY], unpack_options(given[specs.CUSTOM_CONFIG_KEY]))
    return {utils.SPAN_PROPERTY_NAME: sources.span, utils.FINGERPRINT_PROPERTY_NAME: sources.fingerprint}


def whole_numbers(metadata: dict[str, Any]) -> dict[str, Any]:
    """Properties as ML Metadata has them: JSON knows no whole numbers."""
    return {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in metadata.items()}


def _log_to(stream: IO[str]) -> None:
    """Our own lines, and of libraries what is amiss."""
    handler = logging.StreamHandler(stream)
    # Not by the libraries' levels: TFX's entrypoint sets absl's to INFO.
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.partition(".")[0] == "darkroom")
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")  # of Python versions to come


def _mounts() -> str:
    return os.environ.get(MOUNTS_ENV, "/").rstrip("/")


if __name__ == "__main__":
    sys.exit(main())
