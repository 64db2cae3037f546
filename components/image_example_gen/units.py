"""Units of work: each is read, decoded and written by one worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.listing import Listing, divide_rows, read_part
from components.image_example_gen.discovery.manifests import Row, read_manifest
from components.image_example_gen.discovery.sources import Container, Entry, Sources, label_file
from components.image_example_gen.found import Block, Encoded, Rejected
from components.image_example_gen.readers.archives import ArchivePictures
from components.image_example_gen.splits import Labels
from components.image_example_gen.storage.files import printable, relative


@dataclass(frozen=True)
class FileUnit:
    """Picture files to read.

    Attributes:
        index: Place among all units, from 0: it decides where the pictures stand in the output.
        folder: The folder that the paths are relative to.
        part: The file that lists them.
        labels: How their paths tell their labels and splits.
        told: The file with what the label file says of them; '' where there is none.
    """

    index: int
    folder: str
    part: str
    labels: Labels
    told: str = ""

    def entries(self) -> Iterator[Entry]:
        """The files, each with its label and its split."""
        told = read_told(self.told)
        for path, size, label, split in read_part(self.part):
            by_path = self.labels.of(path)
            if self.told:
                label, split = told.get(path, ("", None))
            yield Entry(path, size, printable(by_path[0]) if label is None else label, split or by_path[1])


@dataclass(frozen=True)
class ContainerUnit:
    """A range of a file of many pictures.

    Attributes:
        index: Place among all units, from 0.
        folder: The folder that the file's path is relative to.
        container: The file.
        start: The first picture.
        stop: One behind the last picture.
        told: The file with what the label file says of them; '' where there is none, or they have labels of their own.
    """

    index: int
    folder: str
    container: Container
    start: int
    stop: int
    told: str = ""

    def read(self, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yields the pictures, and what is refused."""
        told = read_told(self.told)
        for item in self.container.read(self.folder, self.start, self.stop, config):
            if self.told and isinstance(item, Encoded):
                label, split = told.get(item.path, ("", None))
                item = replace(item, label=label, split=split or item.split)
            yield item


def read_told(part: str) -> dict[str, tuple[str, str | None]]:
    """What the label file says: the label and the split, None for none, by path; nothing where `part` is ''."""
    return {path: (label, split) for path, label, split in read_part(part)} if part else {}


def plan_units(sources: Sources, listing: Listing, config: DataConfig, working: str) -> list[FileUnit | ContainerUnit]:
    """Divides all pictures into units of at most about `config.pictures_per_shard`; the same sources give the same plan.

    Args:
        sources: What there is.
        listing: The picture files.
        config: How they are read.
        working: A folder that all workers reach.

    Raises:
        InputError: The label file cannot be read.
    """
    size = config.pictures_per_shard
    parts = -(-sources.files // size)
    files = listing.divide(parts, working, "files") if parts else []
    archives = [container.path for container in sources.containers if isinstance(container, ArchivePictures)]
    told = [""] * (parts + len(archives))
    if config.label_file:
        told = divide_rows(_rows(sources, archives, config), parts, archives, working, "labels")
    units: list[FileUnit | ContainerUnit] = [
        FileUnit(index, sources.folder, part, sources.labels, told[index]) for index, part in enumerate(files)
    ]
    of_archives = dict(zip(archives, told[parts:], strict=True))
    for container in sources.containers:
        for start, stop in container.units(size):
            unit = ContainerUnit(len(units), sources.folder, container, start, stop, of_archives.get(container.path, ""))
            units.append(unit)
    return units


def _rows(sources: Sources, archives: Sequence[str], config: DataConfig) -> Iterator[Row]:
    """The lines of the label file, their paths relative to the folder as those of the pictures are."""
    only = f"{archives[0]}/" if archives and len(sources.containers) == 1 and not sources.files else ""
    for row in read_manifest(label_file(sources.folder, config)):
        path = relative(sources.folder, row.path)
        yield replace(row, path=path if path.startswith(only) else f"{only}{path}")
