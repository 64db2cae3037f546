"""Read archives of pictures, tar and zip, as streams; nothing is unpacked to disk."""

from __future__ import annotations

import functools
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.layout import Labels, Layout
from components.image_example_gen.names import is_picture
from components.image_example_gen.readers.container import FileContainer
from components.image_example_gen.readers.webdataset import LabelSurvey, Sample, key_of, kind_of
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.archive_kinds import BrokenArchiveError, archive_suffix, is_archive
from components.image_example_gen.storage.archive_members import (
    ENDLESS,
    Member,
    check_encoding,
    walk,
)
from components.image_example_gen.storage.files import FoundFile, join, printable

_MOST_LETTERS = 119  # characters of a reason
_KEPT_FOLDERS = 200  # distinct folders kept, to check whether any gives a label
_ENCODINGS = "data.archive_encoding=cp932 (or gbk, cp866 ...) reads them"
_OF_LABELS = (".txt", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".mat")


@dataclass(frozen=True)
class ArchivePictures(FileContainer):
    """The pictures of one archive; see `Container`.

    Attributes:
        size: Size of the file in bytes; -1 if unknown.
        labels: The rule for labels and splits of their paths in the archive.
        above: The label given by the folders that contain the archive.
        label_kinds: The kinds of files beside the pictures that hold their labels: cls, json.
        damaged: Whether the archive is cut short.
    """

    size: int
    labels: Labels = Labels()
    own_splits: frozenset[str | None] = frozenset()
    told: frozenset[str | None] = frozenset()
    above: str = ""
    label_kinds: frozenset[str] = frozenset()
    inner: tuple[FoundFile, ...] = ()
    others: Counter[str] = field(default_factory=Counter, compare=False)
    damaged: bool = False

    def units(self, size: int) -> list[tuple[int, int]]:
        """Return one unit: an archive is read from its beginning."""
        return [(0, self.count)]

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Encoded | Rejected]:
        """Yield the pictures in order, and rejects: members and, where it is cut short, the archive."""
        sample = Sample(self.label_kinds, config.label_names, config.max_file_megabytes * 1e6, bool(self.row_splits))
        done = 0
        try:
            for member in walk(join(folder, self.path), self.size, config.archive_encoding):
                yield from sample.enter(member)
                done += is_picture(member.name) and not member.refused
                item = self._item(member, config)
                if item:
                    yield from sample.hold(item)
        except BrokenArchiveError:
            yield from sample.release()
            yield Rejected(self.path, reasons.ARCHIVE_DAMAGED, max(1, self.count - done))
        else:
            yield from sample.release()

    def _item(self, member: Member, config: DataConfig) -> Encoded | Rejected | None:
        """Return a member as an item, or None if it is not a picture and is not missed."""
        path = f"{self.path}/{member.name}" if member.name else self.path
        if member.refused:
            said = is_picture(member.name) or member.refused in (ENDLESS, reasons.LEADS_OUT)
            return Rejected(path, member.refused) if said else None
        if not is_picture(member.name):
            return Rejected(path, reasons.NESTED) if is_archive(member.name) else None
        if member.size > config.max_file_megabytes * 1e6:
            return Rejected(path, reasons.TOO_LARGE.format(config.max_file_megabytes))
        data = _data(member)
        if data is None:
            return Rejected(path, reasons.MEMBER_DAMAGED)
        label, split = self.labels.of(member.name)
        if not config.label_pattern:
            label = "/".join(filter(None, (self.above, label)))
        return Encoded(path, label, split or self.split, data)


def is_mine(path: str) -> bool:
    """Return whether a file has an archive's name."""
    return is_archive(path)


def no_reader(name: str) -> bool:
    """Return False: no other reader takes a member of an archive."""
    return False


@dataclass(frozen=True)
class _Way:
    """The part of the configuration that the survey of an archive depends on."""

    encoding: str | None
    splits: str
    pattern: str | None
    from_folders: bool


def find(folder: str, file: FoundFile, config: DataConfig, takes: Callable[[str], bool] = no_reader) -> ArchivePictures | Rejected:
    """Go through an archive's list of members; a compressed tar is decompressed for that, without storing the result.

    Args:
        folder: The folder that the file's path is relative to.
        file: The archive. The caller interprets the folders that contain it.
        config: How the archive is read.
        takes: Whether another reader takes a member of that name.

    Raises:
        InputError: A folder in it may be a split or a label, or the encoding of names is unknown.
    """
    check_encoding(config.archive_encoding)
    way = _Way(config.archive_encoding, config.splits, config.label_pattern, config.labels_from_folders)
    return _find(folder, file, way, takes)


@functools.lru_cache  # a compressed tar takes as long as reading it, and several steps of a run need it
def _find(folder: str, file: FoundFile, way: _Way, takes: Callable[[str], bool]) -> ArchivePictures | Rejected:
    finder = _Finder(file, way, takes)
    try:
        for member in walk(join(folder, file.path), file.size, way.encoding):
            finder.add(member)
    except BrokenArchiveError as error:
        finder.broken = error.reason
    return finder.found()


def _data(member: Member) -> bytes | None:
    """Return a member's bytes, or None if they are damaged or more than its header says."""
    try:
        with member.open() as stream:
            data = stream.read(member.size + 1)
    except Exception:  # Python's parsers raise many types of errors on arbitrary bytes
        return None
    return data if len(data) == member.size else None


class _Finder:
    """Collect the facts needed about an archive before any picture in it is read."""

    def __init__(self, file: FoundFile, way: _Way, takes: Callable[[str], bool]):
        self.file, self.way, self.takes = file, way, takes
        self.layout, self.survey = Layout(), LabelSurvey()
        says_split = "split" in re.compile(way.pattern or "").groupindex
        self.pattern = Labels(pattern=way.pattern) if says_split else None
        self.told: set[str | None] = set()
        self.folders: set[str] = set()
        self.inner: list[FoundFile] = []
        self.label_files: dict[str, Counter[str]] = {}  # by kind, then by suffix
        self.refused: Counter[str] = Counter()  # pictures, by reason
        self.inner_refused: Counter[str] = Counter()  # members for other readers, by reason
        self.about: Counter[str] = Counter()  # files about the archive, by suffix
        self.encrypted = 0  # encrypted files of any kind
        self.count = self.files = 0
        self.nested = self.undecoded = self.broken = ""

    def add(self, member: Member) -> None:
        """Add a member."""
        if member.refused == ENDLESS:
            self.broken = ENDLESS
            return
        self.files += 1
        if member.refused:
            self.encrypted += member.refused == reasons.MEMBER_ENCRYPTED
            if is_picture(member.name):
                self.refused[member.refused] += 1
            elif self.takes(member.name):
                self.inner_refused[member.refused] += 1
            return
        self.survey.add(member)
        if is_picture(member.name):
            self._add_picture(member)
        elif is_archive(member.name):
            self.nested = self.nested or member.name
        elif self.takes(member.key):
            self.inner.append(FoundFile(f"{self.file.path}/{member.key}", member.size, self.file.mtime_ns))
        else:
            suffix = posixpath.splitext(member.name)[1].lower() or "without a suffix"
            self.label_files.setdefault(kind_of(member.name), Counter())[suffix] += 1
            self.about[suffix] += _is_about(member.name)

    def _add_picture(self, member: Member) -> None:
        self.count += 1
        self.layout.add(member.name)
        if member.undecoded:
            self.undecoded = self.undecoded or member.name
        if self.pattern:
            self.told.add(self.pattern.of(member.name)[1])
        if len(self.folders) < _KEPT_FOLDERS:
            self.folders.add(posixpath.dirname(member.name))

    def found(self) -> ArchivePictures | Rejected:
        """Return the results."""
        if not self.count and not self.inner:
            return Rejected(self.file.path, self._why_nothing(), max(1, self.refused.total()))
        used = self.survey.used()
        kinds = frozenset() if self.way.pattern else used
        heeds = self.way.splits in ("auto", "folders") and not any(self.told)
        rows = self.survey.splits.found if heeds else frozenset()
        splits = "folders" if any(self.told) and self.way.splits == "auto" else self.way.splits  # if a pattern has none
        labelled = self.way.from_folders and not kinds
        labels = self.layout.labels(splits, printable(self.file.path), labelled, unwrap=True)
        own = self.layout.splits(labels) if labels.depth is not None else ()
        others = self._others(kinds | {"json"} if rows else kinds)
        notes = (*self._notes(labels, kinds, others), *(self.survey.splits.notes("split in its .json") if heeds else ()))
        name = posixpath.basename(self.file.path)
        return ArchivePictures(
            self.file.path,
            split_in_name(name.removesuffix(archive_suffix(name))),
            self.count,
            self.file.size,
            replace(labels, pattern=self.way.pattern),
            frozenset(own),
            frozenset(self.told),
            label_kinds=kinds,
            row_splits=rows,
            inner=tuple(self.inner),
            notes=tuple(f"{printable(self.file.path)[-60:]}: {note}" for note in notes),
            others=others,
            damaged=bool(self.broken),
        )

    def _others(self, kinds: frozenset[str]) -> Counter[str]:
        """Return the files that are not used, by suffix, if labels come from `kinds`."""
        return sum((found for kind, found in self.label_files.items() if kind not in kinds), Counter())

    def _why_nothing(self) -> str:
        refused = self.refused + self.inner_refused
        if self.broken:
            return self.broken[:_MOST_LETTERS]
        if self.encrypted and self.encrypted == self.files:
            return reasons.ARCHIVE_ENCRYPTED
        if refused:
            return reasons.ARCHIVE_UNREADABLE.format(refused.most_common(1)[0][0])[:_MOST_LETTERS]
        if self.nested:
            return reasons.NESTED_AS.format(printable(self.nested)[-40:])
        if self.files:
            return reasons.ARCHIVE_WITHOUT_PICTURES.format(_described(self._others(frozenset())))[:_MOST_LETTERS]
        return reasons.ARCHIVE_EMPTY

    def _notes(self, labels: Labels, kinds: frozenset[str], others: Counter[str]) -> Iterator[str]:
        if self.broken:
            yield self.broken[:_MOST_LETTERS]
        if self.undecoded:
            name, encoding = printable(self.undecoded)[-40:], self.way.encoding
            yield f"names that are not UTF-8, such as {name}: " + (f"nor are they {encoding}" if encoding else _ENCODINGS)
        for reason, count in self.inner_refused.items() if self.count else (self.refused + self.inner_refused).items():
            yield f"{count:,} file{'s' if count > 1 else ''} of pictures in it not read: {reason}"
        if self.nested and not self.count:
            yield f"{printable(self.nested)[-40:]} in it is an archive, which is not read: unpack it"
        if self.survey.unused:
            yield f"{self.survey.unused:,} .cls not used: no picture of the same name stands beside"
        unused = +Counter({suffix: others[suffix] - self.about[suffix] for suffix in _OF_LABELS})
        said = kinds or not self.way.from_folders or any(labels.of(f"{folder}/x")[0] for folder in self.folders if folder)
        if self.count and unused and not said:
            yield f"no labels; {_described(unused)} in it are not used: data.label_file names a table of labels"


def _described(kinds: Counter[str]) -> str:
    return ", ".join(f"{count:,} {printable(kind)[:16]}" for kind, count in kinds.most_common(4)) or "a note on it"


def _is_about(name: str) -> bool:
    """Return whether a file is about the archive, such as a readme: ignoring it is no loss."""
    return key_of(posixpath.basename(name))[0].lower() in ("readme", "license", "licence", "notice", "copying")
