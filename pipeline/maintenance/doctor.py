"""Examine whether a run can work here: the environment, the machine, disks, the work folder, and what a configuration needs."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from common.errors import InputError, MachineFault
from components.image_example_gen.discovery.find import find_sources
from components.pusher.versions import versions
from pipeline.config.env import VARIABLE
from pipeline.config.schema import Config
from pipeline.maintenance.backup import fault
from pipeline.metadata import mysql
from pipeline.metadata.history import killed
from pipeline.metadata.store import read_record
from pipeline.reporting.mlflow import check as check_mlflow
from pipeline.workspace.layout import GLOB, WorkFolderBusy, Workspace, command

PACKAGE = "darkroom-tfx"
SHOWN = ("tfx", "tensorflow", "keras", "apache-beam", "ml-metadata")
# What each extra of the project is for, and a package of it.
EXTRAS = {
    "aws": ("s3://", "boto3"),
    "gcp": ("gs://", "google-cloud-storage"),
    "azure": ("azfs://", "azure-storage-blob"),
    "huggingface": ("hf://", "huggingface-hub"),
    "heic": ("HEIC", "pillow-heif"),
    "mlflow": ("MLflow", "mlflow-skinny"),
    "kubeflow": ("Kubeflow Pipelines", "kfp"),
}
LOAD_SECONDS = 180
LITTLE_MEMORY, LITTLE_DISK, NO_DISK = 2e9, 2e9, 200e6  # bytes
State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Check:
    """The result of an examination."""

    name: str  # what was examined, in one or two words
    state: State  # `problem` stops a run
    found: str  # what was found, one line
    advice: str = ""  # what to do; '' if nothing


def examine(work: Path | None = None, config: Config | None = None, images: str | None = None) -> Iterator[Check]:
    """Examine the environment and the machine, and what is named: a work folder, a configuration, and a place of pictures."""
    folder = Workspace(work.expanduser().absolute()) if work else None
    place_of_work = folder.root if folder else Path.cwd()
    yield from packages()
    yield extras()
    yield from _guarded("libraries", lambda: [libraries()])
    yield from machine()
    disks = {"temporary files": Path(tempfile.gettempdir()), "work folder's disk": _existing(place_of_work)}
    for name, place in disks.items():
        yield disk(name, place)
    if folder:
        yield from _guarded("work folder", lambda: work_folder(folder))
    if config:
        yield from configured(config)
    if images is not None:
        yield pictures(images, config or Config())


def _guarded(name: str, work: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield checks, and a problem for an error of the system in them."""
    try:
        yield from work()
    except OSError as error:
        found = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        yield Check(name, "problem", found, "change its permissions, or name another place")


def packages() -> Iterator[Check]:
    """Compare the installed packages with those that the project requires."""
    versions_shown = ", ".join(f"{name} {_version(name) or 'missing'}" for name in SHOWN)
    wrong = []
    try:
        requirements = [Requirement(line) for line in metadata.requires(PACKAGE) or ()]
    except metadata.PackageNotFoundError:
        yield Check("packages", "problem", f"{PACKAGE} is not installed", "run `make .venv/.ready`, or `pip install .`")
        return
    for each in requirements:
        if each.marker is None or each.marker.evaluate({"extra": ""}):
            installed = _version(each.name)
            if installed is None or not each.specifier.contains(installed, prereleases=True):
                wrong.append(f"{each.name} {installed or 'is missing'}{f', needs {each.specifier}' if installed else ''}")
    found = f"Python {platform.python_version()}, {versions_shown}"
    if wrong:
        yield Check("packages", "problem", f"{found}; wrong: {'; '.join(wrong)}", "run `make clean` and `make .venv/.ready`")
    else:
        yield Check("packages", "ok", found)


def extras() -> Check:
    """Name the stores and formats for which the packages are installed, and the extras that bring the others."""
    there = [name for name, package in EXTRAS.values() if _version(package)]
    absent = {extra: name for extra, (name, package) in EXTRAS.items() if not _version(package)}
    found = f"with {', '.join(there) or 'none'}"
    if not absent:
        return Check("extras", "ok", found)
    return Check(
        "extras", "ok", f"{found}; without {', '.join(absent.values())}", f"pip install 'darkroom-tfx[{','.join(absent)}]'"
    )


def libraries() -> Check:
    """Load the compiled libraries in a process of its own, which may crash."""
    code = "import tensorflow, ml_metadata.metadata_store.metadata_store, pyarrow; print(tensorflow.__version__)"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=LOAD_SECONDS,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    except subprocess.TimeoutExpired:
        return Check("libraries", "warning", f"loading them takes more than {LOAD_SECONDS} s", "is the disk or the machine busy?")
    if done.returncode == 0:
        return Check("libraries", "ok", f"TensorFlow {done.stdout.split()[-1]} and ML Metadata can be loaded")
    last = (done.stderr.strip().splitlines() or [f"the process ended with status {done.returncode}"])[-1]
    libc = " ".join(platform.libc_ver())
    return Check(
        "libraries", "problem", f"{last} ({libc})", "the README names the line of TFX for this system: `make run LINE=1.16`"
    )


def machine() -> Iterator[Check]:
    """Examine processors, memory and the encoding of file names."""
    cores = len(os.sched_getaffinity(0))
    gpus = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    yield Check("processors", "ok", f"{cores} processors, {gpus or 'no'} GPU{'s' if gpus > 1 else ''}")
    free, total = memory()
    found = f"{_size(free)} of {_size(total)} are free"
    if free < LITTLE_MEMORY:
        yield Check(
            "memory", "warning", found, "a run needs 1.1 GB and more: end other programs, or lower training.memory_megabytes"
        )
    else:
        yield Check("memory", "ok", found)
    if sys.getfilesystemencoding() != "utf-8":
        yield Check("file names", "warning", f"they are {sys.getfilesystemencoding()}, not UTF-8", "set LC_ALL=C.UTF-8")


def memory() -> tuple[float, float]:
    """Return the free and the total memory, bytes: of the machine, or of the container if it is limited."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines())
    total, free = (float(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    if limit is not None and limit < total:
        return min(free, limit - (used or 0.0)), limit
    return free, total


def disk(name: str, place: Path) -> Check:
    """Examine the free space of a folder's disk, and whether files can be written and locked there."""
    free = shutil.disk_usage(place).free
    found = f"{_size(free)} are free in {place}"
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return Check(
            name, "problem", f"{place}: {error.strerror}", "give another folder by --work, or by TMPDIR for temporary files"
        )
    if free < LITTLE_DISK:
        state: State = "problem" if free < NO_DISK else "warning"
        return Check(name, state, found, "free some, for example by `darkroom gc`, or name another folder")
    return Check(name, "ok", found)


def work_folder(folder: Workspace) -> Iterator[Check]:
    """Examine a work folder: its path, its lock, its database and its runs."""
    forbidden = sorted(set(str(folder.root)) & set(GLOB))
    if forbidden:
        yield Check(
            "work folder", "problem", f"{folder.root} has {' '.join(forbidden)}", "choose another: TFX takes it for a pattern"
        )
        return
    if not folder.root.is_dir():
        yield Check("work folder", "ok", f"{folder.root} does not exist; a run makes it")
        return
    holder = folder.holder()
    if holder:
        yield Check("work folder", "problem", f"{folder.root} is in use by {holder}", "wait for it, or choose another --work")
    yield _store(folder)
    runs, dead = folder.runs(), killed(folder)
    numbers = versions(folder.serving)
    served = f"version {numbers[-1]} is in service" if numbers else "no model was pushed"
    counted = f"{len(runs):,} run{'s' * (len(runs) != 1)}, {served}"
    if runs and dead and dead[-1] == runs[-1].name:
        yield Check("runs", "warning", f"{counted}; the last one was killed", "the next run goes on from there")
    else:
        yield Check("runs", "ok", counted)


def _store(folder: Workspace) -> Check:
    """Examine the database of ML Metadata."""
    try:
        record = read_record(folder)
        if record:
            mysql.open_store(record.mysql)
            return Check("metadata", "ok", f"{record.mysql.place} can be reached")
    except (InputError, MachineFault, WorkFolderBusy) as error:
        return Check("metadata", "problem", str(error))
    if not folder.metadata.is_file():
        return Check("metadata", "ok", "there is no metadata.db yet")
    why = fault(folder.metadata)
    if why:
        return Check("metadata", "problem", f"{folder.metadata} is damaged: {why}", f"`{command('restore FILE', folder.root)}`")
    return Check("metadata", "ok", f"metadata.db is sound, {_size(folder.metadata.stat().st_size)}")


def configured(config: Config) -> Iterator[Check]:
    """Examine what a configuration needs beside the packages: other programs, variables of the environment, MLflow."""
    texts = [config.notify.webhook or "", config.mlflow.tracking_uri or ""]
    unset = sorted({name for text in texts for name in VARIABLE.findall(text) if not os.environ.get(name)})
    if unset:
        yield Check(
            "variables", "problem", f"{', '.join(unset)} not set", "set them, or change notify.webhook and mlflow.tracking_uri"
        )
    if config.notify.words and not shutil.which(config.notify.words[0]):
        yield Check("notify", "warning", f"notify.command: there is no program {config.notify.words[0]}", "nobody is notified")
    yield from _refused("MLflow", lambda: check_mlflow(config))
    if config.serving_check.kind == "infra_validator":
        found = shutil.which("docker")
        yield (
            Check("docker", "ok", found)
            if found
            else Check("docker", "problem", "serving_check.kind: infra_validator needs docker", "install it, or take c_api")
        )
    if config.metadata.host is not None:
        yield from _refused("MySQL", lambda: mysql.open_store(config.metadata))


def _refused(name: str, work: Callable[[], object]) -> Iterator[Check]:
    try:
        work()
    except (InputError, MachineFault) as error:
        yield Check(name, "problem", str(error))


def pictures(images: str, config: Config) -> Check:
    """List the pictures, which also shows whether their store can be reached."""
    try:
        found = find_sources(images, config.data)
    except (InputError, OSError) as error:
        return Check("pictures", "problem", str(error), "`darkroom inspect` shows what is looked for")
    return Check("pictures", "ok", f"{found.count:,} pictures, {_size(found.bytes)}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if os.path.isdir(each))


def _number(path: Path) -> float | None:
    try:
        return float(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no limit is the word max
        return None


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
