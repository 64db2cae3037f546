"""Run a compiled pipeline on a server of Kubeflow Pipelines."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from common.errors import InputError
from kubeflow.compile.packages import Package, fill_parameters, read_package
from kubeflow.server.connection import Connection, ServerFault, poll

_EXPERIMENT = 128  # maximum bytes of a name; 2.17 answers 500 to longer ones (backend/src/apiserver/validation/length.go)
_ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")


@dataclass(frozen=True)
class Version:
    """A version of a pipeline on a server."""

    pipeline_id: str  # the id of the pipeline on the server
    version_id: str  # the id of the version
    name: str  # the name of the version, derived from the content
    uploaded: bool  # whether it was uploaded now


@dataclass(frozen=True)
class Submission:
    """A run that a server has accepted."""

    run_id: str  # its id
    url: str  # its page in the user interface
    name: str  # its name
    version: Version  # the version that it runs
    root: str = ""  # the root of its outputs; '' leaves it to the server


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    state: str  # the state in the server's terms
    why: str  # the server's message, if any
    failed: tuple[str, ...] = ()  # the names of the tasks that failed

    @property
    def well(self) -> bool:
        """True if the run succeeded."""
        return self.state in ("SUCCEEDED", "SKIPPED")


def submit(
    file: str | Path,
    connection: Connection,
    *,
    parameters: Sequence[str] = (),
    experiment: str | None = None,
    pipeline_root: str | None = None,
    run_name: str | None = None,
    service_account: str | None = None,
) -> Submission:
    """Run a compiled pipeline, uploaded if the server does not have it. The returned run may not have begun.

    Args:
        file: The compiled pipeline.
        connection: The server.
        parameters: NAME=VALUE for each given value; every other parameter gets the file's default.
        experiment: The name of the experiment, which is created if missing; None takes the pipeline's name.
        pipeline_root: The root of outputs. None takes that of the file, which no server reads on its own; if the file has none, the
            server decides.
        run_name: The name of the run; None combines the pipeline's name and the time.
        service_account: The Kubernetes service account of the run's pods; None leaves it to the server.

    Raises:
        InputError: The file or the parameters are not valid, or the server refuses.
        ServerFault: The server fails.
    """
    import kfp_server_api as api

    package = read_package(file)
    values = fill_parameters(package, parameters)
    root = pipeline_root or package.pipeline_root
    version = ensure_version(connection, package)
    experiment_id = ensure_experiment(connection, experiment or package.name)
    name = run_name or f"{package.name} {datetime.now(timezone.utc):%Y-%m-%d %H-%M-%S}"
    mark = new_mark(package)
    body = api.V2beta1Run(
        experiment_id=experiment_id,
        display_name=name,
        description=mark,
        pipeline_version_reference=reference(version),
        runtime_config=api.V2beta1RuntimeConfig(parameters=values, pipeline_root=root or None),
        service_account=service_account,
    )

    def look_up() -> Any | None:
        result = connection.named("Run", "list_runs", "runs", name, experiment_id=experiment_id)
        return next((run for run in result if run.description == mark), None)

    run = connection.make(look_up, "Run", "create_run", body=body)
    return Submission(run.run_id, connection.page_url(f"runs/details/{run.run_id}"), name, version, root)


def ensure_version(connection: Connection, package: Package) -> Version:
    """Upload a pipeline, or a version of it, unless the server has it; raise InputError if it refuses, ServerFault if it fails."""
    import kfp_server_api as api

    def pipelines(find: Callable[..., list[Any]]) -> Any | None:
        return next(iter(find("Pipeline", "list_pipelines", "pipelines", package.name, **_namespace(connection))), None)

    # Create the pipeline without a version: uploading the file would create a first version with the pipeline's name.
    pipeline = pipelines(connection.named) or connection.make(
        lambda: pipelines(connection.named) or pipelines(connection.renamed),
        "Pipeline",
        "create_pipeline",
        body=api.V2beta1Pipeline(display_name=package.name, namespace=connection.namespace),
    )

    def versions(find: Callable[..., list[Any]]) -> Any | None:
        scope = {"pipeline_id": pipeline.pipeline_id}
        return next(iter(find("Pipeline", "list_pipeline_versions", "pipeline_versions", package.version, **scope)), None)

    existing = versions(connection.named)
    version = existing or connection.make(
        lambda: versions(connection.named) or versions(connection.renamed),
        "PipelineUpload",
        "upload_pipeline_version",
        uploadfile=str(package.path),
        name=package.version,
        pipelineid=pipeline.pipeline_id,
    )
    return Version(pipeline.pipeline_id, version.pipeline_version_id, package.version, existing is None)


def ensure_experiment(connection: Connection, name: str) -> str:
    """Return the id of an experiment, which is created if missing. The errors are those of `ensure_version`."""
    import kfp_server_api as api

    if len(name.encode()) > _EXPERIMENT:
        raise InputError(f"--experiment takes {len(name.encode())} bytes, at most {_EXPERIMENT} are kept: {name}")

    def look_up() -> Any | None:
        return next(iter(connection.named("Experiment", "list_experiments", "experiments", name, **_namespace(connection))), None)

    body = api.V2beta1Experiment(display_name=name, namespace=connection.namespace)
    result = look_up() or connection.make(look_up, "Experiment", "create_experiment", body=body)
    return result.experiment_id


def reference(version: Version) -> Any:
    """Return the reference to a version that runs and recurring runs use."""
    import kfp_server_api as api

    return api.V2beta1PipelineVersionReference(pipeline_id=version.pipeline_id, pipeline_version_id=version.version_id)


def new_mark(package: Package) -> str:
    """Return a unique description. It identifies a run after a lost answer, because names of runs repeat."""
    return f"darkroom, version {package.version}, submission {uuid.uuid4().hex}"


def wait_for(connection: Connection, run_id: str, tell: Callable[[str], None] = lambda state: None, **polling: Any) -> Ending:
    """Wait until a run ends.

    Args:
        connection: The server.
        run_id: The run.
        tell: Called with each new state.
        **polling: See `kubeflow.server.connection.poll`.

    Raises:
        InputError: There is no such run, or the server denies access.
        ServerFault: The server fails, or has not answered for long; the run continues.
    """

    def state_of(run: Any) -> str | None:
        if run.state is None and run.error:
            raise ServerFault(f"{connection.host} cannot tell how run {run_id} is: {run.error.message}")
        return run.state

    return _ending(last_answer(poll(lambda: connection.call("Run", "get_run", run_id=run_id), **polling), state_of, _ENDED, tell))


def last_answer(
    answers: Iterator[Any], state_of: Callable[[Any], str | None], ended: Collection[str], tell: Callable[[str], None]
) -> Any:
    """Tell each new state of a run, and return the answer in which it has ended."""
    last = None
    for answer in answers:
        state = state_of(answer)
        if state and state != last:
            last = state
            tell(state)
        if last in ended:
            return answer
    raise AssertionError("the answers never end")


def _ending(run: Any) -> Ending:
    """Return the state, and for a failed run the server's error message, or else the tasks that failed."""
    details = run.run_details.task_details if run.run_details else None
    failed = sorted({task.display_name for task in details or () if task.state == "FAILED" and task.display_name})
    if run.error and run.error.message:
        why = " ".join(run.error.message.split())
    else:
        why = f"failed: {', '.join(failed)}" if failed else ""
    return Ending(run.state, why, tuple(failed))


def _namespace(connection: Connection) -> dict[str, str]:
    return {"namespace": connection.namespace} if connection.namespace else {}
