"""TFRecords: lengths and checksums, and the messages of Protocol Buffers in them."""

from __future__ import annotations

import contextlib
import random
import struct

import google_crc32c
import numpy as np
import tensorflow as tf

from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, at_random, varint
from tests.serving.picture_files.made import saved

Message = list[tuple[int, int, object]]  # number, kind of wire, and an int, bytes, or a message


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15 | crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)


def mend(pieces: Pieces) -> None:
    """Make the lengths and both checksums of each record right."""
    for piece in pieces:
        if piece.name == "record" and len(piece.data) >= 16:
            length = struct.pack("<Q", len(piece.data) - 16)
            piece.data[:12] = length + _masked(length)
            piece.data[-4:] = _masked(bytes(piece.data[12:-4]))


def record(data: bytes) -> Piece:
    """A record with right checksums."""
    length = struct.pack("<Q", len(data))
    whole = length + _masked(length) + data + _masked(data)
    return Piece(bytearray(whole), [Field(0, "<Q"), Field(8, "<I"), Field(len(whole) - 4, "<I")], None, "record")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def parse(data: bytes, depth: int = 6) -> Message:
    """A message, and what looks like messages in it.

    Raises:
        IndexError, ValueError: It is none.
    """
    found, at = [], 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if not key >> 3:
            raise ValueError("no message")
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise ValueError("no message")
            if depth and size > 1:
                with contextlib.suppress(IndexError, ValueError):
                    value = parse(value, depth - 1)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ValueError("no message")
        found.append((key >> 3, wire, value))
    return found


def write(message: Message) -> bytes:
    """The bytes of a message."""
    found = b""
    for number, wire, value in message:
        body = write(value) if isinstance(value, list) else value
        found += varint(number << 3 | wire)
        if wire == 0:
            found += varint(body if isinstance(body, int) else len(body))
        else:
            body = varint(body) if isinstance(body, int) else body
            found += varint(len(body)) + body if wire == 2 else body
    return found


def _levels(message: Message) -> list[Message]:
    return [message, *(inner for _, _, value in message if isinstance(value, list) for inner in _levels(value))]


def change(message: Message, rng: random.Random) -> None:
    """Change one entry of a message or of one in it: its number, its kind, its value; or leave it out, double it, nest it."""
    level = rng.choice([each for each in _levels(message) if each] or [[(1, 0, 0)]])
    at = rng.randrange(len(level))
    number, wire, value = level[at]
    how = rng.randrange(8)
    if how == 0:
        level[at] = (rng.choice((number + 1, number - 1 or 1, 15, 2**28)), wire, value)
    elif how == 1:
        level[at] = (number, rng.randrange(8), value)
    elif how == 2:
        del level[at]
    elif how == 3:
        level[at:at] = [level[at]] * rng.choice((1, 2, 500))
    elif how == 4:
        body = write(value) if isinstance(value, list) else value if isinstance(value, bytes) else b""
        for _ in range(rng.choice((1, 5, 200))):
            body = varint(number << 3 | 2) + varint(len(body)) + body
        level[at] = (number, 2, body)
    elif wire == 0:
        level[at] = (number, 0, rng.choice((0, 1, 2**31, 2**32, 2**63, 2**64 - 1, rng.randrange(1000))))
    elif isinstance(value, bytes):
        level[at] = (number, wire, rng.choice((b"", at_random(value, rng), value * 2, b"\xff" * 12, value[:-1])))
    else:
        rng.shuffle(level)


def fields_of_example(pieces: Pieces, rng: random.Random) -> None:
    """Damage the message of a record; its checksums stay right."""
    records = [piece for piece in pieces if piece.name == "record" and len(piece.data) > 16]
    if not records:
        return
    piece = rng.choice(records)
    try:
        message = parse(bytes(piece.data[12:-4]))
    except (IndexError, ValueError):
        return
    for _ in range(rng.randint(1, 2)):
        change(message, rng)
    new = record(write(message))
    piece.data[:], piece.fields = new.data, new.fields


def example(**values: object) -> bytes:
    """A serialized tf.Example; __ stands for a slash."""
    features = {}
    for name, value in values.items():
        if isinstance(value, float):
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        elif isinstance(value, int):
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        else:
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        features[name.replace("__", "/")] = feature
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def originals() -> list[Original]:
    """Pictures with labels as text and numbers, bare pixels, and features that mean nothing."""
    rng = np.random.default_rng(9)
    files = [saved(rng.integers(0, 256, (8, 8), np.uint8), "PNG") for _ in range(4)]
    usual = [example(image__encoded=data, image__label=b"cat", image__height=8) for data in files]
    numbers = [example(image=data, label=number, weight=0.5) for number, data in enumerate(files)]
    bare = [example(image_raw=rng.bytes(64), height=8, width=8, depth=1, label=number) for number in range(4)]
    return [
        Original("{:06d}.tfrecord", [record(data) for data in datas], mend, damages=(fields_of_example,))
        for datas in (usual, numbers, bare)
    ]
