"""Read TFRecords of tf.Example with pictures: this project's own, those of TFDS, and others with usual names."""

from __future__ import annotations

import contextlib
import gzip
import posixpath
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import google_crc32c

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Rejected
from components.image_example_gen.readers.beginnings import GZIP, described_beginning, open_unpacked, starts_with
from components.image_example_gen.readers.container import Container
from components.image_example_gen.readers.features import (
    Found,
    describe_missing,
    features_of,
    notes_of,
    numbers_name,
    read_features,
    split_name,
    split_text,
    stacked,
)
from components.image_example_gen.readers.own_labels import OwnSplits, names_beside
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.files import FoundFile, join, open_file
from components.image_example_gen.storage.streams import read_fully, read_up_to, skip

_NAME = re.compile(r".*\.tfrec(ord)?s?([-.]\d+-of-\d+)?(\.gz)?|.*[-_.]tfrec(ord)?s?[-.]\d+-of-\d+(\.gz)?", re.IGNORECASE)
# Names that other files have as well: shards as of ImageNet (train-00000-of-01024), and those of object detection.
_MAYBE = re.compile(r"(.*[-_.])?\d+-of-\d+(\.gz)?|.*\.(records?|tfr)(\.gz)?", re.IGNORECASE)
_GZIP = b"\x1f\x8b\x08"  # hardly any record is so long that its header starts like that
_MASK_DELTA = 0xA282EAD8  # of the checksums: tensorflow/core/lib/hash/crc32c.h
_BLOCK, _BLOCK_BYTES = 256, 4 << 20  # of raw pixels that are yielded together
_END = object()
_NAMES = ".labels.txt"
_MAX_NAMES = 1 << 22  # bytes of a file of labels' names


@dataclass(frozen=True)
class RecordPictures(Container):
    """The pictures of one TFRecord file; see `Container`."""

    damaged_here = reasons.RECORDS_DAMAGED

    label: str = ""  # the feature with the first record's label if it is a number; else ''
    split_from: str = ""  # the feature with a record's own split; '' for none

    def units(self, size: int) -> list[tuple[int, int]]:
        """Return one unit: a record's position is known only from the previous one."""
        return [(0, self.count)]

    def _items(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Encoded | Rejected]:
        names = ()
        if self.label and not config.label_names:  # TFDS writes them beside its records
            names = names_beside(folder, self.path, f"{self.label.replace('/', '-')}{_NAMES}", _MAX_NAMES) or ()
        waiting: list[Found] = []  # raw pixels of one shape; the last one has index `behind` - 1
        behind, failure = 0, None
        try:
            for number, record in enumerate(_records(join(folder, self.path), _max_bytes(config))):
                result = _read(record, config, names, self.split_from)
                if waiting and not _goes_on(waiting, result):
                    yield self._block(waiting, number)
                    waiting = []
                if _is_pixels(result):
                    waiting.append(result)
                elif isinstance(result, Found):
                    yield Encoded(f"{self.path}#{number}", result.label, result.split or self.split, result.data)
                else:
                    yield Rejected(f"{self.path}#{number}", result)
                behind = number + 1
        except Exception as error:  # errors of a store or of gzip, whatever the file holds
            failure = error
        if waiting:
            yield self._block(waiting, behind)
        if failure is not None:
            raise failure

    def _block(self, found: list[Found], behind: int) -> Block:
        split = found[0].split or self.split
        return Block(self.path, behind - len(found), [one.label for one in found], split, stacked(found))


class _BadRecordError(ValueError):
    """A record that does not match its checksum."""


class _BadHeaderError(_BadRecordError):
    """A record's header that does not match its checksum: the following records cannot be found."""


def is_mine(path: str) -> bool:
    """Return whether a file has a TFRecord's name (cats.tfrecord, train.tfrecord-00000-of-00010.gz) or train-00000-of-00010."""
    name = posixpath.basename(path)
    return bool(_NAME.fullmatch(name) or _MAYBE.fullmatch(name))


def find(folder: str, file: FoundFile, config: DataConfig) -> RecordPictures | Rejected | None:
    """Count a file's records, and inspect the first; return None if neither the name nor the bytes are those of a TFRecord file."""
    path = join(folder, file.path)
    if not _NAME.fullmatch(posixpath.basename(path)) and _is_another(path):
        return None
    try:
        with contextlib.closing(_records(path, _max_bytes(config))) as records:
            first = next(records, _END)
    except InputError:
        raise
    except Exception as error:
        return Rejected(file.path, _reason(path, file.size, error))
    if first is _END:
        return Rejected(file.path, reasons.EMPTY if file.size == 0 else reasons.RECORDS_EMPTY)
    label, split_from, notes = "", "", ()
    if first is not None:  # else larger than the limit, and rejected by itself
        features = features_of(first)
        missing = describe_missing(first, features, config)
        if missing:
            return Rejected(file.path, missing)
        label, split_from, notes = numbers_name(features, config), split_name(features, config), notes_of(features, config)
    count, splits = _count(path, split_from, config)
    facts = splits.facts(file.path, f"the feature {split_from}", notes)
    return RecordPictures(file.path, split_in_name(posixpath.basename(file.path)), count, label, split_from, **facts)


def _is_another(path: str) -> bool:
    """Return whether a file does not start like a TFRecord, with a length and its checksum; False if empty or unreadable."""
    try:
        with _unpacked(path) as stream:
            header = read_up_to(stream, 12)
            if header:
                _check(header[:8], header[8:], _BadHeaderError)
    except (_BadHeaderError, struct.error, gzip.BadGzipFile, EOFError, zlib.error):
        return True
    except Exception:  # each store raises its own errors
        return False
    return False


def is_beside(path: str) -> bool:
    """Return whether a file has the name of a file of label names that TFDS writes beside its records."""
    return path.endswith(_NAMES)


def _read(record: bytes | None, config: DataConfig, names: Sequence[str], split_from: str) -> Found | str:
    if record is None:
        return reasons.TOO_LARGE.format(config.max_file_megabytes)
    features = features_of(record)
    return features if isinstance(features, str) else read_features(features, config, names, split_from)


def _is_pixels(found: Found | str) -> bool:
    return isinstance(found, Found) and found.shape is not None


def _goes_on(block: Sequence[Found], found: Found | str) -> bool:
    """Return whether a block has room for raw pixels of one shape and split."""
    full = len(block) >= _BLOCK or len(block) * len(block[0].data) >= _BLOCK_BYTES
    return not full and _is_pixels(found) and (found.shape, found.split) == (block[0].shape, block[0].split)


def _reason(path: str, size: int, error: Exception) -> str:
    """Return why even the first record of a file cannot be read."""
    try:
        with open_file(path) as stream:
            head = stream.read(64)
    except Exception:
        return reasons.UNREADABLE_FILE.format(type(error).__name__)
    if not head or isinstance(error, _BadHeaderError) or (isinstance(error, gzip.BadGzipFile) and not head.startswith(GZIP)):
        return described_beginning(head, "TFRecord file")
    if isinstance(error, EOFError):
        return reasons.RECORDS_TRUNCATED.format(f" at byte {size:,}," if size > 0 else "")
    return reasons.RECORDS_FIRST


def _count(path: str, split_from: str, config: DataConfig) -> tuple[int, OwnSplits]:
    """Return the number of readable records, which are skipped unless they contain splits, and their splits."""
    count, splits = 0, OwnSplits()
    with contextlib.suppress(Exception):
        for record in _records(path, _max_bytes(config) if split_from else 0):
            count += 1
            features = features_of(record) if record else ""
            if not isinstance(features, str):
                splits.add([split_text(features, split_from)])
    return count, splits


def _max_bytes(config: DataConfig) -> int:
    return int(config.max_file_megabytes * 1e6)


def _records(path: str, max_bytes: int) -> Iterator[bytes | None]:
    """Yield the records of a file (format: tensorflow/core/lib/io/record_writer.h); None for each of more than `max_bytes`."""
    with _unpacked(path) as stream:
        while header := stream.read(12):
            if len(header) < 12:
                header += read_fully(stream, 12 - len(header))
            _check(header[:8], header[8:], _BadHeaderError)
            (length,) = struct.unpack("<Q", header[:8])
            if length <= max_bytes:
                data = read_fully(stream, length)
                _check(data, read_fully(stream, 4), _BadRecordError)
                yield data
            elif length < 1 << 62:
                skip(stream, length + 3)
                read_fully(stream, 1)  # a seek goes on behind the end
                yield None
            else:
                raise EOFError


def _unpacked(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
    """Open a file, decompressed: TensorFlow's option GZIP leaves the name unchanged, and browsers may decompress."""
    return open_unpacked(path, starts_with(path, _GZIP))


def _check(data: bytes, checksum: bytes, error: type[_BadRecordError]) -> None:
    crc = google_crc32c.value(data)
    if struct.unpack("<I", checksum)[0] != (((crc >> 15 | crc << 17) & 0xFFFFFFFF) + _MASK_DELTA) & 0xFFFFFFFF:
        raise error("a checksum is wrong")
