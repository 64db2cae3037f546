"""Build the command line that a schedule runs. It does not depend on the shell in which it was created."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from common.errors import InputError
from pipeline.config.env import VARIABLE
from pipeline.config.loading import apply_overrides
from pipeline.config.notify import is_writable
from pipeline.config.schema import Config
from pipeline.running.request import Request

# Environment variables that a run may need and that are not secret: locations, proxies, certificates, devices.
KEPT = (
    "DARKROOM_DATASETS",
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"),
    *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG"),
    *("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "TMPDIR"),
)
SECRET = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AZURE_STORAGE_CONNECTION_STRING", "AZURE_CLIENT_SECRET"),
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
)
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]*@")  # for example https://user:password@proxy


@dataclass(frozen=True)
class Job:
    """A run that is repeated on a schedule."""

    cron: str  # the schedule: five numeric fields
    command: tuple[str, ...]  # the program and its arguments, with absolute paths
    work: Path  # the work folder, absolute; there is one job per work folder
    folder: Path  # the folder in which it was installed and runs, so that relative paths in --set and --beam-arg stay valid
    environment: Mapping[str, str]  # its environment variables, in addition to those that the keeper sets
    # Variables that its configuration refers to and that it does not get, each with the field that refers to it
    lacks: Mapping[str, str] = field(default_factory=dict)


def make_job(cron: str, request: Request, parameters: Iterable[click.Parameter], asked: Mapping[str, Any]) -> Job:
    """Return the job that runs `darkroom retrain` with the given options.

    Args:
        cron: Five fields, from `parse_cron`.
        request: The request built from the options.
        parameters: The command's options.
        asked: The values of the options.

    Raises:
        InputError: A value cannot or must not be written to a file.
    """
    work = request.work.expanduser().absolute()
    asked = {**asked, "work": str(work)}
    if asked.get("images"):
        asked["images"] = request.images
    if asked.get("data_root"):
        asked["data_root"] = str(Path(asked["data_root"]).expanduser().absolute())
    if asked.get("config") and Path(asked["config"]).expanduser().is_file():
        asked["config"] = str(Path(asked["config"]).expanduser().absolute())
    arguments = [argument for option in parameters for argument in written(option, asked.get(option.name))]
    _check_webhook(asked.get("overrides") or ())
    given = environment()
    lacks = {name: field for name, field in variables(request.config).items() if name not in given}
    job = Job(cron, (*program(), "retrain", *arguments), work, Path.cwd(), given, lacks)
    _check(job)
    return job


def written(option: click.Parameter, value: Any) -> list[str]:
    """Return an option as command-line words; empty if its value is the default."""
    if value in (None, False, ()) or value == option.default:
        return []
    if value is True:
        return [option.opts[0]]
    values = value if isinstance(value, (tuple, list)) else [value]
    pairs = ([f"{option.opts[0]}={each}"] if str(each).startswith("-") else [option.opts[0], str(each)] for each in values)
    return [word for pair in pairs for word in pair]


def program() -> tuple[str, ...]:
    """Return the command that starts the current program."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "darkroom" and os.access(called, os.X_OK):
        return (str(called),)
    root = Path(__file__).resolve().parents[2]
    return sys.executable, "-c", f"import sys; sys.path[0] = {str(root)!r}; from local_runner import main; main()"


def environment() -> dict[str, str]:
    """Return the variables that the job takes from this process, and a PATH that contains the system's programs."""
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    kept = {name: os.environ[name] for name in KEPT if os.environ.get(name) and not _PASSWORD.search(os.environ[name])}
    if "DARKROOM_DATASETS" in kept:
        kept["DARKROOM_DATASETS"] = str(Path(kept["DARKROOM_DATASETS"]).expanduser().absolute())
    return {"PATH": path, **kept}


def secrets() -> list[str]:
    """Return the names of secret variables that are set now and that the job does not get."""
    with_password = [name for name in KEPT if _PASSWORD.search(os.environ.get(name, ""))]
    return [*with_password, *(name for name in SECRET if os.environ.get(name))]


def variables(config: Config) -> dict[str, str]:
    """Return the environment variables that the configuration refers to, each with the field that refers to it."""
    texts = {"notify.webhook": config.notify.webhook, "mlflow.tracking_uri": config.mlflow.tracking_uri}
    items = {name: field for field, text in texts.items() for name in VARIABLE.findall(text or "")}
    if config.metadata.host is not None and config.metadata.password_env is not None:
        items[config.metadata.password_env] = "metadata.password_env"
    return items


def _check_webhook(overrides: Iterable[str]) -> None:
    """Refuse a secret address that would be written to a file as an argument."""
    for override in overrides:
        notify = apply_overrides({}, [override]).get("notify")
        address = notify.get("webhook") if isinstance(notify, Mapping) else None
        if isinstance(address, str) and not is_writable(address):
            raise InputError(
                "--set notify.webhook contains an address, which is a secret and would be written to a file: give "
                "'--set notify.webhook=${NAME}' and set NAME for the schedule, or set it in a --config file"
            )


def _check(job: Job) -> None:
    """Refuse values that must not, or cannot, be written to a file."""
    for text in (*job.command, str(job.folder), *job.environment.values()):
        if _PASSWORD.search(text):
            raise InputError(
                "an argument contains a password, which would be written to a file: configure it in the store's own client"
            )
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise InputError(
                f"{text!r} contains a character that a crontab cannot represent: put it in a --config file, or use another name"
            )
