"""Notify of a `darkroom retrain` that failed before a run began. At night nobody reads the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import TypeAdapter, ValidationError

from common.errors import InputError
from common.quiet import hushed
from pipeline.config.loading import apply_overrides
from pipeline.config.notify import NotifyConfig
from pipeline.running.post_run import never_began
from pipeline.running.request import DEFAULT_DATASET, read_values, title_of
from pipeline.workspace.layout import WorkFolderBusy


@contextmanager
def notifying_of_failure(asked: Mapping[str, Any], warn: Callable[[str], object]) -> Iterator[None]:
    """Within the context, notify the configured recipients of an exception, and raise it again.

    A run notifies on its own: it ends with a status, and its errors do not reach this context. Another run that holds the work
    folder is not a failure. `warn` gets one line for each notification that failed.
    """
    try:
        yield
    except WorkFolderBusy:
        raise
    except Exception as error:
        with hushed():
            warnings = _tell(error, asked)
        for warning in warnings:
            warn(warning)
        raise


def _tell(error: Exception, asked: Mapping[str, Any]) -> list[str]:
    try:
        values = apply_overrides(read_values(asked["config"]), asked["overrides"])
        notify = TypeAdapter(NotifyConfig).validate_python(values.get("notify") or {})
    except (InputError, ValidationError):
        return []  # the configuration itself is not valid, so that the recipients are unknown
    images = asked["images"] or ""
    title = values.get("title") or asked["dataset"] or (title_of(images) if images else DEFAULT_DATASET)
    return never_began(error, notify, str(title), images)
