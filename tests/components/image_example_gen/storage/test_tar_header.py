"""Headers of tar archives: as Python's tarfile reads them, and no block that is none is taken for one."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

from components.image_example_gen.storage.tar_header import BLOCK, read_header

NAMES = ("a.png", "n" * 100, f"{'folder/' * 15}{'n' * 80}.png", "gro\u00df.png", "raw-\udcff.png", "folder/")
KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE)


def header(name: str = "a.png", size: int = 700, kind: bytes = tarfile.REGTYPE, form: int = tarfile.GNU_FORMAT) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(form, "utf-8", "surrogateescape")[-BLOCK:]


def checked(block: bytes, signed: bool = False) -> bytes:
    """The block with the checksum of what it holds now."""
    kind = np.int8 if signed else np.uint8
    values = np.frombuffer(block, kind).astype(int)
    total = values.sum() - values[148:156].sum() + 8 * 0x20
    return block[:148] + b"%06o\0 " % total + block[156:]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_as_tarfile_reads_it(name, kind, form):
    block = header(name, 12345, kind, form)
    expected, ours = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape"), read_header(block)
    assert (ours.name, ours.size, ours.type) == (expected.name, expected.size, expected.type)


@pytest.mark.parametrize("size", [0, 1, 8**11 - 1, 8**11, 1 << 40])
def test_sizes_up_to_any(size):
    assert read_header(header(size=size)).size == size


def test_the_format_before_posix_has_no_magic_number():
    block = header()
    old = checked(block[:257] + bytes(BLOCK - 257))
    assert read_header(old) == read_header(block)


def test_checksums_of_signed_bytes_which_some_packers_wrote():
    block = checked(header("gro\u00df.png"), signed=True)
    assert read_header(block).name == "gro\u00df.png"


def test_zeros_end_an_archive():
    assert read_header(bytes(BLOCK)) is None


def test_one_other_bit_is_no_header():
    block = header()
    for byte in (0, 50, 100, 124, 150, 300, BLOCK - 1):
        with pytest.raises(ValueError, match="checksum|number"):
            read_header(block[:byte] + bytes([block[byte] ^ 1]) + block[byte + 1 :])


@pytest.mark.parametrize("field", [b"12x45678901\0", b"\xff" * 12, b"-0000000001\0", b"+1_000\0\0\0\0\0\0", b"\xb2" * 12])
def test_numbers_that_are_none_do_not_get_through(field):
    block = checked(header()[:124] + field + header()[136:])
    try:
        found = read_header(block)
    except ValueError:
        return
    assert found.size < 0 or found.size >= 1 << 60
