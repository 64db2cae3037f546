"""Whether there is room for a run, and what is said when there was not."""

from __future__ import annotations

import errno
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.sources import Sources
from pipeline.config.schema import Config
from pipeline.metadata.store import exists, open_store
from pipeline.workspace import scratch
from pipeline.workspace.layout import DiskFull, Workspace, command

BASE = 100e6  # bytes of a run beside its pictures: a model, its export, checkpoint and report
PER_PICTURE = 500  # bytes that an example has beside the picture itself
GROWTH = 3.0  # pictures of packed arrays become files of their own; those that are files already stay as they are
_FULL = (errno.ENOSPC, errno.EDQUOT)
_WORDS = ("no space left on device", "disk is full", "disk quota exceeded", "disk i/o error")
_ALMOST = 1e6  # bytes: with fewer left, a failure whose words are others is one of these


def check_room(workspace: Workspace, images: str, config: Config) -> None:
    """Compares what a run will need with what is free, where it keeps artifacts and where it keeps decoded pixels meanwhile.

    Args:
        workspace: The work folder.
        images: Where the pictures are.
        config: The configuration.

    Raises:
        DiskFull: It is not enough.
        InputError: There are no pictures.
    """
    sources = find_sources(images, config.data)
    kept = BASE + (0.0 if _read_before(workspace, sources) else _examples(sources))
    pixels = sources.count * math.prod(config.preprocessing.image_shape) * config.data.depth // 8
    temporary = scratch.place()
    same = temporary.stat().st_dev == workspace.root.stat().st_dev
    for folder, needed in ((workspace.root, kept + pixels if same else kept), *(() if same else ((temporary, pixels),))):
        free = shutil.disk_usage(folder).free
        if free < needed:
            what = f"for {sources.count:,} pictures" if folder == workspace.root else "for decoded pixels (TMPDIR says where else)"
            raise DiskFull(
                f"{folder} has {_size(free)} left and this run needs about {_size(needed)}, {what}: {_what_to_do(workspace.root)}"
            )


def check_record(workspace: Workspace, images: str, config: Config) -> None:
    """Makes sure that a run's own record can be kept, before there is one; what lacks is said as `check_room` says it.

    Raises:
        DiskFull: It cannot.
        InputError: There are no pictures.
    """
    if shutil.disk_usage(workspace.root).free < _ALMOST:
        check_room(workspace, images, config)


def disk_full(error: BaseException, folder: Path) -> str:
    """What to say of a failure if it comes of a full disk; '' if it does not."""
    free = shutil.disk_usage(folder).free
    told = any(
        getattr(cause, "errno", None) in _FULL or any(words in str(cause).lower() for words in _WORDS) for cause in _causes(error)
    )
    if not told and free >= _ALMOST:
        return ""
    goes_on = "the next run goes on from the last finished component"
    return f"the disk of {folder} is full, {_size(free)} are left: {_what_to_do(folder)}; {goes_on}"


def _examples(sources: Sources) -> float:
    containers = bool(sources.containers)
    return sources.bytes * (GROWTH if containers else 1.0) + sources.count * PER_PICTURE


def _read_before(workspace: Workspace, sources: Sources) -> bool:
    """Whether these very pictures are among the artifacts, from where the cache takes them."""
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
