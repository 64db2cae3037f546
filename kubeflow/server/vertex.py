"""Run and schedule a compiled pipeline on Vertex AI Pipelines, with google-cloud-aiplatform.

This module has been tested with the library's own classes and a replaced client, not with a cloud: the behavior of Vertex AI itself
is not known. It uses only the default credentials of Google's libraries.

The library creates the bucket of the pipeline root if it does not exist.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from common.errors import InputError
from kubeflow.compile.packages import Package, fill_parameters, fingerprint, read_package
from kubeflow.server.connection import Conflict, LostAnswer, NotFound, Retry, ServerFault, poll
from kubeflow.server.cron import every_as_cron, parse_cron, to_vertex
from kubeflow.server.schedules import Left, Listed, Scheduled, delete_all, required
from kubeflow.server.submission import Ending, Submission, Version, last_answer

_LABEL = "darkroom-fingerprint"
_SLUG = 106  # characters of the name in a job's id, which has at most 128 and also contains the version and a number


@dataclass(frozen=True)
class Place:
    """A project and a region of Vertex AI, and how to retry requests."""

    project: str
    region: str
    retry: Retry = Retry()


def find_place(
    project: str | None = None, region: str | None = None, environment: Mapping[str, str] | None = None, retry: Retry | None = None
) -> Place:
    """Return the project and region of the options, else of GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_REGION, or raise InputError."""
    environment = os.environ if environment is None else environment
    project = project or environment.get("GOOGLE_CLOUD_PROJECT")
    region = region or environment.get("GOOGLE_CLOUD_REGION")
    if not project:
        raise InputError("Vertex AI needs a project: say --project, or set GOOGLE_CLOUD_PROJECT")
    if not region:
        raise InputError("Vertex AI needs a region: say --region, such as europe-west4, or set GOOGLE_CLOUD_REGION")
    return Place(project, region, retry or Retry())


def submit(
    file: str | Path,
    place: Place,
    *,
    parameters: Sequence[str] = (),
    pipeline_root: str | None = None,
    run_name: str | None = None,
    service_account: str | None = None,
) -> Submission:
    """Run a compiled pipeline, without a platform document, on Vertex AI.

    The arguments are those of `kubeflow.server.submission.submit`. The pipeline root is gs://..., and the default of the run's name
    the pipeline's.

    Raises:
        InputError: The package is not installed, the arguments or the file are not valid, or Vertex AI refuses.
        ServerFault: Vertex AI fails.
    """
    package, values, root = _prepared(file, parameters, pipeline_root)
    library = _library()
    job_id = f"{_slug(package.name)}-{package.version}-{uuid.uuid4().hex[:8]}"
    job = _job(library, place, package, values, root, job_id=job_id, display_name=run_name or package.name)
    place.retry.make(
        lambda: _asked(lambda: job.submit(service_account=service_account)) or job_id, lambda: _there(library, place, job_id)
    )
    return Submission(job_id, _run_url(place, job_id), run_name or package.name, _version(package), root)


def wait_for(run_id: str, place: Place, tell: Callable[[str], None] = lambda state: None, **polling: Any) -> Ending:
    """Wait until a run ends; see `kubeflow.server.submission.wait_for`."""
    answers = poll(partial(_get_job, _library(), place, run_id), **{"pause": 30.0, **polling})
    job = last_answer(answers, lambda job: _state_of(job.gca_resource), ("SUCCEEDED", "FAILED", "CANCELLED"), tell).gca_resource
    failed = sorted({task.task_name for task in job.job_detail.task_details if task.state.name == "FAILED"})
    return Ending(_state_of(job), " ".join(job.error.message.split()), tuple(failed))


def _state_of(job: Any) -> str:
    return job.state.name.removeprefix("PIPELINE_STATE_")


def schedule(
    file: str | Path,
    place: Place,
    *,
    cron: str | None = None,
    every: str | None = None,
    timezone: str | None = None,
    name: str | None = None,
    parameters: Sequence[str] = (),
    pipeline_root: str | None = None,
    service_account: str | None = None,
) -> Scheduled:
    """Run a compiled pipeline on Vertex AI repeatedly, one run at a time.

    The arguments, the result and the errors are those of `kubeflow.server.schedules.schedule`. So is the order: the new schedule is
    active before older ones of its name are deleted. --every must be an interval that a cron expression can represent.
    """
    if (cron is None) == (every is None):
        raise InputError("say either --cron '0 3 * * *' or --every 6h")
    when = to_vertex(every_as_cron(every) if cron is None else cron, timezone)
    package, values, root = _prepared(file, parameters, pipeline_root)
    name = _findable(name or package.name)
    print_now = fingerprint(package.version, values, root, service_account, when)
    library = _library()
    older = _of_name(library, place, name)
    same = next((each for each in older if _active(each) and _job_of(each).labels.get(_LABEL) == print_now), None)
    if same is not None:
        removed, left = _delete(place, [each for each in older if each is not same])
        return Scheduled(name, same.gca_resource.name, when, _version(package), False, removed, left, root=root)
    job = _job(library, place, package, values, root, display_name=name, labels={_LABEL: print_now})
    before = {each.gca_resource.name for each in older}

    def make() -> Any:
        made = library.PipelineJobSchedule(pipeline_job=job, display_name=name, project=place.project, location=place.region)
        made.create(cron=when, max_concurrent_run_count=1, allow_queueing=False, service_account=service_account)
        return made

    def look_up() -> Any | None:
        return next((each for each in _of_name(library, place, name) if each.gca_resource.name not in before), None)

    made = place.retry.make(lambda: _asked(make), look_up)
    _check_active(place, made)
    woken = bool(older) and not any(map(_active, older))
    removed, left = _delete(place, older)
    return Scheduled(name, made.gca_resource.name, when, _version(package), True, removed, left, woken, root)


def pause(name: str, place: Place) -> list[str]:
    """Stop a schedule from firing, without deleting it; see `kubeflow.server.schedules.pause`."""
    items = [each for each in _required(place, name) if _active(each)]
    for each in items:
        place.retry.call(partial(_asked, each.pause))
    return [each.gca_resource.name for each in items]


def resume(name: str, place: Place) -> str:
    """Make the newest schedule of a name fire again, without missed runs; see `kubeflow.server.schedules.resume`."""
    newest = max(_required(place, name), key=lambda each: each.gca_resource.create_time.timestamp())
    if not _active(newest):
        place.retry.call(lambda: _asked(newest.resume))
        _check_active(place, newest)
    return newest.gca_resource.name


def remove(name: str, place: Place) -> tuple[list[str], list[Left]]:
    """Delete a schedule; see `kubeflow.server.schedules.remove`."""
    return _delete(place, _required(place, name))


def list_schedules(place: Place) -> list[Listed]:
    """Return all schedules of the project in the region, sorted by name."""
    result = _all(_library(), place)
    return [_listed(each) for each in sorted(result, key=lambda each: each.gca_resource.display_name)]


def _library() -> Any:
    """Import google-cloud-aiplatform on demand: the import takes many seconds, and prints dozens of warnings."""
    from common.quiet import hushed

    try:
        with hushed():
            from google.cloud import aiplatform
    except ImportError:
        raise InputError("Vertex AI needs one more package: pip install 'darkroom-tfx[vertex]'") from None
    return aiplatform


def _prepared(file: str | Path, parameters: Sequence[str], root: str | None) -> tuple[Package, dict[str, Any], str]:
    package = read_package(file)
    if package.platform:
        raise InputError(f"{package.path} has settings for Kubernetes, which Vertex AI does not take: compile it for Vertex AI")
    if (
        package.registry and _slug(package.name) != package.name
    ):  # otherwise `kubeflow.container.records` could not find the run's id in URIs
        raise InputError(
            f"the pipeline {package.name} cannot run on Vertex AI, where jobs have its name: it must begin with a small letter and "
            f"have at most {_SLUG}; set cluster.name, and compile it anew"
        )
    root = root or package.pipeline_root
    if not root.startswith("gs://"):
        raise InputError(f"Vertex AI needs a pipeline root in Cloud Storage, not {root!r}: say --pipeline-root gs://BUCKET/FOLDER")
    return package, fill_parameters(package, parameters), root


def _job(library: Any, place: Place, package: Package, values: dict[str, Any], root: str, **more: Any) -> Any:
    return _asked(
        lambda: library.PipelineJob(
            template_path=str(package.path),
            parameter_values=values,
            pipeline_root=root,
            project=place.project,
            location=place.region,
            **more,
        )
    )


def _asked(ask: Callable[[], Any]) -> Any:
    """Send one request to Vertex AI, and turn its errors into one-line messages."""
    from google.api_core import exceptions as api
    from google.auth.exceptions import GoogleAuthError

    try:
        return ask()
    except (api.ServiceUnavailable, api.BadGateway, api.GatewayTimeout, api.RetryError) as error:  # includes DeadlineExceeded
        raise LostAnswer(f"Vertex AI does not answer ({_line(error)})") from None
    except api.NotFound as error:
        raise NotFound(f"Vertex AI does not have it: {_line(error)}") from None
    except api.Conflict as error:
        raise Conflict(f"Vertex AI has it already: {_line(error)}") from None
    except api.ClientError as error:
        raise InputError(f"Vertex AI refuses ({error.code}): {_line(error)}") from None
    except api.GoogleAPICallError as error:
        raise ServerFault(f"Vertex AI fails: {_line(error)}") from None
    except GoogleAuthError as error:
        raise InputError(f"Google's default credentials are missing or refused: {_line(error)}") from None
    except ValueError as error:  # the library's checks of names and labels
        raise InputError(f"google-cloud-aiplatform refuses: {_line(error)}") from None


def _get_job(library: Any, place: Place, job_id: str) -> Any:
    return place.retry.call(lambda: _asked(lambda: library.PipelineJob.get(job_id, project=place.project, location=place.region)))


def _there(library: Any, place: Place, job_id: str) -> str | None:
    try:
        _get_job(library, place, job_id)
    except NotFound:
        return None
    return job_id


def _all(library: Any, place: Place, filter: str | None = None) -> list[Any]:
    ask = library.PipelineJobSchedule.list
    return place.retry.call(lambda: _asked(lambda: ask(filter=filter, project=place.project, location=place.region)))


def _of_name(library: Any, place: Place, name: str) -> list[Any]:
    return [each for each in _all(library, place, f'display_name="{name}"') if each.gca_resource.display_name == name]


def _findable(name: str) -> str:
    if '"' in name or "\\" in name:
        raise InputError(f"--name {name!r}: quotation marks and backslashes cannot be looked up on Vertex AI")
    return name


def _required(place: Place, name: str) -> list[Any]:
    name, library = _findable(name), _library()
    return required(name, _of_name(library, place, name), lambda: [each.gca_resource.display_name for each in _all(library, place)])


def _active(schedule: Any) -> bool:
    return schedule.gca_resource.state.name == "ACTIVE"


def _job_of(schedule: Any) -> Any:
    return schedule.gca_resource.create_pipeline_job_request.pipeline_job


def _check_active(place: Place, schedule: Any) -> None:
    state = place.retry.call(lambda: _asked(lambda: schedule.state.name))
    if state != "ACTIVE":
        name = schedule.gca_resource.name
        raise ServerFault(f"Vertex AI has taken the schedule {name}, but it is {state}; no other was touched")


def _delete(place: Place, schedules: Sequence[Any]) -> tuple[list[str], list[Left]]:
    return delete_all(schedules, _id_of, _active, lambda schedule: place.retry.call(partial(_asked, schedule.delete)))


def _id_of(schedule: Any) -> str:
    return schedule.gca_resource.name


def _listed(schedule: Any) -> Listed:
    result = schedule.gca_resource
    return Listed(
        name=result.display_name,
        id=result.name,
        cron=result.cron,
        written=_without_zone(result.cron),
        enabled=_active(schedule),
        version=_job_of(schedule).labels.get(_LABEL, ""),
        last=result.last_scheduled_run_response.scheduled_run_time if "last_scheduled_run_response" in result else None,
        next=result.next_run_time if "next_run_time" in result else None,
    )


def _without_zone(cron: str) -> str | None:
    """Return the user's five fields; None for a cron expression that this module would not have written."""
    fields = cron.split()
    try:
        return parse_cron(" ".join(fields[1:] if "=" in fields[0] else fields))
    except (InputError, IndexError):
        return None


def _version(package: Package) -> Version:
    """Return a version without ids, because Vertex AI stores no pipelines: each run contains its own."""
    return Version("", "", package.version, False)


def _run_url(place: Place, job_id: str) -> str:
    console = "https://console.cloud.google.com/vertex-ai/locations"
    return f"{console}/{place.region}/pipelines/runs/{job_id}?project={place.project}"


def _slug(name: str) -> str:
    """Return a pipeline's name in the form of an id, which begins with a letter."""
    slug = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower()).strip("-")[:_SLUG]
    return slug if slug[:1].isalpha() else f"run-{slug}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
