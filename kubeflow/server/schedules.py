"""Create, list, pause, resume and remove recurring runs on a server of Kubeflow Pipelines.

The API cannot change a recurring run. A new one is therefore created and checked. Once it is in force, the older ones of its name
are disabled and deleted, so that there is always one in force. Older ones that cannot be deleted are reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from common.errors import InputError
from kubeflow.compile.packages import fill_parameters, read_package
from kubeflow.server.connection import Connection, NotFound, ServerFault
from kubeflow.server.cron import from_kfp, interval_in_words, parse_every, refuse_timezone, to_kfp
from kubeflow.server.submission import Version, ensure_experiment, ensure_version, new_mark, reference

_ACCOUNT = ", service account "  # in the description, because the server fills in its own account if none was given


@dataclass(frozen=True)
class Left:
    """An older recurring run that could not be deleted: its id, whether it still fires, and the reason."""

    id: str
    fires: bool
    why: str


@dataclass(frozen=True)
class Scheduled:
    """The result of `schedule`."""

    name: str  # the name of the schedule
    id: str  # the recurring run in force
    when: str  # its cron expression with seconds, or its interval
    version: Version  # the version that it runs
    made: bool  # whether it is new; otherwise the same schedule already existed
    removed: list[str] = field(default_factory=list)  # ids of the older ones of that name that were deleted
    left: list[Left] = field(default_factory=list)  # those that could not be deleted
    woken: bool = False  # whether an existing schedule of that name had been paused
    root: str = ""  # the root of its runs' outputs; '' leaves it to the server


@dataclass(frozen=True)
class Listed:
    """A schedule as listed by the server."""

    name: str  # its name
    id: str  # the id of the recurring run
    cron: str | None  # six fields, seconds first; None for an interval
    written: str | None  # in the user's notation: five fields, or an interval such as `every 6h`; None if that cannot represent it
    enabled: bool  # whether it fires
    version: str  # the name of the version, or its id if it has no name any more
    last: datetime | None  # when its last run was created; None before the first
    next: datetime | None = None  # when its next run is due; None, because the API v2beta1 does not return it


def schedule(
    file: str | Path,
    connection: Connection,
    *,
    cron: str | None = None,
    every: str | None = None,
    timezone: str | None = None,
    name: str | None = None,
    parameters: Sequence[str] = (),
    experiment: str | None = None,
    pipeline_root: str | None = None,
    service_account: str | None = None,
) -> Scheduled:
    """Run a compiled pipeline repeatedly, one run at a time. After missed times, one run starts, for the latest of them.

    Args:
        file: The compiled pipeline, which is uploaded if the server does not have it.
        connection: The server.
        cron: A user's cron expression.
        every: An interval, in place of `cron`.
        timezone: None or UTC.
        name: The name of the schedule; None takes the pipeline's. Other schedules of this name are replaced.
        parameters, experiment, pipeline_root, service_account: See `kubeflow.server.submission.submit`.

    Raises:
        InputError: The arguments or the file are not valid, or the server refuses.
        ServerFault: The server fails, or has created a schedule that does not fire; older ones stay in force.
    """
    import kfp_server_api as api

    trigger, when = _trigger(cron, every, timezone)
    package = read_package(file)
    values = fill_parameters(package, parameters)
    root = pipeline_root or package.pipeline_root
    name = name or package.name
    version = ensure_version(connection, package)
    experiment_id = ensure_experiment(connection, experiment or package.name)
    older = _of_name(connection, name)
    asked = (version, trigger, values, root, service_account, experiment_id)
    same = next((each for each in older if _is_same(each, *asked)), None)
    if same is not None:
        removed, left = _delete(connection, [each for each in older if each is not same])
        return Scheduled(name, same.recurring_run_id, when, version, False, removed, left, root=root)
    mark = new_mark(package) + (f"{_ACCOUNT}{service_account}" if service_account else "")
    body = api.V2beta1RecurringRun(
        display_name=name,
        description=mark,
        experiment_id=experiment_id,
        namespace=connection.namespace,
        pipeline_version_reference=reference(version),
        runtime_config=api.V2beta1RuntimeConfig(parameters=values, pipeline_root=root or None),
        service_account=service_account,
        trigger=trigger,
        max_concurrency="1",
        no_catchup=True,
        mode="ENABLE",
    )

    def look_up() -> Any | None:
        return next((each for each in _of_name(connection, name) if each.description == mark), None)

    made = connection.make(look_up, "RecurringRun", "create_recurring_run", body=body)
    _check_in_force(connection, made.recurring_run_id, name)
    woken = bool(older) and not any(map(_fires, older))
    removed, left = _delete(connection, older)
    return Scheduled(name, made.recurring_run_id, when, version, True, removed, left, woken, root)


def pause(name: str, connection: Connection) -> list[str]:
    """Stop a schedule from firing, without deleting it; return its ids. The errors are those of `schedule`."""
    result = _required(connection, name)
    for each in result:
        connection.call("RecurringRun", "disable_recurring_run", recurring_run_id=each.recurring_run_id)
    return [each.recurring_run_id for each in result]


def resume(name: str, connection: Connection) -> str:
    """Make a schedule fire again, and return its id. The errors are those of `schedule`.

    Of several with the same name only the newest is resumed, because two would run twice.
    """
    newest = max(_required(connection, name), key=lambda each: each.created_at)
    connection.call("RecurringRun", "enable_recurring_run", recurring_run_id=newest.recurring_run_id)
    _check_in_force(connection, newest.recurring_run_id, name)
    return newest.recurring_run_id


def remove(name: str, connection: Connection) -> tuple[list[str], list[Left]]:
    """Delete a schedule, or raise InputError if there is none; its past runs stay. The result is that of `delete_all`."""
    return _delete(connection, _required(connection, name))


def list_schedules(connection: Connection) -> list[Listed]:
    """Return all schedules, sorted by name; raise InputError if the server refuses, and ServerFault if it fails."""
    names: dict[tuple[str, str], str] = {}
    items = sorted(_all(connection), key=lambda each: (each.display_name, each.created_at))
    return [_listed(connection, each, names) for each in items]


def _trigger(cron: str | None, every: str | None, timezone: str | None) -> tuple[Any, str]:
    """Return the API's trigger, and its description."""
    import kfp_server_api as api

    if (cron is None) == (every is None):
        raise InputError("say either --cron '0 3 * * *' or --every 6h")
    if cron is not None:
        six = to_kfp(cron, timezone)
        return api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=six)), six
    refuse_timezone(timezone)
    seconds = parse_every(every)
    periodic = api.V2beta1PeriodicSchedule(interval_second=str(seconds))
    return api.V2beta1Trigger(periodic_schedule=periodic), f"every {interval_in_words(seconds)}"


def _all(connection: Connection) -> list[Any]:
    scope = {"namespace": connection.namespace} if connection.namespace else {}
    return list(connection.pages("RecurringRun", "list_recurring_runs", "recurring_runs", **scope))


def _of_name(connection: Connection, name: str) -> list[Any]:
    scope = {"namespace": connection.namespace} if connection.namespace else {}
    return connection.named("RecurringRun", "list_recurring_runs", "recurring_runs", name, **scope)


def _required(connection: Connection, name: str) -> list[Any]:
    return required(name, _of_name(connection, name), lambda: [each.display_name for each in _all(connection)])


def required(name: str, found: list[Any], all_names: Callable[[], Iterable[str]]) -> list[Any]:
    """Return the schedules found under a name; raise InputError if there is none, with all names."""
    if not found:
        others = sorted(set(all_names()))
        raise InputError(f"there is no schedule {name!r}; there are: {', '.join(others) or 'none at all'}")
    return found


def _fires(recurring: Any) -> bool:
    """Return True if a recurring run is enabled: `mode` is the requested state, `status` the controller's current one."""
    return recurring.mode == "ENABLE" and recurring.status != "DISABLED"


def _is_same(
    recurring: Any, version: Version, trigger: Any, values: dict[str, Any], root: str, account: str | None, experiment_id: str
) -> bool:
    """Return True if a recurring run already does what is requested."""
    config = recurring.runtime_config
    return (
        _fires(recurring)
        and _version_of(recurring) == version.version_id
        and recurring.experiment_id == experiment_id
        and _when(recurring.trigger) == _when(trigger)
        and (config.parameters or {} if config else {}) == values
        and ((config.pipeline_root if config else "") or "") == root
        and (recurring.description or "").partition(_ACCOUNT)[2] == (account or "")
        and recurring.max_concurrency == "1"
        and bool(recurring.no_catchup)
    )


def _when(trigger: Any) -> tuple[str | None, str | None]:
    cron = trigger.cron_schedule.cron if trigger and trigger.cron_schedule else None
    seconds = trigger.periodic_schedule.interval_second if trigger and trigger.periodic_schedule else None
    return cron, seconds


def _version_of(recurring: Any) -> str | None:
    """Return the id of the version. Older releases have a separate field for it."""
    named = recurring.pipeline_version_reference
    return (named.pipeline_version_id if named else None) or recurring.pipeline_version_id


def _check_in_force(connection: Connection, id: str, name: str) -> None:
    recurring = connection.call("RecurringRun", "get_recurring_run", recurring_run_id=id)
    if not _fires(recurring):
        why = f": {recurring.error.message}" if recurring.error and recurring.error.message else ""
        raise ServerFault(f"the server has taken the schedule {name!r} ({id}), but it is not enabled{why}; no other was touched")


def _delete(connection: Connection, recurring: Sequence[Any]) -> tuple[list[str], list[Left]]:
    """Disable and delete recurring runs, and continue after a failure."""

    def delete(each: Any) -> None:
        connection.call("RecurringRun", "disable_recurring_run", recurring_run_id=each.recurring_run_id)
        each.mode = "DISABLE"
        connection.call("RecurringRun", "delete_recurring_run", recurring_run_id=each.recurring_run_id)

    return delete_all(recurring, lambda each: each.recurring_run_id, _fires, delete)


def delete_all(
    schedules: Sequence[Any], id_of: Callable[[Any], str], fires: Callable[[Any], bool], delete: Callable[[Any], object]
) -> tuple[list[str], list[Left]]:
    """Delete schedules, and continue after a failure; return the ids of the deleted ones, and those that are left."""
    removed, left = [], []
    for each in schedules:
        try:
            with suppress(NotFound):  # deleted by an attempt whose answer was lost, or by another user
                delete(each)
            removed.append(id_of(each))
        except (InputError, ServerFault) as error:
            left.append(Left(id_of(each), fires(each), str(error)))
    return removed, left


def _listed(connection: Connection, recurring: Any, names: dict[tuple[str, str], str]) -> Listed:
    cron, seconds = _when(recurring.trigger)
    written = f"every {interval_in_words(int(seconds))}" if seconds else from_kfp(cron) if cron else None
    return Listed(
        name=recurring.display_name,
        id=recurring.recurring_run_id,
        cron=cron,
        written=written,
        enabled=_fires(recurring),
        version=_version_name(connection, recurring, names),
        last=_last_run(connection, recurring),
    )


def _version_name(connection: Connection, recurring: Any, names: dict[tuple[str, str], str]) -> str:
    version, named = _version_of(recurring), recurring.pipeline_version_reference
    if not version or not named or not named.pipeline_id:
        return version or ""
    key = (named.pipeline_id, version)
    if key not in names:
        try:
            result = connection.call("Pipeline", "get_pipeline_version", pipeline_id=key[0], pipeline_version_id=version)
            names[key] = result.display_name or version
        except NotFound:
            names[key] = version
    return names[key]


def _last_run(connection: Connection, recurring: Any) -> datetime | None:
    predicate = {"operation": "EQUALS", "key": "recurring_run_id", "stringValue": recurring.recurring_run_id}
    filter = json.dumps({"predicates": [predicate]})
    last = {"filter": filter, "sort_by": "created_at desc", "page_size": 1}
    page = connection.call("Run", "list_runs", experiment_id=recurring.experiment_id, **last)
    return page.runs[0].created_at if page.runs else None
