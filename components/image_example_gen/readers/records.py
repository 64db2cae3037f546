"""TFRecords of tf.Example that hold pictures."""

from __future__ import annotations

import gzip
import posixpath
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c

from components.image_example_gen.config import DataConfig
from components.image_example_gen.found import Encoded, Rejected
from components.image_example_gen.readers.idx import is_gzip
from components.image_example_gen.readers.npy import read_fully
from components.image_example_gen.splits import split_in_name
from components.image_example_gen.storage.files import FoundFile, join, open_file

DAMAGED = "the TFRecord file is damaged or cut short here: what follows in it is lost"
_NAME = re.compile(r".*\.tfrecords?(-\d+-of-\d+)?(\.gz)?|.*[-_.]tfrecords?-\d+-of-\d+(\.gz)?", re.IGNORECASE)
_PIECE = 1 << 20
_MASK_DELTA = 0xA282EAD8  # of the checksums: tensorflow/core/lib/hash/crc32c.h


@dataclass(frozen=True)
class RecordPictures:
    """The pictures of one TFRecord file.

    Attributes:
        path: Of the file, relative to the folder.
        split: The split that its name or its folder says, or None.
        count: How many records it has.
    """

    path: str
    split: str | None
    count: int

    def units(self, size: int) -> list[tuple[int, int]]:
        """One: where a record begins is known only from the one before."""
        return [(0, self.count)]

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Encoded | Rejected]:
        """Yields the pictures in their order, and what is refused."""
        try:
            for number, record in enumerate(_records(join(folder, self.path), int(config.max_file_megabytes * 1e6))):
                path = f"{self.path}#{number}"
                if record is None:
                    yield Rejected(path, f"larger than {config.max_file_megabytes:g} megabytes: not read")
                else:
                    yield _picture(record, path, self.split, config)
        except _BROKEN:
            yield Rejected(self.path, DAMAGED)


class _BadRecordError(ValueError):
    """A record that does not agree with its checksum."""


_BROKEN = (OSError, EOFError, zlib.error, _BadRecordError)


def is_records(path: str) -> bool:
    """Whether a file is called like TFRecords: pictures.tfrecord, train.tfrecord-00000-of-00010.gz."""
    return bool(_NAME.fullmatch(posixpath.basename(path)))


def inspect(folder: str, file: FoundFile) -> RecordPictures:
    """Counts a file's records; see `archives.inspect` for the arguments."""
    count = 0
    try:
        for _ in _records(join(folder, file.path), most=0):
            count += 1
    except _BROKEN:
        pass  # said when it is read
    return RecordPictures(file.path, split_in_name(posixpath.basename(file.path)), count)


def _picture(record: bytes, path: str, split: str | None, config: DataConfig) -> Encoded | Rejected:
    import tensorflow as tf  # here, so that a command line can check its arguments at once

    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception:  # protobuf's versions have different errors
        return Rejected(path, "a record that is no tf.Example")
    data = features[config.record_image].bytes_list.value if config.record_image in features else ()
    if not data:
        return Rejected(path, f"a record without the feature {config.record_image}: data.record_image names another")
    label = _label(features[config.record_label], config.label_names) if config.record_label in features else ""
    return Encoded(path, label, split, data[0])


def _label(feature: Any, names: Sequence[str]) -> str:
    if feature.bytes_list.value:
        return feature.bytes_list.value[0].decode("utf-8", "replace")
    if not feature.int64_list.value:
        return ""
    number = feature.int64_list.value[0]
    return names[number] if 0 <= number < len(names) else str(number)


def _records(path: str, most: int) -> Iterator[bytes | None]:
    """The records of a file that any store may hold; None for each of more than `most` bytes, which is passed over.

    The format is in tensorflow/core/lib/io/record_writer.h.
    """
    with open_file(path) as stream:
        packed = is_gzip(path)
        if not packed:  # TensorFlow's option GZIP leaves the name alone; no record is so long that its header begins like that
            with open_file(path) as begin:
                packed = begin.read(3) == b"\x1f\x8b\x08"
        unpacked = gzip.GzipFile(fileobj=stream) if packed else stream
        while True:
            header = unpacked.read(12)
            if not header:
                return
            if len(header) < 12:
                header += read_fully(unpacked, 12 - len(header))
            _check(header[:8], header[8:])
            (length,) = struct.unpack("<Q", header[:8])
            if length > most:
                for piece in range(0, length + 4, _PIECE):
                    read_fully(unpacked, min(_PIECE, length + 4 - piece))
                yield None
                continue
            data = read_fully(unpacked, length)
            _check(data, read_fully(unpacked, 4))
            yield data


def _check(data: bytes, checksum: bytes) -> None:
    crc = google_crc32c.value(data)
    if struct.unpack("<I", checksum)[0] != (((crc >> 15 | crc << 17) & 0xFFFFFFFF) + _MASK_DELTA) & 0xFFFFFFFF:
        raise _BadRecordError("a checksum is wrong")
