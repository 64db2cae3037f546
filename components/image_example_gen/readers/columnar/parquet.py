"""Read Parquet files of pictures, as Hugging Face and others write them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.readers.beginnings import described_beginning
from components.image_example_gen.readers.columnar.columns import (
    Columns,
    TableRow,
    choose_columns,
    find_array,
    label_texts,
    load_pyarrow,
    take_pictures,
)
from components.image_example_gen.readers.columnar.thrift import nesting_of
from components.image_example_gen.readers.container import Container
from components.image_example_gen.readers.own_labels import OwnSplits
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.files import FoundFile, join, open_seekable
from components.image_example_gen.storage.streams import read_fully

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

PARQUET_SUFFIXES = (".parquet", ".pq")
_MAGIC = b"PAR1"
_BATCH_BYTES, _MAX_ROWS = 4 << 20, 1024
_BUFFER = 1 << 20  # read at once per column: a row group's column may have hundreds of megabytes
# A row needs at least an eighth of a byte, and pictures are compressed already. Files beyond these limits are wrong or a bomb.
_MAX_ROWS_PER_BYTE, _MAX_EXPANSION, _ALWAYS_ALLOWED = 8, 100, 256 << 20
_SHORT = 40  # maximum characters of a value in a footer's statistics that is surely not truncated
_MAX_LEVELS = 100  # of nested structures
_MAX_LIST = 100_000  # entries of a list in the footer, such as row groups


@dataclass(frozen=True)
class ParquetPictures(Container):
    """The pictures of one Parquet file; see `Container`."""

    damaged_here = reasons.PARQUET_DAMAGED

    groups: tuple[int, ...]  # number of rows of each row group

    def units(self, size: int) -> list[tuple[int, int]]:
        """Return ranges of whole row groups with about `size` pictures each: a part of a group cannot be read by itself."""
        result, start, stop = [], 0, 0
        for rows in self.groups:
            if stop > start and stop + rows - start > size:
                result.append((start, stop))
                start = stop
            stop += rows
        return [*result, (start, stop)] if stop > start else result

    def _items(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Encoded | Rejected]:
        """Yield like `read`; after a damaged row group, continue with the next one."""
        with open_seekable(join(folder, self.path)) as stream:
            file = _opened(stream)
            columns = choose_columns(file.schema_arrow, config)
            for group, begin in zip(range(len(self.groups)), accumulate(self.groups, initial=0)):
                if start <= begin < stop:
                    yield from self._group(file, group, begin, columns, config)

    def _group(
        self, file: pq.ParquetFile, group: int, first: int, columns: Columns, config: DataConfig
    ) -> Iterator[Encoded | Rejected]:
        rows, done = self.groups[group], 0
        try:
            size = _batch_rows(file, group, columns)
            named = [".".join(path) for path in columns.paths]
            for batch in file.iter_batches(size, row_groups=[group], columns=named, use_threads=False):
                batch = batch.slice(0, rows - done)
                batch.validate(full=True)
                items = list(_rows(batch, columns, config))
                yield from take_pictures(self.path, first + done, items, self.split, config.max_file_megabytes)
                done += len(items)
        except Exception:
            pass  # the missing rows are reported below
        if done < rows:
            yield Rejected(self.path, reasons.PARQUET_DAMAGED, rows - done)


def is_mine(path: str) -> bool:
    """Return whether a file has a Parquet file's name: train-00000-of-00002.parquet, 0000.pq."""
    return path.lower().endswith(PARQUET_SUFFIXES)


def find(folder: str, file: FoundFile, config: DataConfig) -> ParquetPictures | Rejected:
    """Read a file's footer."""
    try:
        with open_seekable(join(folder, file.path)) as stream:
            return _wrong(stream, file) or _found(stream, file, config)
    except InputError:
        raise
    except OSError as error:
        return Rejected(file.path, reasons.PARQUET_UNREADABLE.format(_short_reason(error)))
    except Exception:
        return Rejected(file.path, reasons.PARQUET_FOOTER)


def _wrong(stream: BinaryIO, file: FoundFile) -> Rejected | None:
    """Return the reject of a file whose first or last bytes are wrong, or None."""
    head = stream.read(64)
    size = stream.seek(0, 2)
    stream.seek(max(size - 4, 0))
    last = stream.read(4)
    if b"PARE" in (head[:4], last):
        return Rejected(file.path, reasons.PARQUET_ENCRYPTED)
    if head[:4] != _MAGIC:
        return Rejected(file.path, described_beginning(head, "Parquet file"))
    if last != _MAGIC or size < 12:
        return Rejected(file.path, reasons.PARQUET_TRUNCATED.format(size))
    return None


def _check_nesting(stream: BinaryIO) -> None:
    """Check a footer before pyarrow reads it: deeply nested columns would crash pyarrow."""
    stream.seek(-8, 2)
    length = int.from_bytes(stream.read(4), "little")
    stream.seek(-8 - length, 2)
    if nesting_of(read_fully(stream, length)) > _MAX_LEVELS:
        raise ValueError("columns are nested too deeply")


def _found(stream: BinaryIO, file: FoundFile, config: DataConfig) -> ParquetPictures | Rejected:
    size = stream.seek(0, 2)
    parquet = _opened(stream)
    columns = choose_columns(parquet.schema_arrow, config)
    if isinstance(columns, str):
        return Rejected(file.path, columns)
    metadata = parquet.metadata
    groups = tuple(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))
    if any(rows < 0 for rows in groups) or sum(groups) > size * _MAX_ROWS_PER_BYTE:
        return Rejected(file.path, reasons.PARQUET_ROWS.format(size))
    if not sum(groups):
        return Rejected(file.path, reasons.PARQUET_EMPTY)
    unpacked = sum(_unpacked(parquet, group, columns) for group in range(len(groups)))
    if unpacked > max(size * _MAX_EXPANSION, _ALWAYS_ALLOWED):
        return Rejected(file.path, reasons.PARQUET_EXPANDS.format(_MAX_EXPANSION))
    facts = _own_splits(parquet, columns).facts(file.path, f"the column {''.join(columns.split)}", columns.notes)
    return ParquetPictures(file.path, split_in_name(posixpath.basename(file.path)), sum(groups), groups, **facts)


def _own_splits(file: pq.ParquetFile, columns: Columns) -> OwnSplits:
    """Collect the column of splits. The footer gives the value of a row group with only one; for others the column is read."""
    splits = OwnSplits()
    for group in range(file.metadata.num_row_groups) if columns.split else ():
        try:
            statistics = _chunks(file, group, columns.split)[0].statistics
            if _is_one_value(statistics):
                splits.add(label_texts([statistics.min], (), columns.split_names))
                continue
            for batch in file.iter_batches(_MAX_ROWS, row_groups=[group], columns=[*columns.split], use_threads=False):
                batch.validate(full=True)
                splits.add(label_texts(find_array(batch, columns.split).unique().to_pylist(), (), columns.split_names))
        except Exception:  # errors of pyarrow or a store: reported when the file is read
            continue
    return splits


def _opened(stream: BinaryIO) -> pq.ParquetFile:
    load_pyarrow()
    import pyarrow.parquet as pq

    _check_nesting(stream)
    stream.seek(0)
    return pq.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False, thrift_container_size_limit=_MAX_LIST)


def _rows(batch: pa.RecordBatch, columns: Columns, config: DataConfig) -> Iterator[TableRow]:
    images = find_array(batch, columns.image)
    files = find_array(batch, columns.file).is_valid().to_pylist() if columns.file else [False] * len(images)
    labels, splits = (
        find_array(batch, path).to_pylist() if path else [None] * len(images) for path in (columns.label, columns.split)
    )
    texts = label_texts(labels, config.label_names, columns.names), label_texts(splits, (), columns.split_names)
    return zip((image.as_py() for image in images), files, *texts)


def _is_one_value(statistics: pq.Statistics | None) -> bool:
    """Return whether all rows have the same value, and the statistics hold it in full; long texts are truncated there."""
    if statistics is None or not statistics.has_min_max or not statistics.has_null_count or statistics.null_count:
        return False
    return statistics.min == statistics.max and len(str(statistics.min)) <= _SHORT


def _chunks(file: pq.ParquetFile, group: int, path: Sequence[str]) -> list[pq.ColumnChunkMetaData]:
    """Return the footer's metadata of a column in a row group."""
    metadata, wanted = file.metadata.row_group(group), ".".join(path)
    chunks = (metadata.column(number) for number in range(metadata.num_columns))
    return [chunk for chunk in chunks if chunk.path_in_schema == wanted]


def _unpacked(file: pq.ParquetFile, group: int, columns: Columns) -> int:
    """Return the decompressed size of a row group's pictures in bytes, according to the footer."""
    return sum(max(chunk.total_uncompressed_size, 0) for chunk in _chunks(file, group, columns.image))


def _batch_rows(file: pq.ParquetFile, group: int, columns: Columns) -> int:
    """Return the number of rows to read at once, so that they have few megabytes whatever the pictures' size."""
    each = _unpacked(file, group, columns) // max(file.metadata.row_group(group).num_rows, 1)
    return min(max(_BATCH_BYTES // max(each, 1), 1), _MAX_ROWS)


def _short_reason(error: Exception) -> str:
    message = " ".join(str(getattr(error, "strerror", None) or error).split())
    message = "".join(letter if letter.isprintable() else "?" for letter in message)  # Arrow's messages quote bytes of the file
    return message if len(message) < 70 else f"{message[:66]} ..."
