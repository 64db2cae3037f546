"""Which reader takes a file of many pictures: the one place that knows all readers."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType

from components.image_example_gen.config import DataConfig
from components.image_example_gen.found import Rejected
from components.image_example_gen.layout import Labels
from components.image_example_gen.readers import archives, arrays, records
from components.image_example_gen.storage.files import FoundFile
from components.image_example_gen.readers.container import Container
from trainer.errors import InputError

# Each takes files one by one; arrays are taken together, for labels lie in other files.
import importlib  # TEMPORARY until all have landed

READERS: tuple[ModuleType, ...] = tuple(
    importlib.import_module(f"components.image_example_gen.readers.{n}")
    for n in ("archives", "records", "parquet", "arrow", "cifar", "pixel_csv", "pickles")
    if importlib.util.find_spec(f"components.image_example_gen.readers.{n}")
)
READERS = tuple(r for r in READERS if hasattr(r, "find"))


def is_container(path: str) -> bool:
    """Whether a file is called like one of many pictures, or of their labels."""
    return (
        _is_array(path)
        or any(reader.is_mine(path) for reader in READERS)
        or path.endswith(archives.ARCHIVE_SUFFIXES)
        or records.is_records(path)
    )


def _is_array(path):
    return (
        arrays.is_array(path)
        if hasattr(arrays, "is_array")
        else arrays.is_idx(path) or path.lower().endswith(arrays.ARRAY_SUFFIXES)
    )


def is_inner(name: str) -> bool:
    """Whether a member of an archive is called so; an archive within an archive is not read."""
    return is_container(name) and not archives.is_mine(name)


@dataclass
class Containers:
    """What became of the files of many pictures.

    Attributes:
        taken: Those that are read, sorted by path.
        left_out: Those that cannot be.
        used: The files that they are made of, and those with their labels.
        others: Files that turned out to be none, by suffix.
    """

    taken: list[Container] = field(default_factory=list)
    left_out: list[Rejected] = field(default_factory=list)
    used: list[FoundFile] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def place(self, labels: Labels) -> None:
        """Gives each the split, and archives the label, that its folders say."""
        for number, each in enumerate(self.taken):
            label, split = labels.of(each.path)
            if isinstance(each, archives.ArchivePictures):
                each = replace(each, above=label)
            self.taken[number] = replace(each, split=split or each.split)


def find_containers(folder: str, files: Sequence[FoundFile], config: DataConfig) -> Containers:
    """Reads the headers of files of many pictures.

    Args:
        folder: That their paths are relative to.
        files: The files.
        config: How they are read.

    Raises:
        InputError: The configuration names what none of them has.
    """
    found = Containers()
    for file in sorted(files, key=lambda file: file.path):
        if archives not in READERS and file.path.endswith(archives.ARCHIVE_SUFFIXES):  # TEMPORARY
            got = archives.inspect(folder, file)
            _take(found, got, file)
        if records not in READERS and records.is_records(file.path):
            _take(found, records.inspect(folder, file), file)
        for reader in READERS:
            if reader.is_mine(file.path):
                _take(found, _guarded(reader, folder, file, config), file)
                break
    members = [member for archive in found.taken for member in getattr(archive, "inner", ())]
    for member in members:
        for reader in READERS:
            if reader is not archives and reader.is_mine(member.path):
                _take(found, _guarded(reader, folder, member, config), member)
                break
    own = [file for file in (*files, *members) if _is_array(file.path)]
    found.used += [file for file in own if file not in members]
    if not hasattr(arrays, "find_arrays"):  # TEMPORARY
        none = lambda path: None
        found.taken += arrays.find_idx(folder, [f for f in own if arrays.is_idx(f.path)], none)
        found.taken += arrays.find_numpy(folder, [f for f in own if not arrays.is_idx(f.path)], none)
        own = []
    for each in arrays.find_arrays(folder, own, config) if own else ():
        (found.left_out if isinstance(each, Rejected) else found.taken).append(each)
    found.taken = sorted((each for each in found.taken if each.count), key=lambda each: each.path)
    return found


def _guarded(reader: ModuleType, folder: str, file: FoundFile, config: DataConfig) -> Container | Rejected | None:
    """What a reader makes of a file; whatever the file holds, it is refused by itself."""
    try:
        if reader is archives:
            return archives.find(folder, file, config, is_inner)
        return reader.find(folder, file, config)
    except InputError:  # a mistake in the configuration
        raise
    except Exception as error:
        return Rejected(file.path, f"the file cannot be read ({type(error).__name__})")


def _take(found: Containers, each: Container | Rejected | None, file: FoundFile) -> None:
    if each is None:
        found.others[posixpath.splitext(file.path)[1].lower() or "without a suffix"] += 1
        return
    found.used.append(file)
    if isinstance(each, Rejected):
        found.left_out.append(each)
        return
    found.others.update(getattr(each, "others", ()))
    found.taken.append(each)
