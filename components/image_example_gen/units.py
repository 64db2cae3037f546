"""Units of work: each is read, decoded and written by one worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from components.image_example_gen.config import DataConfig
from components.image_example_gen.files import printable
from components.image_example_gen.found import Block, Encoded, Rejected
from components.image_example_gen.listing import Listing, divide_rows, read_part
from components.image_example_gen.manifests import read_manifest
from components.image_example_gen.sources import Container, Entry, Sources, label_file
from components.image_example_gen.splits import Labels


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
        told = {path: (label, split) for path, label, split in read_part(self.told)} if self.told else {}
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
    """

    index: int
    folder: str
    container: Container
    start: int
    stop: int

    def read(self, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yields the pictures, and what is refused."""
        return self.container.read(self.folder, self.start, self.stop, config)


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
    rows = read_manifest(label_file(sources.folder, config)) if config.label_file else ()
    told = divide_rows(rows, parts, working, "labels") if parts and config.label_file else [""] * parts
    units: list[FileUnit | ContainerUnit] = [
        FileUnit(index, sources.folder, *pair) for index, pair in enumerate(zip(files, [sources.labels] * parts, told))
    ]
    for container in sources.containers:
        for start, stop in container.units(size):
            units.append(ContainerUnit(len(units), sources.folder, container, start, stop))
    return units
