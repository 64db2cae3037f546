"""What the stand-in for the API server of Kubeflow Pipelines knows and makes of a request: see `api_server`."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.kubeflow.api_schema import ENDPOINTS
from tests.kubeflow.published import RELEASES


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@dataclass
class Fault:
    """A failure to come: of which endpoint, how often, with which status (0 drops the connection), before or after the work."""

    endpoint: str
    times: int
    status: int
    after: bool


@dataclass
class ApiServer:
    """What the server knows, and how it is to behave."""

    url: str = ""
    release: str = RELEASES[0]
    token: str | None = None
    multi_user: bool = False
    page_limit: int = 2
    born_disabled: bool = False
    run_states: list[str] = field(default_factory=lambda: ["SUCCEEDED"])
    run_error: str = ""
    failed_tasks: tuple[str, ...] = ()
    on_end: Callable[[str], None] = lambda run_id: None
    pipelines: dict[str, dict] = field(default_factory=dict)
    versions: dict[str, dict] = field(default_factory=dict)
    experiments: dict[str, dict] = field(default_factory=dict)
    runs: dict[str, dict] = field(default_factory=dict)
    recurring: dict[str, dict] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _clock: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def fail(self, endpoint: str, status: int = 503, times: int = 1, *, after: bool = False) -> None:
        """Tells the server to fail; status 0 drops the connection, `after` does so when the work is done."""
        assert endpoint in ENDPOINTS
        self.faults.append(Fault(endpoint, times, status, after))

    @property
    def newest(self) -> bool:
        """Whether it answers as 2.17 does."""
        return self.release == "2.17"

    def asked(self, endpoint: str) -> int:
        """How often an endpoint was asked."""
        return self.requests.count(endpoint)

    def now(self) -> str:
        """The time, a second later at each look."""
        self._clock += timedelta(seconds=1)
        return self._clock.isoformat().replace("+00:00", "Z")

    def due(self, endpoint: str, after: bool) -> Fault | None:
        """The next failure of an endpoint."""
        for fault in self.faults:
            if fault.endpoint == endpoint and fault.after is after and fault.times > 0:
                fault.times -= 1
                return fault
        return None


def _listed(
    items: str, everything: list[dict], filter: str = "", page_token: str = "", page_size: str = "", limit: int = 2
) -> dict:
    """A page of a list."""
    for predicate in json.loads(filter or "{}").get("predicates", []):
        if predicate["operation"] not in (1, "EQUALS"):
            raise Refused(400, f"this stand-in knows equality only, not {predicate['operation']}")
        value, key = predicate.get("stringValue", predicate.get("string_value")), predicate["key"]
        if key == "name" and not any("name" in each for each in everything):
            key = "display_name"  # what has one name only has it for both
        everything = [each for each in everything if str(each.get(key, "")).lower() == value.lower()]
    start, size = int(page_token or 0), min(int(page_size or 0) or 10, limit)
    page: dict[str, Any] = {items: everything[start : start + size], "total_size": len(everything)}
    if start + size < len(everything):
        page["next_page_token"] = str(start + size)
    return page if page[items] else {key: value for key, value in page.items() if key != items}


def _sorted(values: Any, sort_by: str = "") -> list[dict]:
    return sorted(values, key=lambda each: each["created_at"], reverse=sort_by.endswith("desc"))


def _named(state: ApiServer, namespace: str = "") -> str:
    """A namespace as this server takes one."""
    if namespace and not state.multi_user:
        raise Refused(400, "in single-user mode there is no namespace")
    return namespace


def _list_pipelines(state: ApiServer, _: Any, namespace: str = "", sort_by: str = "", **page: str) -> dict:
    mine = [each for each in state.pipelines.values() if each.get("namespace", "") == _named(state, namespace)]
    return _listed("pipelines", _sorted(mine, sort_by), limit=state.page_limit, **page)


def _create_pipeline(state: ApiServer, given: dict) -> dict:
    _named(state, given.get("namespace", ""))
    name = given.get("name") or given["display_name"]
    for each in state.pipelines.values():
        if _own_name(each).lower() == name.lower() and each.get("namespace") == given.get("namespace"):
            raise Refused(409, f"the name {name} already exists")
    made = {**given, **_also(state, name=name), "pipeline_id": str(uuid.uuid4()), "created_at": state.now()}
    return state.pipelines.setdefault(made["pipeline_id"], made)


def _upload_pipeline(state: ApiServer, given: list, name: str = "", namespace: str = "", description: str = "") -> dict:
    more = {"namespace": namespace} if namespace else {}
    made = _create_pipeline(state, {"display_name": name, **more})
    _upload_version(state, given, name=name, pipelineid=made["pipeline_id"])
    return made


def _upload_version(state: ApiServer, given: list, pipelineid: str = "", name: str = "", description: str = "") -> dict:
    _of(state.pipelines, pipelineid, "pipeline")
    if any(each["pipeline_id"] == pipelineid and _own_name(each).lower() == name.lower() for each in state.versions.values()):
        raise Refused(409, f"the version {name} already exists")
    spec = given[0] if len(given) == 1 else {"pipeline_spec": given[0], "platform_spec": given[1]}
    made = {
        "pipeline_id": pipelineid,
        "pipeline_version_id": str(uuid.uuid4()),
        "display_name": name,
        **_also(state, name=name),
        "created_at": state.now(),
        "pipeline_spec": spec,
    }
    return state.versions.setdefault(made["pipeline_version_id"], made)


def _list_versions(state: ApiServer, _: Any, pipeline_id: str, sort_by: str = "", **page: str) -> dict:
    mine = [each for each in state.versions.values() if each["pipeline_id"] == pipeline_id]
    return _listed("pipeline_versions", _sorted(mine, sort_by), limit=state.page_limit, **page)


def _by_name(state: ApiServer, _: Any, name: str, namespace: str = "") -> dict:
    found = [each for each in state.pipelines.values() if _own_name(each).lower() == name.lower()]
    if not found:
        raise Refused(404, f"there is no pipeline {name}")
    return found[0]


def _own_name(made: dict) -> str:
    """The name by which a pipeline or a version was made."""
    return made.get("name") or made["display_name"]


def _also(state: ApiServer, **fields: Any) -> dict:
    """Fields that only the newest release has or fills in."""
    return fields if state.newest else {}


def _list_experiments(state: ApiServer, _: Any, namespace: str = "", sort_by: str = "", **page: str) -> dict:
    mine = [each for each in state.experiments.values() if each.get("namespace", "") == _named(state, namespace)]
    return _listed("experiments", _sorted(mine, sort_by), limit=state.page_limit, **page)


def _create_experiment(state: ApiServer, given: dict) -> dict:
    if state.multi_user and not given.get("namespace"):
        raise Refused(400, "an experiment needs a namespace")
    _named(state, given.get("namespace", ""))
    for each in state.experiments.values():
        if each["display_name"].lower() == given["display_name"].lower() and each.get("namespace") == given.get("namespace"):
            raise Refused(409, f"the experiment {given['display_name']} already exists")
    made = {**given, "experiment_id": str(uuid.uuid4()), "created_at": state.now(), "storage_state": "AVAILABLE"}
    made |= _also(state, last_run_created_at="1970-01-01T00:00:00Z")
    return state.experiments.setdefault(made["experiment_id"], made)


def _check_config(state: ApiServer, given: dict) -> None:
    """Refuses a run whose version is unknown, or whose parameters are not all there: default values are lost on the way."""
    version = _of(state.versions, given["pipeline_version_reference"].get("pipeline_version_id", ""), "version")
    spec = version["pipeline_spec"].get("pipeline_spec", version["pipeline_spec"])
    wanted = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    values = given["runtime_config"].get("parameters", {})
    missing = [name for name, definition in wanted.items() if name not in values and not definition.get("isOptional")]
    if missing or values.keys() - wanted.keys():
        raise Refused(400, f"parameters are missing ({missing}) or unknown ({sorted(values.keys() - wanted.keys())})")
    _of(state.experiments, given.get("experiment_id", ""), "experiment")


def _create_run(state: ApiServer, given: dict) -> dict:
    _check_config(state, given)
    made = {**given, "run_id": str(uuid.uuid4()), "created_at": state.now(), "state": "PENDING", "storage_state": "AVAILABLE"}
    output = {"entries": {"root_run_id": {"value": "7", "render_type": "URL"}}, "state": "PLUGIN_SUCCEEDED"}
    made |= _also(state, finished_at="1970-01-01T00:00:00Z", plugins_output={"mlflow": output})
    return state.runs.setdefault(made["run_id"], made)


def _get_run(state: ApiServer, _: Any, run_id: str) -> dict:
    run = _of(state.runs, run_id, "run")
    run["state"] = state.run_states.pop(0) if len(state.run_states) > 1 else state.run_states[0]
    if run["state"] in ("SUCCEEDED", "FAILED"):
        state.on_end(run_id)
    if run["state"] == "FAILED" and state.run_error:
        run["error"] = {"code": 2, "message": state.run_error}
    if run["state"] == "FAILED" and state.failed_tasks:
        nodes = ("darkroom-x7k2p", "root", *state.failed_tasks, "executor", "executor(0)")
        tasks = [{"run_id": run_id, "display_name": name, "state": "FAILED"} for name in nodes]
        tasks += [{"run_id": run_id, "display_name": "root-driver", "state": "SUCCEEDED"}, {"display_name": "Pusher"}]
        run["run_details"] = {"task_details": tasks}
    return run


def _list_runs(state: ApiServer, _: Any, namespace: str = "", experiment_id: str = "", sort_by: str = "", **page: str) -> dict:
    if state.multi_user and not (namespace or experiment_id):
        raise Refused(400, "a namespace or an experiment is needed")
    mine = [each for each in state.runs.values() if experiment_id in ("", each.get("experiment_id"))]
    return _listed("runs", _sorted(mine, sort_by), limit=state.page_limit, **page)


def _create_recurring(state: ApiServer, given: dict) -> dict:
    _check_config(state, given)
    if state.multi_user and not given.get("namespace"):
        raise Refused(400, "Recurring run has no namespace.")
    _named(state, given.get("namespace", ""))
    cron = given["trigger"].get("cron_schedule", {}).get("cron")
    if cron is not None and len(cron.split()) not in (5, 6):  # five are taken too, as second, minute, hour, day of month, month
        raise Refused(400, "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron)")
    if not 1 <= int(given["max_concurrency"]) <= 10:
        raise Refused(400, "The max concurrency of the recurring run is out of range. Support 1-10.")
    enabled = given["mode"] == "ENABLE" and not state.born_disabled
    made = {
        **given,
        "recurring_run_id": str(uuid.uuid4()),
        "created_at": state.now(),
        "mode": "ENABLE" if enabled else "DISABLE",
        "status": "DISABLED"
        if not enabled
        else "ENABLED"
        if state.newest
        else "STATUS_UNSPECIFIED",  # until the controller sees it
        "max_concurrency": str(given["max_concurrency"]),
        "service_account": given.get("service_account", "pipeline-runner"),
        **_also(state, updated_at=state.now(), namespace=given.get("namespace", "kubeflow")),
    }
    return state.recurring.setdefault(made["recurring_run_id"], made)


def _list_recurring(state: ApiServer, _: Any, namespace: str = "", experiment_id: str = "", sort_by: str = "", **page: str) -> dict:
    if state.multi_user and not (namespace or experiment_id):
        raise Refused(400, "a namespace or an experiment is needed")
    mine = [
        each
        for each in state.recurring.values()
        if experiment_id in ("", each.get("experiment_id"))
        and (each.get("namespace", "") == _named(state, namespace) or not state.multi_user)
    ]
    return _listed("recurringRuns", _sorted(mine, sort_by), limit=state.page_limit, **page)


def _switch(mode: str) -> Callable[..., dict]:
    def switch(state: ApiServer, _: Any, recurring_run_id: str) -> dict:
        found = _of(state.recurring, recurring_run_id, "recurring run")
        found.update(mode=mode, status=f"{mode}D")
        return {}

    return switch


def _delete_recurring(state: ApiServer, _: Any, recurring_run_id: str) -> dict:
    _of(state.recurring, recurring_run_id, "recurring run")
    del state.recurring[recurring_run_id]
    return {}


def _of(store: dict[str, dict], id: str, what: str) -> dict:
    if id not in store:
        raise Refused(404, f"there is no {what} {id!r}")
    return store[id]


WORK: dict[str, Callable[..., Any]] = {
    "get_healthz": lambda state, _: {
        **({"multi_user": True} if state.multi_user else {}),
        **_also(state, tag_name="2.17.0", commit_sha="unknown", pipeline_store="database"),
    },
    "list_pipelines": _list_pipelines,
    "create_pipeline": _create_pipeline,
    "upload_pipeline": _upload_pipeline,
    "upload_pipeline_version": _upload_version,
    "get_pipeline_by_name": _by_name,
    "get_pipeline": lambda state, _, pipeline_id: _of(state.pipelines, pipeline_id, "pipeline"),
    "list_pipeline_versions": _list_versions,
    "get_pipeline_version": lambda state, _, pipeline_id, pipeline_version_id: _of(state.versions, pipeline_version_id, "version"),
    "list_experiments": _list_experiments,
    "create_experiment": _create_experiment,
    "list_runs": _list_runs,
    "create_run": _create_run,
    "get_run": _get_run,
    "list_recurring_runs": _list_recurring,
    "create_recurring_run": _create_recurring,
    "get_recurring_run": lambda state, _, recurring_run_id: _of(state.recurring, recurring_run_id, "recurring run"),
    "delete_recurring_run": _delete_recurring,
    "enable_recurring_run": _switch("ENABLE"),
    "disable_recurring_run": _switch("DISABLE"),
}
