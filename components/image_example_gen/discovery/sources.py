"""Finds the pictures of a folder, an archive, a manifest ... and what they are, without decoding any."""

from __future__ import annotations

import hashlib
import heapq
import os
import posixpath
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.manifests import MANIFEST_SUFFIXES, read_manifest
from components.image_example_gen.discovery.spans import find_spans, has_spans
from components.image_example_gen.found import Rejected
from components.image_example_gen.names import PICTURE_SUFFIXES, is_picture
from components.image_example_gen.readers import archives, records
from components.image_example_gen.readers.archives import ARCHIVE_SUFFIXES, ArchivePictures
from components.image_example_gen.readers.arrays import (
    ARRAY_SUFFIXES,
    ArrayPictures,
    find_idx,
    find_numpy,
    is_idx,
    is_idx_images,
    split_of_idx,
)
from components.image_example_gen.readers.records import RecordPictures
from components.image_example_gen.splits import Labels, label_of_path, split_in_name, split_of_folder
from components.image_example_gen.storage.files import FoundFile, is_file, is_remote, join, list_files, printable, stat_file
from trainer.errors import InputError
from trainer.progress import report_progress

Container = ArrayPictures | ArchivePictures | RecordPictures

SAMPLE = 200  # paths kept of all pictures, to look at some
_LOOKED_FOR = (
    f"looked for pictures ({' '.join(PICTURE_SUFFIXES)}), archives of them (.zip .tar .tar.gz), arrays (IDX, .npy, .npz) "
    "and .tfrecord"
)
_SECONDS_BETWEEN_REPORTS = 0.2


class Entry(NamedTuple):
    """A picture file that was found.

    Attributes:
        path: Relative to the folder; or absolute, or a URI, from a manifest.
        size: In bytes; -1 where it is not known.
        label: What a manifest says; None where its path is to say.
        split: The same for its split.
    """

    path: str
    size: int
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Sources:
    """What there is to read. It holds no list of the picture files, which may be millions; see `find_sources`.

    Attributes:
        folder: The folder that all paths are relative to.
        files: How many picture files there are.
        containers: The files of many pictures, sorted by path.
        labels: How a picture file's path tells its label and split.
        own_splits: The splits that folders, files and manifests say; None among them where some say nothing.
        file_splits: Picture files of each split that they say, None for none.
        sample: Some picture files, spread evenly: the paths of lowest hash, sorted.
        left_out: What was found and cannot be read, sorted by path.
        others: Files that are not called like pictures, by suffix.
        span: The number of the latest span; 0 where there are none.
        first_span: The number of the earliest of them.
        span_depth: How many folders at the beginning of a path are its span's; 0 where there are none.
        fingerprint: A hash that changes when a file is added, removed, renamed or edited.
        bytes: The size of all files, as far as it is known without asking a server for each.
    """

    folder: str
    files: int = 0
    containers: tuple[Container, ...] = ()
    labels: Labels = Labels(False)
    own_splits: frozenset[str | None] = frozenset()
    file_splits: Counter[str | None] = field(default_factory=Counter)
    sample: tuple[str, ...] = ()
    left_out: tuple[Rejected, ...] = ()
    others: Counter[str] = field(default_factory=Counter)
    span: int = 0
    first_span: int = 0
    span_depth: int = 0
    fingerprint: str = ""
    bytes: int = 0

    @property
    def count(self) -> int:
        """The number of pictures, readable or not."""
        return self.files + sum(container.count for container in self.containers)


def find_sources(images: str, config: DataConfig = DataConfig(), sink: Callable[[Entry], None] | None = None) -> Sources:
    """Finds the pictures of a folder, or in a file; of files that hold many it reads the headers.

    Args:
        images: A folder or one file: an archive, an array, TFRecords or a manifest; a path or a URI. With {SPAN} or
            {YYYY}-{MM}-{DD} in it the folders of the last spans.
        config: How pictures are read.
        sink: Is given every picture file, in no order; nothing else holds them all.

    Raises:
        InputError: The folder does not exist, holds no picture, or none to train on; a split's folder is empty; a file of
            many pictures is damaged.
    """
    survey = _Survey(images, config, sink or (lambda entry: None))
    return survey.of_spans() if has_spans(images) else survey.of_file() if is_file(images) else survey.of_folder()


class _Survey:
    """Goes through all that there is, and adds up what has to be known before any of it is read."""

    def __init__(self, images: str, config: DataConfig, sink: Callable[[Entry], None]):
        self.images, self.config, self.sink = images, config, sink
        self.splits_of_files: Counter[str | None] = Counter()  # by their first folders
        self.splits_told: Counter[str | None] = Counter()  # by a manifest
        self.sample: list[tuple[int, str]] = []  # the largest of (-hash, path)
        self.containers: list[FoundFile] = []
        self.left_out: list[Rejected] = []
        self.others: Counter[str] = Counter()
        names_split = "split" in re.compile(config.label_pattern or "").groupindex
        self.splits_by_pattern = Labels(False, config.label_pattern) if names_split else None
        self.skipped = 0  # folders at the beginning of a path that are a span's
        self.print = 0
        self.count = 0
        self.bytes = 0
        self.reported = time.monotonic()

    def of_folder(self) -> Sources:
        """A folder's pictures."""
        folder = self.images
        for file in list_files(folder, self.config.follow_links):
            self.take(file)
        split_folders = self.all_in_split_folders()
        if split_folders:
            self.check_split_folders(folder)
        return self.sources(folder, Labels(split_folders, self.config.label_pattern))

    def of_spans(self) -> Sources:
        """The pictures of the last spans' folders."""
        base, spans = find_spans(self.images, self.config.span_window)
        for span in spans:
            for file in list_files(join(base, span.folder), self.config.follow_links):
                self.take(file, f"{span.folder}/")
        self.skipped = spans[0].folder.count("/") + 1
        labels = Labels(self.all_in_split_folders(), self.config.label_pattern, self.skipped)
        return replace(self.sources(base, labels), span=spans[-1].number, first_span=spans[0].number)

    def of_file(self) -> Sources:
        """The pictures that one file holds or lists."""
        folder, name = posixpath.split(self.images)
        folder = folder or "."
        if name.lower().endswith(MANIFEST_SUFFIXES):
            for row in read_manifest(self.images):
                reason = is_remote(folder) and _leads_out(row.path)
                if reason:
                    self.left_out.append(Rejected(row.path, reason))
                else:
                    self.add(self.entry_of_row(folder, row), self.splits_told, row.split)
            self.print = (self.print + _hash(f"{self.images}\0{self.print}")) % 2**256
            return self.sources(folder, Labels(False, self.config.label_pattern))
        if is_picture(name):
            raise InputError(f"{printable(self.images)} is a single picture: give a folder of them")
        if self.images.startswith(("http://", "https://")) and not stands_alone(name):
            kinds = " ".join((*MANIFEST_SUFFIXES, *ARCHIVE_SUFFIXES, *ARRAY_SUFFIXES, ".tfrecord"))
            raise InputError(f"{self.images} is none of {kinds}, and the web cannot be listed: give a manifest")
        self.take(stat_file(folder, name))
        if is_idx_images(name):  # with the labels beside it
            for file in list_files(folder, self.config.follow_links):
                if isinstance(file, FoundFile) and is_idx(file.path) and not is_idx_images(file.path):
                    self.take(file)
        return self.sources(folder, Labels(False, self.config.label_pattern))

    def entry_of_row(self, folder: str, row: object) -> Entry:
        """A manifest's line as a picture file, with the time of its last change where that costs nothing."""
        size = mtime = -1
        path = join(folder, row.path)
        if not is_remote(path):
            try:
                stat = os.stat(path)
                size, mtime = stat.st_size, stat.st_mtime_ns
            except OSError:
                pass  # said when it is read
        self.print = (self.print + _hash(f"{row.path}\0{row.label}\0{row.split}\0{size}\0{mtime}")) % 2**256
        label = None if self.config.label_pattern else row.label
        return Entry(row.path, size, label, row.split)

    def take(self, file: FoundFile | Rejected, prefix: str = "") -> None:
        """Looks at a file that was found."""
        path = f"{prefix}{file.path}"
        if isinstance(file, Rejected):
            self.left_out.append(Rejected(path, file.reason))
            return
        if is_picture(path):
            self.add(Entry(path, file.size), self.splits_of_files, split_of_folder(file.path))
        elif is_idx(path) or stands_alone(path):
            self.containers.append(FoundFile(path, file.size, file.mtime_ns))
            self.bytes += max(file.size, 0)
        else:
            self.others[posixpath.splitext(path)[1].lower() or "without a suffix"] += 1
            return
        self.print = (self.print + _hash(f"{path}\0{file.size}\0{file.mtime_ns}")) % 2**256

    def add(self, entry: Entry, splits: Counter[str | None], split: str | None) -> None:
        """Counts a picture file and hands it on."""
        self.count += 1
        self.bytes += max(entry.size, 0)
        splits[split] += 1
        if self.splits_by_pattern:
            self.splits_told[self.splits_by_pattern.of(entry.path)[1]] += 1
        place = (-_hash(entry.path), entry.path)
        if len(self.sample) < SAMPLE:
            heapq.heappush(self.sample, place)
        elif place > self.sample[0]:
            heapq.heapreplace(self.sample, place)
        self.sink(entry)
        if time.monotonic() - self.reported > _SECONDS_BETWEEN_REPORTS:
            self.reported = time.monotonic()
            report_progress("listing", done=self.count)

    def all_in_split_folders(self) -> bool:
        """Whether all pictures lie in folders called like splits.

        Where there are no picture files, it is whether all files of many do that do not say their split themselves.
        """
        splits = set(self.splits_of_files)
        if not splits:
            splits = {split_of_folder(self.inside(file.path)) for file in self.containers if not _says_its_split(file.path)}
        return bool(splits) and None not in splits

    def inside(self, path: str) -> str:
        """A path without the folders that are a span's."""
        return "/".join(path.split("/")[self.skipped :])

    def check_split_folders(self, folder: str) -> None:
        """Refuses an empty folder that is called like a split: its pictures are missing, not to be taken from elsewhere."""
        if is_remote(folder):  # object stores have no empty folders
            return
        filled = {*self.splits_of_files, *(split_of_folder(self.inside(file.path)) for file in self.containers)}
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            split = split_of_folder(f"{entry.name}/")
            if split and split not in filled and entry.is_dir():
                raise InputError(
                    f"the split {split!r} is empty: there are no pictures in {printable(entry.path)}; "
                    "add some, or remove the folder, and a share of the training pictures is taken"
                )

    def sources(self, folder: str, labels: Labels) -> Sources:
        """The sum of it all.

        Raises:
            InputError: There is nothing to read, or nothing to train on.
        """
        found = sorted(self.find_containers(folder, labels.split_folders), key=lambda container: container.path)
        if not self.count and not found:
            raise InputError(f"no pictures in {printable(self.images)}: {_LOOKED_FOR}; found {self.what_is_there()}")
        file_splits = +self.splits_told or (self.splits_of_files if labels.split_folders else Counter({None: self.count}))
        own = {split for split, count in file_splits.items() if count}
        own |= self.splits_of_label_file(folder)
        for container in found:
            inside = getattr(container, "told", None) or getattr(container, "own_splits", None)
            own |= set(inside) if inside else {container.split}
        if not own & {"train", None} and self.config.heeds_splits:
            raise InputError(
                f"no pictures to train on in {printable(self.images)}: all belong to {' and '.join(sorted(own))}; "
                "add a folder 'train', or give the folder above where those names are labels"
            )
        return Sources(
            folder=folder,
            files=self.count,
            containers=tuple(found),
            labels=labels,
            own_splits=frozenset(own),
            file_splits=file_splits,
            sample=tuple(sorted(path for _, path in self.sample)),
            left_out=tuple(sorted(self.left_out, key=lambda left: left.path)),
            others=self.others,
            span_depth=self.skipped,
            fingerprint=f"{self.print:064x}",
            bytes=self.bytes,
        )

    def splits_of_label_file(self, folder: str) -> set[str | None]:
        """The splits that the label file names; it becomes part of the fingerprint."""
        if not self.config.label_file:
            return set()
        found: set[str | None] = set()
        for row in read_manifest(label_file(folder, self.config)):
            found.add(row.split)
            self.print = (self.print + _hash(f"{row.path}\0{row.label}\0{row.split}")) % 2**256
        return found

    def find_containers(self, folder: str, split_folders: bool) -> Iterator[Container]:
        """The files of many pictures."""
        pictures = sorted(self.containers, key=lambda file: file.path)
        idx = [file for file in pictures if is_idx(file.path)]

        def split_of(path: str) -> str | None:
            return split_of_folder(self.inside(path)) if split_folders else None

        yield from find_idx(folder, idx, split_of)
        yield from find_numpy(folder, [file for file in pictures if file.path.lower().endswith(ARRAY_SUFFIXES)], split_of)
        for file in pictures:
            if file.path.lower().endswith(ARCHIVE_SUFFIXES):
                found, by_folder = archives.inspect(folder, file, self.splits_by_pattern), split_of(file.path)
                above = label_of_path(self.inside(file.path), by_folder is not None)
                archive = replace(found, split=by_folder or found.split, above=above)
                self.others.update(archive.others)
                if archive.count or archive.damaged:
                    yield archive
            elif records.is_records(file.path):
                found = records.inspect(folder, file)
                yield replace(found, split=split_of(file.path) or found.split)

    def what_is_there(self) -> str:
        """The kinds of files that are no pictures, in words."""
        kinds = self.others + Counter(posixpath.splitext(file.path)[1].lower() for file in self.containers)
        return described(kinds) or "nothing"


def stands_alone(name: str) -> bool:
    """Whether a file is called like one of many pictures that needs no other file beside it."""
    return name.lower().endswith(ARRAY_SUFFIXES + ARCHIVE_SUFFIXES) or records.is_records(name)


def _says_its_split(path: str) -> bool:
    """Whether the name of a file of many pictures says which split they belong to; labels say nothing of it."""
    if is_idx(path):
        return not is_idx_images(path) or split_of_idx(path) is not None
    return split_in_name(posixpath.basename(path)) is not None


def _leads_out(path: str) -> str:
    """Why a manifest from elsewhere may not name a path; '' where it may."""
    if path.startswith(("/", "file:")):
        return "a file of this machine, named by a manifest from elsewhere"
    return "" if is_remote(path) or ".." not in path.split("/") else "its path leads out of the manifest's folder"


def described(kinds: Counter[str]) -> str:
    """Files counted by suffix, the commonest five, in words."""
    return ", ".join(f"{count:,} {printable(kind)}" for kind, count in kinds.most_common(5))


def label_file(folder: str, config: DataConfig) -> str:
    """Where the label file is: as it is named, from the current folder, or else in the folder of pictures."""
    name = config.label_file
    return name if is_remote(name) or os.path.isfile(name) else join(folder, name)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), "big")
