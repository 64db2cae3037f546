"""Build the request of a run from the options of the command line."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import InputError
from components.image_example_gen.discovery.find import Finder, find_sources
from components.image_example_gen.discovery.manifests import MANIFEST_SUFFIXES
from components.image_example_gen.readers.arrays.names import ARRAY_SUFFIXES
from components.image_example_gen.storage.archive_kinds import ARCHIVE_SUFFIXES
from components.image_example_gen.storage.files import printable
from components.image_example_gen.storage.plain import local_path
from pipeline.config.inference import INFERRED_FIELDS, PicturesUnseen, complete
from pipeline.config.loading import apply_overrides, build_config, load_values, preset_names, preset_path
from pipeline.config.schema import Config
from pipeline.data.datasets import prepare_dataset
from pipeline.data.schemas import schema_of
from pipeline.engines.arguments import beam_args as arguments_of_beam
from pipeline.workspace.layout import Workspace

DEFAULT_DATASET = "digits"
ASSUMED_HELD_OUT = 1000  # assumed number of held-out pictures for margins on a cluster, where pictures grow with each span


@dataclass(frozen=True)
class Request:
    """The request of a run."""

    images: str  # where the pictures are: an absolute path or a URI
    config: Config  # the configuration
    work: Path  # the work folder
    orchestrator: str = "local"  # `local` or `beam`
    enable_cache: bool = True  # whether unchanged results are taken from earlier runs
    beam_args: Sequence[str] = ()  # arguments for the components that run on Beam
    accept_drift: bool = False  # whether the pictures may differ from earlier ones
    bless: str = ""  # the reason to bless the model even if the model gate refuses it; empty for no such request
    # Lists the pictures to plan the run; `make_request` passes a function that lists them only once. The run itself lists them
    # again, because they may have changed since.
    find: Finder = field(default=find_sources, compare=False, repr=False)


def make_request(
    *,
    images: str | None,
    dataset: str | None,
    data_root: str | None,
    config: str | None,
    overrides: Sequence[str],
    work: str | None,
    orchestrator: str = "local",
    engine: str | None = None,
    beam_args: Sequence[str] = (),
    enable_cache: bool = True,
    accept_drift: bool = False,
    bless: str | None = None,
) -> Request:
    """Read and check all settings of a run; the arguments are those of `darkroom run`.

    Raises:
        InputError: An argument, the configuration or the input is not valid; one line.
    """
    if images is not None and dataset is not None:
        raise InputError("give --images or --dataset, not both")
    bless = checked_reason(bless)
    overrides = (*overrides, f"beam.engine={engine}") if engine else overrides
    if "" in (images, dataset, work):
        raise InputError("--images, --dataset and --work must not be empty; is a variable of your shell unset?")
    name = dataset or (None if images else DEFAULT_DATASET)
    chosen = config or (name if name and preset_path(name) else None)
    values = read_values(chosen)
    if name:
        work = work or str(Path("work", name))
        Workspace.create(Path(work))  # data sets are stored there
        prepared = prepare_dataset(name, data_root, work)
        images, values = str(prepared.folder), with_default(values, "data", "label_names", list(prepared.label_names))
        values = with_default(values, "data", "follow_links", True)  # files in other folders are linked, not copied
        values = {"title": name, **values}
    else:
        images = located(images)
        if not images.isprintable() and re.search("[\udc80-\udcff]", images):
            raise InputError(f"{printable(images)} is not UTF-8 text: give another name, such as that of a link to it")
        title = title_of(images)
        work = work or str(Path("work", title))
        values = {"title": title, **values}
    find = functools.cache(find_sources)
    built = _built(values, chosen, overrides, images, config or "the configuration", find=find)
    arguments_of_beam(built.beam, beam_args)  # finds a contradiction before the run
    return Request(images, built, Path(work), orchestrator, enable_cache, tuple(beam_args), accept_drift, bless, find)


def make_config(images: str, config: str | None, overrides: Sequence[str]) -> Config:
    """Return the configuration of a pipeline that runs elsewhere, on pictures that this machine may not be able to read.

    Raises:
        InputError: The configuration is not valid; or it leaves fields open that are inferred from the pictures, and they cannot
            be read.
    """
    values = {"title": title_of(images), **read_values(config)}
    try:
        return _built(values, config, overrides, images, config or "the configuration", ASSUMED_HELD_OUT)
    except PicturesUnseen as error:
        raise InputError(f"{error}; to go on without reading pictures, set {', '.join(INFERRED_FIELDS)}") from error


def _built(
    values: Mapping[str, Any],
    chosen: str | None,
    overrides: Sequence[str],
    images: str,
    source: str,
    judged_by: int | None = None,
    find: Finder = find_sources,
) -> Config:
    """Return the configuration, with open values inferred from the pictures."""
    if chosen is not None and Path(chosen).expanduser().is_file() and values.get("schema"):
        values = {**values, "schema": str(schema_of(Path(chosen).expanduser()).absolute())}
    values = apply_overrides(dict(values), overrides)
    build_config(values, source)  # finds a mistyped field before the pictures are read
    return build_config(complete(values, images, judged_by, find), source)


def located(images: str) -> str:
    """Return the location of pictures as an absolute path or a URI."""
    images = local_path(images)
    return images if "://" in images else str(Path(images).expanduser().absolute())


def title_of(images: str) -> str:
    """Return a title derived from the location: the last folder whose name contains no span, or the file."""
    parts = [part for part in Path(images).parts if "{" not in part and not re.fullmatch(r"\*+|\.+|/|\w+:", part)]
    name = Path(images).resolve().name if parts and "://" not in images and "{" not in images else (parts or [""])[-1]
    known = (*ARCHIVE_SUFFIXES, *ARRAY_SUFFIXES, *MANIFEST_SUFFIXES, ".tfrecord")
    stem = next((name[: -len(suffix)] for suffix in known if name.lower().endswith(suffix)), name)
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "pictures"


def checked_reason(why: str | None) -> str:
    """Return the reason for a forced blessing as one line; '' if none is requested. Raise InputError if it has no words."""
    if why is None:
        return ""
    reason = " ".join(why.split())
    if not re.search(r"\w", reason) or reason.startswith("-"):
        raise InputError(f"--bless needs a reason, which the verdict records, and not {why!r}")
    return reason


def read_values(config: str | None) -> dict[str, Any]:
    """Return the values of a configuration file or an included configuration, or raise InputError; empty if none is named."""
    path = config_path(config)
    return load_values(path) if path else {}


def config_path(config: str | None) -> Path | None:
    """Return the file of a configuration or an included one; None if none is named. Raise InputError if there is no such file."""
    if config is None:
        return None
    path = Path(config).expanduser()
    if path.is_file():
        return path
    preset = preset_path(config)
    if preset is None:
        raise InputError(f"no configuration {config!r}: neither a file nor one of {', '.join(preset_names())}")
    return preset


def with_default(values: Mapping[str, Any], section: str, field: str, default: Any) -> dict[str, Any]:
    """Return the values with a field set if it is unset."""
    if not default:
        return dict(values)
    inner = values.get(section) or {}
    return {**values, section: {field: default, **inner}} if isinstance(inner, Mapping) else dict(values)
