"""Inspect what a run would read: the number and kind of pictures, and what it would leave out. Based on a sample, in a second."""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich import filesize

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import Finder, find_sources
from components.image_example_gen.discovery.sources import Sources, described
from components.image_example_gen.items import Block, Encoded, Entry
from components.image_example_gen.layout import composed
from components.image_example_gen.names import OTHER_SUFFIXES, PICTURE_SUFFIXES
from components.image_example_gen.readers.container import Container
from components.image_example_gen.splits import SPLITS
from components.image_example_gen.storage.files import join, printable, read_bytes
from pipeline.config.inference import INFERRED_FIELDS, LOOKED_AT, complete
from serving.picture_files import Refused, picture_shape

_SHOWN, _WIDTH = 10, 200
_FEW = 20  # pictures sampled from each container file, if there are many such files
_MAX_COPIES, _MIN_SAMPLE = 0.9, 10  # the share of copies that is reported, and the minimum sample for it
LOOKED_FOR = (
    f"pictures: {' '.join(suffix for suffix in PICTURE_SUFFIXES if suffix not in OTHER_SUFFIXES)}",
    "files of many: .zip .tar .tar.gz ..., IDX, .npy .npz .mat .h5 .parquet .arrow .tfrecord .tfrec, CIFAR's .bin, .csv of pixels",
)

CHOSEN = (*INFERRED_FIELDS, "model.network", "evaluation.max_drop")  # the fields shown as --set arguments


@dataclass
class Look:
    """The results of inspecting a sample of the pictures."""

    pictures: int = 0  # the number of pictures in the sample
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # their number by height and width
    channels: Counter[int] = field(default_factory=Counter)  # their number by channels
    # The number of pictures by label: all picture files, and the sampled pictures of container files
    labels: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # the reasons why some of them cannot be read
    all_labels: bool = True  # whether `labels` counts every picture
    copies: Counter[bytes] = field(default_factory=Counter)  # the number of sampled picture files by a hash of their bytes

    def add(self, shape: tuple[int, int, int]) -> None:
        """Count a picture by its height, width and channels."""
        self.pictures += 1
        self.sizes[shape[0], shape[1]] += 1
        self.channels[shape[2]] += 1

    def add_file(self, data: bytes) -> None:
        """Count a picture file by the shape in its header."""
        shape = picture_shape(data)
        self.copies[hashlib.sha256(data).digest()] += 1
        if shape is None:
            self.refused["no picture that can be read"] += 1
        else:
            self.add(shape)


@dataclass(frozen=True)
class Survey:
    """What a run would read."""

    sources: Sources  # the pictures
    look: Look  # a sample of them
    lines: list[str]  # the description, one line each


def inspect(images: str, config: DataConfig, values: Mapping[str, Any] | None = None) -> list[str]:
    """Return lines that describe the input of a run.

    Args:
        images: The pictures, as `darkroom run` takes them.
        config: How they are read.
        values: The configuration's values, for a last line with the settings of a run; see `chosen`.

    Raises:
        InputError: There is nothing that a run could read.
    """
    found = survey(images, config)
    return found.lines if values is None else [*found.lines, chosen(values, images, lambda *_: found.sources)]


def inspected(images: str, config: DataConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `inspect` describes as values for JSON; the arguments and errors are the same."""
    found = survey(images, config)
    completed = complete(values, images, find=lambda *_: found.sources)
    sizes = [{"height": height, "width": width, "pictures": count} for (height, width), count in found.look.sizes.most_common()]
    return {
        "folder": printable(found.sources.folder),
        "pictures": found.sources.count,
        "bytes": found.sources.bytes,
        "looked_at": found.look.pictures,
        "sizes": sizes,
        "channels": dict(found.look.channels),
        "labels": {label: count for label, count in found.look.labels.items() if count},
        "all_labels": found.look.all_labels,
        "left_out": {printable(each.path): each.reason for each in found.sources.left_out},
        "refused": dict(found.look.refused),
        "notes": list(found.sources.notes),
        "chosen": {name: completed[name.split(".")[0]][name.split(".")[1]] for name in CHOSEN},
    }


def survey(images: str, config: DataConfig) -> Survey:
    """List all pictures, and look at a sample; the arguments and errors are those of `inspect`."""
    suffixes: Counter[str] = Counter()
    places: Counter[tuple[str, str | None]] = Counter()  # by folder, to save memory, and given label

    def take(entry: Entry) -> None:
        suffixes[posixpath.splitext(entry.path)[1].lower()] += 1
        path = entry.path if config.label_pattern else f"{posixpath.dirname(entry.path)}/x"
        places[path.removeprefix("/"), entry.label] += 1

    sources = find_sources(images, config, take)
    seen = look_at(sources, config)
    if not sources.tables:
        for (path, given_label), count in places.items():
            seen.labels[sources.labels.of(path)[0] if given_label is None else given_label] += count
    else:
        seen.all_labels = False
        _count_table(sources, seen)
    return Survey(sources, seen, list(_lines(sources, config, seen, suffixes)))


def look_at(sources: Sources, config: DataConfig) -> Look:
    """Read the headers of a sample of pictures, evenly spread over the input."""
    seen = Look()
    for path in sources.sample[:LOOKED_AT]:
        try:
            seen.add_file(read_bytes(join(sources.folder, path), config.max_file_megabytes))
        except Refused as refused:
            seen.refused[refused.reason] += 1
    limit = LOOKED_AT if len(sources.containers) <= LOOKED_AT // _FEW else _FEW
    for container in sources.containers[:_SHOWN]:
        _look_into(container, sources, config, seen, limit)
    seen.all_labels &= not sources.containers
    return seen


def chosen(values: Mapping[str, Any], images: str, find: Finder = find_sources) -> str:
    """Return the line with the fields of `CHOSEN` as --set takes them: those given, and those inferred from the pictures.

    Args:
        values: The configuration's values, which have been validated.
        images: The pictures, as `darkroom run` takes them.
        find: Lists the pictures.

    Raises:
        InputError: There is nothing that a run could read.
    """
    completed = complete(values, images, find=find)
    return "a run would set " + " ".join(f"{name}={_written(completed, *name.split('.'))}" for name in CHOSEN)


def _written(values: Mapping[str, Any], section: str, name: str) -> str:
    value = values[section][name]
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _look_into(container: Container, sources: Sources, config: DataConfig, seen: Look, limit: int) -> None:
    left = limit
    for item in container.read(sources.folder, 0, container.count, config):
        if isinstance(item, Block):
            taken = min(len(item.pixels), left)
            for label in item.labels[:taken]:
                seen.add(item.pixels.shape[1:])
                seen.labels[label] += 1
        elif isinstance(item, Encoded):
            taken = 1
            if item.label or not sources.tables:  # pictures of a table are counted by its rows
                seen.labels[item.label] += 1
            seen.add_file(item.data)
        else:
            taken = 1
            seen.refused[item.reason] += 1
        left -= taken
        if left <= 0:
            return


def _count_table(sources: Sources, seen: Look) -> None:
    labels: dict[str, str] = {}  # only for tables that name a picture more than once
    for table in sources.tables:
        for row in table.rows(sources.folder):
            if table.repeats:
                labels[composed(row.path)] = row.label
            else:
                seen.labels[row.label] += 1
    seen.labels.update(labels.values())


def _lines(sources: Sources, config: DataConfig, seen: Look, suffixes: Counter[str]) -> Iterator[str]:
    yield f"{sources.count:,} pictures in {printable(sources.folder)}, {filesize.decimal(sources.bytes)}"
    if sources.files:
        yield f"files: {described(suffixes)}"
    if sources.containers:
        kinds = [f"{printable(each.path)} ({each.count:,})" for each in sources.containers[:_SHOWN]]
        yield _cut(f"files of many: {', '.join(kinds)}{_more(len(sources.containers) - _SHOWN)}")
    if seen.pictures:
        of_all = "" if seen.pictures >= sources.count else f" (of {seen.pictures:,} looked at)"
        sizes = [f"{width}x{height}{_share(count, seen.pictures)}" for (height, width), count in seen.sizes.most_common(5)]
        yield f"sizes: {', '.join(sizes)}{_more(len(seen.sizes) - 5)}{of_all}"
        yield f"color: {', '.join(_color(channels, count, seen.pictures) for channels, count in seen.channels.most_common())}"
    yield _splits(sources, config)
    yield _labels(seen)
    yield from sources.notes
    files, copies = seen.copies.total(), max(seen.copies.values(), default=0)
    if files >= _MIN_SAMPLE and copies >= _MAX_COPIES * files and not config.keep_duplicates:
        yield f"{copies:,} of {files:,} looked at are copies of one picture: a run leaves copies out, and refuses where nearly all are"
    for left in sources.left_out[:_SHOWN]:
        yield _cut(f"left out: {printable(left.path)}: {left.reason}")
    if sources.left_out[_SHOWN:]:
        yield f"left out: {len(sources.left_out) - _SHOWN:,} more"
    for reason, count in seen.refused.most_common(5):
        yield f"left out: {count:,} of those looked at: {reason}"
    if sources.others:
        yield f"ignored, because their names are not those of pictures: {described(sources.others)}"


def _splits(sources: Sources, config: DataConfig) -> str:
    own = [split for split in SPLITS if config.heeds_splits and split in sources.own_splits]
    shares = {"eval": config.eval_share, "test": config.test_share}
    by_content = [split for split in SPLITS if split not in own and shares.get(split, 1)]
    parts = [f"{', '.join(own)} from {' and '.join(sources.splits_from) or 'file names'}"] if own else []
    parts += [f"{', '.join(by_content)} by content"] if by_content else []
    return f"splits: {', '.join(parts)}"


def _labels(seen: Look) -> str:
    named = Counter({label: count for label, count in seen.labels.items() if label and count})
    if not named:
        return "labels: none"
    shown = ", ".join(f"{printable(label)[:24]} {count:,}" for label, count in sorted(named.most_common(_SHOWN)))
    of_all = "" if seen.all_labels else " (of those looked at)"
    without = f"; {seen.labels['']:,} pictures without" if seen.labels[""] else ""
    return _cut(f"labels: {len(named):,}: {shown}{_more(len(named) - _SHOWN)}{without}{of_all}")


def _color(channels: int, count: int, pictures: int) -> str:
    name = {1: "grey", 2: "grey with transparency", 3: "color", 4: "color with transparency"}.get(channels, f"{channels} channels")
    return f"{name}{_share(count, pictures)}"


def _share(count: int, pictures: int) -> str:
    return "" if count == pictures else f" {count / pictures:.0%}"


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def _cut(line: str) -> str:
    return line if len(line) < _WIDTH else f"{line[: _WIDTH - 2]}…"
