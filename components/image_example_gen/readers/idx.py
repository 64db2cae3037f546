"""The IDX format of MNIST and its kin: unsigned bytes behind a header that gives their shape."""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from components.image_example_gen.storage.files import open_file, printable
from trainer.errors import InputError

_UNSIGNED_BYTES = b"\x00\x00\x08"


def read_shape(path: str, size: int, ranks: Sequence[int]) -> tuple[int, ...]:
    """Reads an IDX file's header and checks it against the file's size.

    Args:
        path: The file, gzip where its name ends in .gz.
        size: Its size as stored, in bytes.
        ranks: The numbers of dimensions that are acceptable.

    Returns:
        The shape of its data, one length per dimension.

    Raises:
        InputError: It is not such a file, or is longer or shorter than its header says.
    """
    try:
        with open_idx(path) as stream:
            magic = stream.read(4)
            rank = magic[3] if len(magic) == 4 else 0
            if magic[:3] != _UNSIGNED_BYTES or rank not in ranks:
                expected = " or ".join(f"{0x800 + rank:08x}" for rank in ranks)
                raise InputError(f"{printable(path)} is no such IDX file: it begins with {magic.hex()}, not {expected}")
            header = stream.read(4 * rank)
            if len(header) < 4 * rank:
                raise InputError(f"{printable(path)} ends within its header: fetch it again")
            shape = struct.unpack(f">{rank}I", header)
        actual = _stored_size(path, size)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, error) from error
    expected = header_size(len(shape)) + math.prod(shape)
    # The gzip trailer holds the length modulo 2**32.
    if is_gzip(path):
        expected %= 2**32
    if actual != expected:
        raise InputError(f"{printable(path)} holds {actual:,} bytes where its header says {expected:,}: fetch it again")
    return shape


@contextlib.contextmanager
def open_idx(path: str) -> Iterator[BinaryIO]:
    """Opens an IDX file for reading from its header on, unpacked."""
    with open_file(path) as stream:
        yield gzip.GzipFile(fileobj=stream) if is_gzip(path) else stream


def header_size(rank: int) -> int:
    """Bytes before the data of an IDX file with so many dimensions."""
    return 4 + 4 * rank


def is_gzip(path: str) -> bool:
    """Whether a file is packed, by its name."""
    return path.lower().endswith(".gz")


def write_idx(path: Path, shape: Sequence[int], blocks: Iterable[bytes]) -> None:
    """Writes an IDX file under a temporary name and then renames it: it is complete or absent.

    Args:
        path: Where to; gzip where the name ends in .gz, with no time in it: the same data gives the same bytes.
        shape: The shape of the data, entries first.
        blocks: Their bytes, in as many pieces as is convenient.
    """
    temporary = path.with_name(f"{path.name}.part")
    with contextlib.ExitStack() as stack:
        stream: BinaryIO = stack.enter_context(open(temporary, "wb"))
        if is_gzip(path.name):
            stream = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0))
        stream.write(_UNSIGNED_BYTES + struct.pack(f">B{len(shape)}I", len(shape), *shape))
        for block in blocks:
            stream.write(block)
    os.replace(temporary, path)


def damaged(path: str, error: Exception) -> InputError:
    """The mistake to report where reading a file of many pictures failed with `error`."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return InputError(f"{printable(path)} cannot be read ({reason}): fetch it again")


def _stored_size(path: str, size: int) -> int:
    """The size of the data in bytes; for gzip the one that its trailer states, without unpacking."""
    if not is_gzip(path):
        return size
    with open_file(path) as stream:
        stream.seek(max(size - 4, 0))
        trailer = stream.read(4)
    return struct.unpack("<I", trailer)[0] if len(trailer) == 4 else 0
