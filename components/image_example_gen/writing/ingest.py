"""The work of a worker: decode a unit's pictures and write their examples, one file per split.

Nothing here imports TFX: without it, a worker process starts several seconds sooner.
"""

from __future__ import annotations

import functools
import json
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType

import apache_beam as beam
import google_crc32c
import numpy as np
import tensorflow as tf

from common.errors import InputError
from common.meter import Meter
from components.image_example_gen.items import Rejected
from components.image_example_gen.layout import composed
from components.image_example_gen.splits import SPLITS
from components.image_example_gen.storage.files import join
from components.image_example_gen.writing.by_engine import ACCEPTED, REJECTED
from components.image_example_gen.writing.by_span import span_of
from components.image_example_gen.writing.decode import ExampleDecoder
from components.image_example_gen.writing.tally import Tally
from components.image_example_gen.writing.units import ContainerUnit, FileUnit, read_rows

_LENGTH, _CHECKSUM, _MASK_DELTA = struct.Struct("<Q"), struct.Struct("<I"), 0xA282EAD8  # tensorflow/core/lib/io/record_writer.h
_WRITTEN_AT_ONCE = 1 << 20


# The names of a unit's files: its examples of one split, its counts, its rejects, and the hashes of its pictures: uint8 [n, 33],
# SHA-256 and the split's index in SPLITS.
RECORDS, TALLY, REJECTS, DIGESTS = "{:05d}-{}", "{:05d}.json", "{:05d}.jsonl", "{:05d}.npy"


METER = Meter("ingesting", "rejects")


class IngestUnit(beam.DoFn):
    """Decode a unit's pictures, and write their examples, their hashes, rejects and counts to a folder.

    Of a path, the first `span_depth` folders belong to its span; 0 without spans.
    """

    def __init__(self, folder: str, decoder: ExampleDecoder, span_depth: int = 0):
        super().__init__()
        self._folder, self._decoder, self._span_depth = folder, decoder, span_depth

    def process(self, unit: FileUnit | ContainerUnit) -> None:
        """Read one unit. A worker that repeats it writes the same files again."""
        rows = read_rows(unit.rows)
        tally = Tally(listed=len(rows))
        rejects: list[dict[str, str]] = []
        digests: list[bytes] = []
        try:
            with RecordWriters(self._folder, unit.index) as writers:
                for item in self._decoder.decode(unit):
                    refused = isinstance(item, Rejected)
                    path = item.path if refused else item.row.path
                    if rows:
                        tally.found += composed(path) in rows
                    if self._span_depth:
                        tally.add_to_span(span_of(path, self._span_depth), None if refused else item.row)
                    if refused and item.spoils:
                        raise _SpoiledError(item)
                    if refused:
                        tally.reasons[item.reason] += item.pictures
                        rejects.append({"path": item.path, "reason": item.reason})
                    else:
                        writers.write(item.split, item.record)
                        digests.append(item.digest + bytes([SPLITS.index(item.split)]))
                        tally.add(item.split, item.row)
                        if item.notes:
                            tally.notes.update(item.notes)
                    METER.count(rejects=refused)
        except _SpoiledError as spoiled:
            item, digests = spoiled.item, []
            lost = tally.accepted + tally.rejected + item.pictures
            tally = Tally(listed=len(rows), reasons=Counter({item.reason: lost}))
            rejects = [{"path": item.path, "reason": item.reason}]
            if self._span_depth:
                tally.add_to_span(span_of(item.path, self._span_depth), None)
        except InputError as mistake:
            # Beam would wrap the error's message: the executor raises it again instead.
            tally = Tally(mistake=str(mistake))
        hashes = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 33)
        self._write(DIGESTS, unit.index, lambda stream: np.save(stream, hashes, allow_pickle=False))
        self._write(REJECTS, unit.index, lambda stream: stream.write(to_lines(rejects).encode()))
        self._write(TALLY, unit.index, lambda stream: stream.write(tally.to_json().encode()))
        ACCEPTED.inc(tally.accepted)
        REJECTED.inc(tally.rejected)

    def _write(self, name: str, index: int, write: Callable[[tf.io.gfile.GFile], object]) -> None:
        path = join(self._folder, name.format(index))
        temporary = f"{path}.{uuid.uuid4().hex}"
        with tf.io.gfile.GFile(temporary, "wb") as stream:
            write(stream)
        tf.io.gfile.rename(temporary, path, overwrite=True)


class _SpoiledError(Exception):
    """A unit whose items must all be discarded."""

    def __init__(self, item: Rejected):
        super().__init__(item.reason)
        self.item = item


def to_lines(listed: Sequence[dict[str, str]]) -> str:
    """Return JSON lines."""
    return "".join(json.dumps(line) + "\n" for line in listed)


class RecordWriters:
    """TFRecord files of one unit, opened with the first example, and renamed when all are written.

    They are not compressed: most pictures already are, and decompression would cost every reader more than the bytes saved. Records
    are framed here and written a mebibyte at a time. TensorFlow's writer releases Python's lock for each record, and regaining it
    from the decoding thread took ten times as long as writing.
    """

    def __init__(self, folder: str, index: int):
        self._folder, self._index, self._suffix = folder, index, uuid.uuid4().hex
        self._files: dict[str, tf.io.gfile.GFile] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self._sizes: dict[str, int] = {}

    def write(self, split: str, record: bytes) -> None:
        """Write an example."""
        if split not in self._files:
            self._files[split] = tf.io.gfile.GFile(f"{self._final(split)}.{self._suffix}", "wb")
            self._waiting[split], self._sizes[split] = [], 0
        self._waiting[split] += (_length(len(record)), record, _checksum(record))
        self._sizes[split] += len(record)
        if self._sizes[split] >= _WRITTEN_AT_ONCE:
            self._flush(split)

    def _flush(self, split: str) -> None:
        self._files[split].write(b"".join(self._waiting[split]))
        self._waiting[split], self._sizes[split] = [], 0

    def __enter__(self) -> RecordWriters:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for split, file in self._files.items():
            if kind is None:
                self._flush(split)
            file.close()
        if kind is None:
            for final in map(self._final, self._files):
                tf.io.gfile.rename(f"{final}.{self._suffix}", final, overwrite=True)

    def _final(self, split: str) -> str:
        return join(self._folder, RECORDS.format(self._index, split))


@functools.lru_cache(maxsize=1 << 12)
def _length(size: int) -> bytes:
    """Return the bytes before a record of `size` bytes in a TFRecord file."""
    length = _LENGTH.pack(size)
    return length + _checksum(length)


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C of a TFRecord file (tensorflow/core/lib/hash/crc32c.h)."""
    crc = google_crc32c.value(data)
    return _CHECKSUM.pack(((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF)
