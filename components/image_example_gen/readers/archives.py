"""Read archives of pictures, tar and zip, as streams; nothing is unpacked to disk."""

from __future__ import annotations

import functools
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.layout import Labels, Layout
from components.image_example_gen.names import is_picture
from components.image_example_gen.readers.container import Container
from components.image_example_gen.readers.webdataset import LabelSurvey, Sample, key_of, kind_of
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.archive_kinds import BrokenArchiveError, archive_suffix, is_archive
from components.image_example_gen.storage.archive_members import ENDLESS, Member, check_encoding, walk
from components.image_example_gen.storage.files import FoundFile, join, printable

_MAX_LETTERS = 119  # characters of a reason
_KEPT_FOLDERS = 200  # distinct folders kept, to check whether any gives a label
_ENCODINGS = "data.archive_encoding=cp932 (or gbk, cp866 ...) reads them"
_ABOUT = ("readme", "license", "licence", "notice", "copying")  # files about the archive: ignoring them is no loss
_OF_LABELS = (".txt", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".mat")


@dataclass(frozen=True)
class ArchivePictures(Container):
    """The pictures of one archive; see `Container`."""

    size: int  # of the file in bytes; -1 if unknown
    labels: Labels = Labels()  # the rule for labels and splits of their paths in the archive
    above: str = ""  # the label given by the folders that contain the archive
    label_kinds: frozenset[str] = frozenset()  # the kinds of files beside the pictures that hold their labels: cls, json
    damaged: bool = False  # whether the archive is cut short

    def units(self, size: int) -> list[tuple[int, int]]:
        """Return one unit: an archive is read from its beginning."""
        return [(0, self.count)]

    def _items(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Encoded | Rejected]:
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
        yield from sample.release()

    def _item(self, member: Member, config: DataConfig) -> Encoded | Rejected | None:
        """Return a member as an item, or None if it is not a picture and is not missed."""
        path = f"{self.path}/{member.name}" if member.name else self.path
        if member.refused:
            expected = is_picture(member.name) or member.refused in (ENDLESS, reasons.LEADS_OUT)
            return Rejected(path, member.refused) if expected else None
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


is_mine = is_archive


def find(
    folder: str, file: FoundFile, config: DataConfig, takes: Callable[[str], bool] | None = None
) -> ArchivePictures | Rejected:
    """List an archive's members, some for another reader that `takes` them. Raise InputError if the configuration does not fit."""
    check_encoding(config.archive_encoding)
    options = {name: getattr(config, name) for name in ("archive_encoding", "splits", "label_pattern", "label_file")}
    return _find(folder, file, DataConfig(**options), takes)


@functools.lru_cache  # a compressed tar takes as long as reading it, and several steps of a run need it
def _find(folder: str, file: FoundFile, config: DataConfig, takes: Callable[[str], bool] | None) -> ArchivePictures | Rejected:
    """Find by a configuration that differs from the default only in what matters here."""
    finder = _Finder(file, config, takes)
    try:
        for member in walk(join(folder, file.path), file.size, config.archive_encoding):
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

    def __init__(self, file: FoundFile, config: DataConfig, takes: Callable[[str], bool] | None):
        self.file, self.config, self.takes = file, config, takes
        self.layout, self.survey = Layout(), LabelSurvey()
        says_split = "split" in re.compile(config.label_pattern or "").groupindex
        self.pattern = Labels(pattern=config.label_pattern) if says_split else None
        self.pattern_splits: set[str | None] = set()
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
            elif self.takes and self.takes(member.name):
                self.inner_refused[member.refused] += 1
            return
        self.survey.add(member)
        if is_picture(member.name):
            self._add_picture(member)
        elif is_archive(member.name):
            self.nested = self.nested or member.name
        elif self.takes and self.takes(member.key):
            self.inner.append(FoundFile(f"{self.file.path}/{member.key}", member.size, self.file.mtime_ns))
        else:
            suffix = posixpath.splitext(member.name)[1].lower() or "without a suffix"
            self.label_files.setdefault(kind_of(member.name), Counter())[suffix] += 1
            self.about[suffix] += key_of(posixpath.basename(member.name))[0].lower() in _ABOUT

    def _add_picture(self, member: Member) -> None:
        self.count += 1
        self.layout.add(member.name)
        if member.undecoded:
            self.undecoded = self.undecoded or member.name
        if self.pattern:
            self.pattern_splits.add(self.pattern.of(member.name)[1])
        if len(self.folders) < _KEPT_FOLDERS:
            self.folders.add(posixpath.dirname(member.name))

    def found(self) -> ArchivePictures | Rejected:
        """Return the results."""
        if not self.count and not self.inner:
            return Rejected(self.file.path, self._why_nothing(), max(1, self.refused.total()))
        used = self.survey.used()
        kinds = frozenset() if self.config.label_pattern else used
        splits, by_pattern = self.config.splits, any(self.pattern_splits)
        if by_pattern and splits == "auto":  # if a pattern has none
            splits = "folders"
        heeds = self.config.heeds_splits and not by_pattern
        rows = self.survey.splits.found if heeds else frozenset()
        labelled = self.config.labels_from_folders and not kinds
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
            replace(labels, pattern=self.config.label_pattern),
            label_kinds=kinds,
            own_splits=frozenset(own),
            pattern_splits=frozenset(self.pattern_splits),
            row_splits=rows,
            inner=tuple(self.inner),
            notes=tuple(f"{printable(self.file.path)[-60:]}: {note}" for note in notes),
            others=others,
            damaged=bool(self.broken),
        )

    def _others(self, kinds: frozenset[str]) -> Counter[str]:
        """Return the files that are not used, by suffix, if labels come from `kinds`."""
        return sum((result for kind, result in self.label_files.items() if kind not in kinds), Counter())

    def _why_nothing(self) -> str:
        refused = self.refused + self.inner_refused
        if self.broken:
            return self.broken[:_MAX_LETTERS]
        if self.encrypted and self.encrypted == self.files:
            return reasons.ARCHIVE_ENCRYPTED
        if refused:
            return reasons.ARCHIVE_UNREADABLE.format(refused.most_common(1)[0][0])[:_MAX_LETTERS]
        if self.nested:
            return reasons.NESTED_AS.format(printable(self.nested)[-40:])
        if self.files:
            return reasons.ARCHIVE_WITHOUT_PICTURES.format(_described(self._others(frozenset())))[:_MAX_LETTERS]
        return reasons.ARCHIVE_EMPTY

    def _notes(self, labels: Labels, kinds: frozenset[str], others: Counter[str]) -> Iterator[str]:
        if self.broken:
            yield self.broken[:_MAX_LETTERS]
        if self.undecoded:
            name, encoding = printable(self.undecoded)[-40:], self.config.archive_encoding
            yield f"names that are not UTF-8, such as {name}: " + (f"nor are they {encoding}" if encoding else _ENCODINGS)
        for reason, count in self.inner_refused.items() if self.count else (self.refused + self.inner_refused).items():
            yield f"{count:,} file{'s' if count > 1 else ''} of pictures in it not read: {reason}"
        if self.nested and not self.count:
            yield f"{printable(self.nested)[-40:]} in it is an archive, which is not read: unpack it"
        if self.survey.unused:
            yield f"{self.survey.unused:,} .cls not used: no picture of the same name stands beside"
        unused = +Counter({suffix: others[suffix] - self.about[suffix] for suffix in _OF_LABELS})
        expected = (
            kinds or not self.config.labels_from_folders or any(labels.of(f"{folder}/x")[0] for folder in self.folders if folder)
        )
        if self.count and unused and not expected:
            yield f"no labels; {_described(unused)} in it are not used: data.label_file names a table of labels"


def _described(kinds: Counter[str]) -> str:
    return ", ".join(f"{count:,} {printable(kind)[:16]}" for kind, count in kinds.most_common(4)) or "a note on it"
