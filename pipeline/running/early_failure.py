"""Tells of a `darkroom retrain` that failed before there was a run, at night, when nobody reads the console."""

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
    """For as long as it lasts, an error notifies whom the configuration names before it goes on its way.

    A run notifies by itself; it ends with a status, and no error of its own gets here. Another run that holds the work folder
    is none.

    Args:
        asked: The command's options.
        warn: Is called with a line for each way of telling that failed.
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
        return []  # what is wrong is the configuration itself: it names nobody
    images = asked["images"] or ""
    title = values.get("title") or asked["dataset"] or (title_of(images) if images else DEFAULT_DATASET)
    return never_began(error, notify, str(title), images)
