"""Choose the reader of each container file. Only this module lists all readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.tables import is_table
from components.image_example_gen.items import Rejected
from components.image_example_gen.layout import Labels
from components.image_example_gen.names import suffix_of
from components.image_example_gen.readers import archives, cifar, pickles, pixel_csv, records
from components.image_example_gen.readers.arrays.names import is_array
from components.image_example_gen.readers.arrays.search import find_arrays
from components.image_example_gen.readers.columnar import arrow, parquet
from components.image_example_gen.readers.container import Container
from components.image_example_gen.storage.files import FoundFile, join, open_file

# Each reads files one by one. Arrays are handled together, because their labels are in other files.
READERS: tuple[ModuleType, ...] = (archives, records, parquet, arrow, cifar, pixel_csv, pickles)


def is_container(path: str) -> bool:
    """Return whether a file has the name of a container of pictures, or of labels for one."""
    return is_array(path) or _is_beside(path) or any(reader.is_mine(path) for reader in READERS)


def _is_beside(path: str) -> bool:
    return cifar.is_beside(path) or records.is_beside(path)


def is_inner(name: str) -> bool:
    """Return whether a member of an archive has the name of a container or a table; archives in archives are not read."""
    return is_table(name) or (is_container(name) and not archives.is_mine(name))


@dataclass
class Containers:
    """The container files that were found."""

    taken: list[Container] = field(default_factory=list)  # those that are read, sorted by path
    left_out: list[Rejected] = field(default_factory=list)  # those that cannot be read
    used: list[FoundFile] = field(default_factory=list)  # the files that they consist of, and those with their labels
    others: Counter[str] = field(default_factory=Counter)  # files that turned out not to be containers, by suffix
    tables: list[FoundFile] = field(default_factory=list)  # tables within archives that do not hold pixels
    notes: list[str] = field(default_factory=list)  # notes for the user, one line each

    def place(self, labels: Labels) -> None:
        """Set the split of each container, and the label of archives, by their folders."""
        for number, each in enumerate(self.taken):
            label, split = labels.of(each.path)
            if isinstance(each, archives.ArchivePictures):
                each = replace(each, above=label)
            self.taken[number] = replace(each, split=split or each.split)

    def take(self, folder: str, file: FoundFile, config: DataConfig) -> None:
        """Let the reader of one file inspect it; a fault rejects only this file. Raise InputError if the configuration does not fit."""
        reader = next((reader for reader in READERS if reader.is_mine(file.path)), None)
        if reader is None:
            if _is_beside(file.path):
                self.used.append(file)
            return
        try:
            result = archives.find(folder, file, config, is_inner) if reader is archives else reader.find(folder, file, config)
        except InputError:
            raise
        except Exception as error:
            result = Rejected(file.path, reasons.UNREADABLE_CONTAINER.format(type(error).__name__))
        if result is None:
            self.others[suffix_of(file.path)] += 1
            return
        self.used.append(file)
        if isinstance(result, Rejected):
            self.left_out.append(result)
        else:
            self.others.update(result.others)
            self.taken.append(result)


def find_containers(folder: str, files: Sequence[FoundFile], config: DataConfig) -> Containers:
    """Read the headers of the container files in a folder. Raise InputError if the configuration names something that none has."""
    result = Containers()
    files = sorted(files, key=lambda file: file.path)
    for file in files:
        result.take(folder, file, config)
    members = [member for archive in result.taken for member in archive.inner]
    for member in members:
        result.take(folder, member, config)
        if is_table(member.path) and member not in result.used[-1:]:
            result.tables.append(member)
            result.others.update(() if is_container(member.path) else (suffix_of(member.path),))
    own = [file for file in (*files, *members) if is_array(file.path)]
    result.used += own
    for each in find_arrays(folder, own, config):
        (result.left_out if isinstance(each, Rejected) else result.taken).append(each)
    result.left_out = [_in_plain_words(folder, left) for left in result.left_out]
    result.taken.sort(key=lambda each: each.path)
    result.notes = [note for each in result.taken for note in each.notes]
    result.taken = [each for each in result.taken if each.count]
    return result


def _in_plain_words(folder: str, left: Rejected) -> Rejected:
    """Replace the reason if the file is an HTML page: a failed download under any name."""
    if "HTML" in left.reason:
        return left
    try:
        with open_file(join(folder, left.path)) as stream:
            head = stream.read(64).lstrip().lower()
    except Exception:  # keep the reason already found
        return left
    return replace(left, reason=reasons.HTML_PAGE) if head.startswith((b"<!doctype html", b"<html")) else left
