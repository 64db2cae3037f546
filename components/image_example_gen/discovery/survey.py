"""Go through all files, and collect the facts needed before any picture is read."""

from __future__ import annotations

import heapq
import os
import posixpath
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from common.errors import InputError
from common.progress import report_progress
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.containers import Containers, find_containers, is_container
from components.image_example_gen.discovery.folders import check_filled, nothing_to_train_on, whole_layout
from components.image_example_gen.discovery.manifests import Row, read_manifest
from components.image_example_gen.discovery.sources import Sources, described
from components.image_example_gen.discovery.spans import find_spans
from components.image_example_gen.discovery.tables import (
    Repeats,
    Table,
    check,
    columns,
    is_metadata,
    is_table,
    label_tables,
    separated,
    unused,
)
from components.image_example_gen.items import Entry, Rejected, hash_of
from components.image_example_gen.layout import Labels, Layout, merged
from components.image_example_gen.names import is_picture, suffix_of
from components.image_example_gen.readers.arrays.names import is_idx, is_idx_images, says_its_split
from components.image_example_gen.readers.container import splits_of
from components.image_example_gen.readers.pixel_csv import is_pixels
from components.image_example_gen.storage.files import FoundFile, is_remote, join, list_files, open_file, printable, stat_file

SAMPLE = 200  # paths kept of all pictures, for inspection
_SECONDS_BETWEEN_REPORTS = 0.2
_HEAD = 1 << 20  # bytes of a table that decide whether it holds pixels or paths


class Survey:
    """Go through all files. Each method named `of_...` handles one kind of source. See `find_sources` for the arguments."""

    def __init__(self, images: str, config: DataConfig, sink: Callable[[Entry], None]):
        self.images, self.config, self.sink = images, config, sink
        self.layout = Layout()
        self.explicit_splits: Counter[str | None] = Counter()  # by a manifest's column, or by a pattern
        self.sample: list[tuple[int, str]] = []  # the largest of (-hash, path)
        self.containers: list[FoundFile] = []
        self.tables: list[FoundFile] = []
        self.left_out: list[Rejected] = []
        self.others: Counter[str] = Counter()
        self.said_tables: Counter[str] = Counter()  # suffixes of tables that have a note of their own
        self.notes: list[str] = []
        names_split = "split" in re.compile(config.label_pattern or "").groupindex
        self.splits_by_pattern = Labels(pattern=config.label_pattern) if names_split else None
        self.manifest = False
        self.skipped = 0  # leading folders of a path that belong to a span
        self.print = 0
        self.count = 0
        self.bytes = 0
        self.reported = time.monotonic()

    def of_folder(self) -> Sources:
        """Survey a folder."""
        for file in list_files(self.images, self.config.follow_links):
            self.take(file)
        return self.sources(self.images)

    def of_spans(self) -> Sources:
        """Survey the folders of the last spans."""
        base, spans = find_spans(self.images, self.config.span_window)
        self.skipped = spans[0].folder.count("/") + 1
        for span in spans:
            for file in list_files(join(base, span.folder), self.config.follow_links):
                self.take(file, f"{span.folder}/")
        return replace(self.sources(base), span=spans[-1].number, first_span=spans[0].number)

    def of_file(self) -> Sources:
        """Survey the pictures that one file holds or lists."""
        folder, name = posixpath.split(self.images)
        folder = folder or "."
        if is_table(name) and not self.holds_pixels():
            return self.of_manifest(folder)
        if is_picture(name):
            raise InputError(f"{printable(self.images)} is a single picture: give a folder of them")
        if self.images.startswith(("http://", "https://")) and (is_idx(name) or not is_container(name)):
            raise InputError(f"{self.images} is no archive, array or manifest, and the web cannot be listed: give a manifest")
        self.take(stat_file(folder, name))
        if is_idx_images(name):  # with the labels beside it
            for file in list_files(folder, self.config.follow_links):
                if isinstance(file, FoundFile) and is_idx(file.path) and not is_idx_images(file.path):
                    self.take(file)
        return self.sources(folder)

    def of_manifest(self, folder: str) -> Sources:
        """Survey the pictures that a manifest lists."""
        self.manifest, repeats = True, Repeats()
        for row in read_manifest(self.images):
            row = replace(row, path=separated(folder, row.path))
            repeats.add(row)
            reason = is_remote(folder) and _leads_out(row.path)
            if reason:
                self.left_out.append(Rejected(row.path, reason))
            else:
                self.explicit_splits[row.split] += 1
                self.add(self.entry_of_row(folder, row), row.path)
        self.print = (self.print + hash_of(f"{self.images}\0{self.print}")) % 2**256
        self.notes += repeats.notes(lambda: read_manifest(self.images), "the manifest")
        return self.sources(folder)

    def holds_pixels(self) -> bool:
        """Return whether the given table holds pixels instead of paths."""
        try:
            with open_file(self.images) as stream:
                return is_pixels(self.images, stream.read(_HEAD))
        except OSError:
            return False  # reported when the file is read

    def entry_of_row(self, folder: str, row: Row) -> Entry:
        """Convert a manifest's line to an entry, and add it to the fingerprint, with size and modification time of a local file."""
        size = mtime = -1
        path = join(folder, row.path)
        if not is_remote(path):
            try:
                stat = os.stat(path)
                size, mtime = stat.st_size, stat.st_mtime_ns
            except (OSError, ValueError):
                pass  # reported when the file is read
        self.print = (self.print + hash_of(f"{row.path}\0{row.label}\0{row.split}\0{size}\0{mtime}")) % 2**256
        label = None if self.config.label_pattern else row.label
        return Entry(row.path, size, label, row.split)

    def take(self, file: FoundFile | Rejected, prefix: str = "") -> None:
        """Add a file that was found."""
        path = f"{prefix}{file.path}"
        if isinstance(file, Rejected):
            self.left_out.append(replace(file, path=path))
            return
        result = FoundFile(path, file.size, file.mtime_ns) if prefix else file
        if is_picture(path):
            self.add(Entry(path, file.size), file.path)
            self.mark(result)
            return
        if is_container(path):
            self.containers.append(result)
        else:
            self.others[suffix_of(path)] += 1
        if is_table(path):
            self.tables.append(result)

    def mark(self, file: FoundFile) -> None:
        """Add a file to the fingerprint."""
        self.print = (self.print + hash_of(f"{file.path}\0{file.size}\0{file.mtime_ns}")) % 2**256

    def add(self, entry: Entry, inside: str) -> None:
        """Count a picture file and pass it on; `inside` is its path without the span's folders."""
        self.count += 1
        self.bytes += max(entry.size, 0)
        self.layout.add(inside)
        if self.splits_by_pattern:
            self.explicit_splits[self.splits_by_pattern.of(entry.path)[1]] += 1
        number = -hash_of(entry.path)
        if len(self.sample) < SAMPLE:
            heapq.heappush(self.sample, (number, entry.path))
        elif number >= self.sample[0][0]:
            heapq.heappushpop(self.sample, (number, entry.path))
        self.sink(entry)
        if time.monotonic() - self.reported > _SECONDS_BETWEEN_REPORTS:
            self.reported = time.monotonic()
            report_progress("listing", done=self.count)

    def sources(self, folder: str) -> Sources:
        """Return the results. Raise InputError if there is nothing to read, or nothing to train on."""
        if not any(self.explicit_splits):
            self.explicit_splits.clear()  # a column or pattern without any split: use folders
        tables, stated = self.label_tables(folder, self.tables if self.count else ())
        config = self.config
        if (
            stated and config.label_file and config.splits == "auto"
        ):  # pictures missing in the label file may be in a split's folder
            config = replace(config, splits="folders")
        result = find_containers(folder, self.containers, config)
        if not config.label_file:
            inner, stated_inside = self.label_tables(folder, result.tables)
            tables, stated = (*tables, *inner), stated | stated_inside
        self.left_out += result.left_out
        self.others.update(result.others)
        self.others -= self.said_tables
        for file in result.used:
            self.mark(file)
            self.bytes += max(file.size, 0)
        if not self.count and not result.taken:
            raise InputError(self.nothing())
        whole = whole_layout(self.layout, result.taken, self.skipped)
        labels = self.labels(whole, config)
        result.place(labels)
        self.check_split_folders(folder, labels, whole, result)
        file_splits = +self.explicit_splits or self.layout.splits(labels)
        own = {split for split, count in file_splits.items() if count} | stated
        for container in result.taken:
            own |= splits_of(container)
        if not own & {"train", None} and self.config.heeds_splits:
            raise InputError(nothing_to_train_on(self.images, own, self.left_out))
        self.say(folder, labels, whole, result)
        return Sources(
            folder=folder,
            files=self.count,
            containers=tuple(result.taken),
            labels=labels,
            tables=tables,
            own_splits=frozenset(own),
            splits_from=tuple(self.splits_from(labels, result, stated)),
            file_splits=file_splits,
            sample=tuple(sorted(path for _, path in self.sample)),
            left_out=tuple(sorted(self.left_out, key=lambda left: left.path)),
            others=self.others,
            notes=tuple(self.notes),
            span_depth=self.skipped,
            fingerprint=f"{self.print:064x}",
            bytes=self.bytes,
        )

    def labels(self, whole: Layout, config: DataConfig) -> Labels:
        """Return the rule for labels and splits by folders."""
        splits = "folders" if self.explicit_splits and config.splits == "auto" else config.splits  # if a column has none
        labelled = not self.manifest and config.labels_from_folders
        labels = whole.labels(splits, printable(self.images), labelled)
        if self.explicit_splits and len(whole.splits(labels)) < 2:
            labels = Labels()  # a single folder distinguishes nothing
        return replace(labels, pattern=config.label_pattern, skipped=self.skipped)

    def check_split_folders(self, folder: str, labels: Labels, whole: Layout, found: Containers) -> None:
        """Raise if a folder with a split's name is empty."""
        if labels.depth is None or labels.dropped != labels.depth or self.skipped or self.manifest or self.explicit_splits:
            return
        above = join(folder, whole.wrapper(labels))
        if not is_remote(folder) and os.path.isdir(above):  # object stores have no empty folders, and archives are not listed here
            filled = {*whole.splits(labels), *(split for container in found.taken for split in splits_of(container))}
            check_filled(above, folder, filled, labels, self.left_out)

    def label_tables(self, folder: str, files: Sequence[FoundFile]) -> tuple[tuple[Table, ...], set[str | None]]:
        """Return the tables of labels among `files`, and the splits that they name; add them to the fingerprint."""
        tables, splits, repeats = [], set(), Repeats()
        metadata = [file for file in files if is_metadata(file.path)] if not self.manifest else []
        for table in label_tables(folder, metadata, self.config):
            name = f"{table.above}{posixpath.basename(table.path)}"
            if not table.complete and not columns(table.path).keys() & {"label", "split"}:
                self.notes.append(f"{printable(name)} is not used: it has no columns file_name and label")
                continue
            self.said_tables.update({suffix_of(file.path) for file in files if join(folder, file.path) == table.path})
            try:
                total, named = check(table, folder, repeats)
            except InputError as mistake:
                if table.complete:  # requested by the configuration
                    raise
                self.left_out.append(Rejected(name, str(mistake)))
                continue
            self.print = (self.print + total) % 2**256
            splits |= named
            tables.append(table)
        every_row = partial(_rows_of, tables, folder)
        self.notes += repeats.notes(every_row, "the table of labels", ": the last one counts")
        return tuple(replace(table, repeats=repeats.any) for table in tables), splits - {None} if splits == {None} else splits

    def say(self, folder: str, labels: Labels, whole: Layout, found: Containers) -> None:
        """Collect notes for the user."""
        self.notes += alike(found.notes)
        strays = 0 if self.explicit_splits else whole.strays(labels)
        if strays:
            beside = " and ".join(sorted({name for name, _ in labels.named})[:3])
            verb = "picture lies" if strays == 1 else "pictures lie"
            self.notes.append(f"{strays:,} {verb} beside the folders {printable(beside)}, in no split: trained on")
        if self.config.labels_from_folders and not self.manifest:
            self.notes += [note] if (note := merged(labels)) else []
            beside = [file for file in self.tables if file not in found.used and not (self.count and is_metadata(file.path))]
            self.notes += unused(folder, [*beside, *(file for file in found.tables if not is_metadata(file.path))])

    def splits_from(self, labels: Labels, found: Containers, stated: set[str | None]) -> Iterator[str]:
        """Yield the origins of splits, in words."""
        if self.explicit_splits:
            yield "the manifest" if self.manifest else "data.label_pattern"
        by_folders = labels.depth is not None and not (self.explicit_splits and None not in self.explicit_splits)
        if by_folders or any(container.own_splits for container in found.taken):
            yield "folders"
        rows = {each.path: each.row_splits for each in found.taken if each.row_splits}
        named = (each for each in found.taken if each.split and says_its_split(each.path))
        if any(None in rows.get(each.path, {None}) for each in named):
            yield "file names"
        if rows:
            more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
            yield f"{printable(posixpath.basename(min(rows)))[-40:]}{more}"
        if stated - {None}:
            yield "the table of labels"

    def nothing(self) -> str:
        """Return why there is nothing to read, in one line."""
        where = printable(self.images)
        if self.left_out:
            reason = Counter(left.reason for left in self.left_out).most_common(1)[0][0]
            first = next(left.path for left in self.left_out if left.reason == reason)
            name = "" if self.images.endswith(first) else f"{printable(first)}: "
            more = f" (and {len(self.left_out) - 1:,} more)" if len(self.left_out) > 1 else ""
            return f"no pictures in {where}: {name}{reason}{more}"
        return f"no pictures in {where}: found {described(self.others) or 'nothing'}; `darkroom inspect` says what it looks for"


def alike(notes: Sequence[str]) -> list[str]:
    """Merge notes that differ only in the file's name before the colon, such as those for the shards of one set."""
    by_text: dict[str, list[str]] = {}
    for note in notes:
        name, colon, text = note.partition(": ")
        by_text.setdefault(text if colon else "", []).append(note if not colon else name)
    return [
        line
        for text, names in by_text.items()
        for line in (names if not text else [f"{names[0]}{f' and {len(names) - 1:,} more' if names[1:] else ''}: {text}"])
    ]


def _rows_of(tables: Sequence[Table], folder: str) -> Iterator[Row]:
    for table in tables:
        yield from table.rows(folder)


def _leads_out(path: str) -> str:
    """Return why a manifest from elsewhere may not name a path; '' if it may."""
    if path.startswith(("/", "file:")):
        return reasons.LOCAL_FILE
    return "" if is_remote(path) or ".." not in path.split("/") else reasons.LEADS_OUT_OF_FOLDER
