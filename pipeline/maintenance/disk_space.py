"""Check that a run has enough disk space, and explain a failure caused by a full disk."""

from __future__ import annotations

import errno
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from components.image_example_gen.discovery.find import Finder, find_sources
from components.image_example_gen.discovery.sources import Sources
from pipeline.config.schema import Config
from pipeline.metadata.store import exists, open_store
from pipeline.workspace import scratch
from pipeline.workspace.layout import DiskFull, Workspace, command

BASE = 100e6  # bytes of a run apart from its pictures: model, export, checkpoint and report
PER_PICTURE = 500  # bytes of an example apart from the picture
GROWTH = 3.0  # pictures in compressed arrays become encoded files; picture files keep their size
_FULL = (errno.ENOSPC, errno.EDQUOT)
_WORDS = ("no space left on device", "disk is full", "disk quota exceeded", "disk i/o error")
_ALMOST = 1e6  # bytes; with less left, any failure counts as a full disk


def check_room(workspace: Workspace, images: str, config: Config, find: Finder = find_sources) -> None:
    """Compare the space that a run needs with the free space, for artifacts and for temporary decoded pixels.

    Raises:
        DiskFull: There is not enough space.
        InputError: There are no pictures.
    """
    sources = find(images, config.data)
    kept = BASE + (0.0 if _read_before(workspace, sources) else _examples(sources))
    pixels = sources.count * math.prod(config.preprocessing.image_shape) * config.data.depth // 8
    temporary = scratch.place()
    same = temporary.stat().st_dev == workspace.root.stat().st_dev
    for folder, needed in ((workspace.root, kept + pixels if same else kept), *(() if same else ((temporary, pixels),))):
        free = shutil.disk_usage(folder).free
        if free < needed:
            purpose = (
                f"for {sources.count:,} pictures" if folder == workspace.root else "for decoded pixels (TMPDIR says where else)"
            )
            raise DiskFull(
                f"{folder} has {_size(free)} left and this run needs about {_size(needed)}, {purpose}: {_what_to_do(workspace.root)}"
            )


def check_record(workspace: Workspace, images: str, config: Config, find: Finder = find_sources) -> None:
    """Check that there is space for the record of a run, before it is created; the errors are those of `check_room`."""
    if shutil.disk_usage(workspace.root).free < _ALMOST:
        check_room(workspace, images, config, find)


def disk_full(error: BaseException, folder: Path) -> str:
    """Return the message for a failure caused by a full disk, or '' for any other failure."""
    free = shutil.disk_usage(folder).free
    is_full = any(
        getattr(cause, "errno", None) in _FULL or any(phrase in str(cause).lower() for phrase in _WORDS) for cause in _causes(error)
    )
    if not is_full and free >= _ALMOST:
        return ""
    goes_on = "the next run goes on from the last finished component"
    return f"the disk of {folder} is full, {_size(free)} are left: {_what_to_do(folder)}; {goes_on}"


def _examples(sources: Sources) -> float:
    containers = bool(sources.containers)
    return sources.bytes * (GROWTH if containers else 1.0) + sources.count * PER_PICTURE


def _read_before(workspace: Workspace, sources: Sources) -> bool:
    """Return True if these pictures are among the artifacts, so that the cache provides them."""
    if not exists(workspace):
        return False
    examples = [artifact for artifact in open_store(workspace).get_artifacts_by_type("Examples") if artifact.state == artifact.LIVE]
    return any(artifact.custom_properties["input_fingerprint"].string_value == sources.fingerprint for artifact in examples)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _what_to_do(folder: Path) -> str:
    return f"free some, for example by `{command('gc', folder)}`, and run again"


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
