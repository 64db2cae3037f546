"""Units of work: each is read, decoded and written by one worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.listing import Listing, divide_rows, read_part
from components.image_example_gen.discovery.manifests import Row
from components.image_example_gen.discovery.sources import Sources
from components.image_example_gen.items import Block, Encoded, Entry, Rejected
from components.image_example_gen.layout import Labels, composed
from components.image_example_gen.readers.archives import ArchivePictures
from components.image_example_gen.readers.container import Container
from components.image_example_gen.storage.files import printable


@dataclass(frozen=True)
class FileUnit:
    """Picture files to read."""

    index: int  # index among all units, from 0; it determines the order of the output
    folder: str  # the folder that the paths are relative to
    part: str  # the file that lists them
    labels: Labels  # the rule for labels and splits by path
    rows: str = ""  # the file with their lines of a table of labels; '' for none
    only_listed: bool = True  # whether pictures that it does not name have no label; otherwise their path determines it

    def entries(self) -> Iterator[Entry]:
        """Yield the files, each with its label and its split."""
        rows = read_rows(self.rows)
        for path, size, label, split in read_part(self.part):
            by_path = self.labels.of(path)
            if self.rows:
                label, split = rows.get(composed(path), ("" if self.only_listed else None, None))
            yield Entry(path, size, printable(by_path[0]) if label is None else label, split or by_path[1])


@dataclass(frozen=True)
class ContainerUnit:
    """A range of a container file."""

    index: int  # index among all units, from 0
    folder: str  # the folder that the file's path is relative to
    container: Container
    start: int
    stop: int  # one past the last picture
    rows: str = ""  # the file with their lines of a table of labels; '' for none, or if they have labels of their own
    only_listed: bool = True  # whether pictures that it does not name have no label
    above: str = ""  # the label of pictures without one, from the folders that contain the file

    def read(self, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        """Yield the pictures, and rejects; no content of the file raises an error."""
        rows = read_rows(self.rows)
        for item in self.container.read(self.folder, self.start, self.stop, config):
            if self.rows and isinstance(item, Encoded):
                label, split = rows.get(composed(item.path), ("" if self.only_listed else item.label, None))
                item = replace(item, label=label, split=split or item.split)
            elif self.above and isinstance(item, Encoded) and not item.label:
                item = replace(item, label=self.above)
            elif self.above and isinstance(item, Block):
                item = replace(item, labels=[label or self.above for label in item.labels])
            yield item


def read_rows(part: str) -> dict[str, tuple[str, str | None]]:
    """Return the label and the split, None for none, by path, from tables of labels; empty if `part` is ''."""
    return {composed(path): (label, split) for path, label, split in read_part(part)} if part else {}


def plan_units(sources: Sources, listing: Listing, config: DataConfig, working: str) -> list[FileUnit | ContainerUnit]:
    """Divide all pictures into units of about `config.pictures_per_shard` or fewer; the same sources give the same plan.

    The lists of their files are written to `working`, a folder that all workers can access. Raise InputError if the label file
    cannot be read.
    """
    size = config.pictures_per_shard
    parts = -(-sources.files // size)
    files = listing.divide(parts, working, "files") if parts else []
    archives = [container.path for container in sources.containers if isinstance(container, ArchivePictures)]
    rows = [""] * (parts + len(archives))
    if sources.tables:
        rows = divide_rows(_rows(sources, archives), parts, archives, working, "labels")
    complete = all(table.complete for table in sources.tables)
    units: list[FileUnit | ContainerUnit] = [
        FileUnit(index, sources.folder, part, sources.labels, rows[index], complete) for index, part in enumerate(files)
    ]
    rows_of_archives = dict(zip(archives, rows[parts:], strict=True))
    for container in sources.containers:
        of_it = rows_of_archives.get(container.path, "")
        above = "" if container.path in rows_of_archives else sources.above(container)
        for start, stop in container.units(size):
            units.append(ContainerUnit(len(units), sources.folder, container, start, stop, of_it, complete, above))
    return units


def _rows(sources: Sources, archives: Sequence[str]) -> Iterator[Row]:
    """Yield the lines of the tables of labels, with paths relative to the folder of pictures."""
    only = f"{archives[0]}/" if archives and len(sources.containers) == 1 and not sources.files else ""
    for table in sources.tables:
        yield from table.rows(sources.folder, only)
