"""Record a run in MLflow."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from common.errors import InputError
from pipeline.config.env import filled
from pipeline.config.schema import Config
from pipeline.reporting.timeout import within
from pipeline.verdict.verdict import Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient

SECONDS = 300
INSTALL = "pip install 'darkroom-tfx[mlflow]'"
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_EVALUATING = ("Trainer", "ModelGate")
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the URL may contain a password
    "GIT_PYTHON_REFRESH": "quiet",
    # With these a server that is down costs seconds, not minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_MAX_VALUE, _PARAMS, _METRICS = 500, 100, 1000  # limits of older servers: characters of a parameter, items of one request


class NotRecorded(RuntimeError):
    """MLflow has no record of a run; the message is the reason."""


def check(config: Config) -> None:
    """Raise InputError before a run, not after hours of training, if MLflow is not installed or cannot open the address."""
    uri = config.mlflow.tracking_uri
    if uri is None:
        return
    if importlib.util.find_spec("mlflow") is None:
        raise InputError(f"mlflow.tracking_uri is set and MLflow is not installed: {INSTALL}, or set it to null")
    if filled(uri, "mlflow.tracking_uri").startswith(_DATABASES) and not _installed("mlflow"):
        raise InputError(
            "mlflow.tracking_uri is a database, which mlflow-skinny does not open: pip install mlflow, or name a server or a folder"
        )


def _installed(distribution: str) -> bool:
    try:
        return bool(importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return False


def evaluated(verdict: Verdict) -> bool:
    """Return True if a run trained a model, or evaluated one again. A run that only used cached results is not recorded again."""
    return any(step["name"] in _EVALUATING and step["state"] == "done" for step in verdict.components) and bool(verdict.model)


def record(config: Config, verdict: Verdict, folder: Path, seconds: float = SECONDS) -> None:
    """Record parameters, metrics, the history of training, and the report in MLflow, within a time limit.

    Args:
        config: The run's configuration; `mlflow.tracking_uri` is set.
        verdict: The verdict of the run.
        folder: The folder of the run, with report and verdict.
        seconds: The time limit.

    Raises:
        NotRecorded: The record could not be stored.
        InputError: A variable that the address names is not set.
    """
    uri = filled(config.mlflow.tracking_uri or "", "mlflow.tracking_uri")
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    if is_folder(uri):  # MLflow no longer develops its folder store, and requires this consent
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        uri = Path(uri.removeprefix("file:")).expanduser().absolute().as_uri() if "://" not in uri else uri
    try:
        within(seconds, lambda: _record(uri, config, verdict, folder))
    except Exception as error:
        message = " ".join(str(error).replace(uri, config.mlflow.tracking_uri or "").split())
        raise NotRecorded(f"{type(error).__name__}: {_cause(message)}"[:300]) from None


def is_folder(uri: str) -> bool:
    """Return True if MLflow treats an address as a folder."""
    return uri.startswith("file:") or not re.match(r"[\w+.-]+:", uri) and uri != "databricks"


def _cause(message: str) -> str:
    """Return the innermost of several nested error messages, which names the cause."""
    inner = re.search(r"<[\w.]+ object at 0x[0-9a-f]+>: ([^<]+?)['\")]*$", message)
    return inner[1] if inner else message


def _record(uri: str, config: Config, verdict: Verdict, folder: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    began = int(datetime.fromisoformat(verdict.started).timestamp() * 1000)
    run = client.create_run(
        _experiment(client, config.mlflow.experiment or config.title), began, tags(verdict), verdict.run
    ).info.run_id
    try:
        for batch in _batches(list(parameters(config).items()), _PARAMS):
            client.log_batch(run, params=[mlflow.entities.Param(*item) for item in batch])
        for batch in _batches([*figures(verdict), *history(Path(verdict.model["artifact"]))], _METRICS):
            client.log_batch(run, metrics=[mlflow.entities.Metric(name, value, began, step) for name, value, step in batch])
        if (folder / "report").is_dir():
            client.log_artifacts(run, str(folder / "report"), "report")
        for path in (folder / "verdict.json", Path(verdict.model["artifact"], "model_card.md")):
            if path.is_file():
                client.log_artifact(run, str(path))
        ended = "FINISHED" if verdict.outcome in ("pushed", "refused") else "FAILED"
    except BaseException:
        client.set_terminated(run, "KILLED")
        raise
    client.set_terminated(run, ended, began + int(verdict.seconds * 1000))


def _experiment(client: MlflowClient, name: str) -> str:
    result = client.get_experiment_by_name(name)
    return result.experiment_id if result else client.create_experiment(name)


def tags(verdict: Verdict) -> dict[str, str]:
    """Return the tags by which a run can be found."""
    version = verdict.model.get("version")
    items = {"run": verdict.run, "outcome": verdict.outcome, "gate": verdict.gate, "version": version}
    return {f"darkroom.{name}": str(value) for name, value in items.items() if value is not None}


def parameters(config: Config) -> dict[str, str]:
    """Return the configuration as one value per field, without the section `cluster`."""
    values = yaml.safe_load(config.essence())
    del values["cluster"]
    return {name: text[:_MAX_VALUE] for name, text in _flat(values, "")}


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def figures(verdict: Verdict) -> Iterator[tuple[str, float, int]]:
    """Yield the name, value and step of every number of the verdict."""
    items: dict[str, Any] = {"": verdict.figures, "baseline/": verdict.baseline, "drift/": verdict.drift}
    for kind in ("generated", "prior", "floor", "reconstruction"):
        items[f"quality/{kind}/"] = verdict.quality.get(kind) or {}
    items["pictures/"] = verdict.data.get("pictures", {})
    items["seconds/"] = {step["name"]: step["seconds"] for step in verdict.components}
    for prefix, values in items.items():
        yield from _numbers(prefix, values, 0)


def history(model: Path) -> Iterator[tuple[str, float, int]]:
    """Yield the name, value and step of every metric of each epoch.

    The Trainer writes them beside the model: `Trainer/model_run/ID` beside `Trainer/model/ID`.
    """
    path = model.parents[2] / "model_run" / model.parent.name / "history.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        epoch = json.loads(line)
        step = epoch.pop("epoch")
        for prefix in ("train", "eval"):
            yield from _numbers(f"{prefix}/", epoch.pop(prefix, {}), step)
        yield from _numbers("epoch/", epoch, step)


def _numbers(prefix: str, values: Mapping[str, Any], step: int) -> Iterator[tuple[str, float, int]]:
    for name, value in values.items():
        if isinstance(value, (int, float)) and math.isfinite(value):
            yield f"{prefix}{name}", float(value), step


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
