"""Tar archives: what Python's tarfile reads is read the same, damage is said with its place, and no header costs memory."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import tarfile

import numpy as np
import pytest

from components.image_example_gen import reasons
from components.image_example_gen.storage.archive_kinds import BrokenArchiveError
from components.image_example_gen.storage.tarlist import list_tar

PACKINGS = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def packed(files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def files(count: int = 30) -> dict[str, bytes]:
    noise = np.random.default_rng(0).bytes(count * 700)
    return {f"{number:03d}.png": noise[number * 700 : number * 700 + 500 + number] for number in range(count)}


def unpacked(data: bytes) -> dict[str, bytes]:
    return {entry.name: entry.open().read() for entry in list_tar(io.BytesIO(data)) if entry.open}


class OneWay(io.RawIOBase):
    """A stream that gives few bytes at once and cannot go back, as from the web."""

    def __init__(self, data: bytes):
        self._stream = io.BytesIO(data)

    def read(self, count: int = -1) -> bytes:
        return self._stream.read(min(count, 1000) if count >= 0 else -1)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_packed(packing, kind):
    some = files() | {"empty": b"", f"{'folder/' * 12}{'n' * 90}.png": b"a long name"}
    some |= {f"{'n' * 300}.png": b"longer", "gro\u00df/\u732b.png": b"3"} if kind != "ustar" else {}
    data = PACKINGS[packing](packed(some, FORMATS[kind]))
    assert unpacked(data) == some
    assert {entry.name: entry.open().read() for entry in list_tar(OneWay(data))} == some


def test_packed_in_several_pieces_as_parallel_packers_do():
    data = packed(files())
    assert unpacked(b"".join(gzip.compress(data[at : at + 4000]) for at in range(0, len(data), 4000))) == files()


def test_members_that_are_not_opened_are_passed_over():
    opened = [entry.open().read(10) for number, entry in enumerate(list_tar(io.BytesIO(packed(files())))) if number % 3 == 0]
    assert opened == [data[:10] for data in list(files().values())[::3]]


def test_links_devices_and_folders():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("d", tarfile.DIRTYPE), ("p", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    found = {entry.name: (entry.refused, entry.open) for entry in list_tar(io.BytesIO(buffer.getvalue()))}
    assert found == {"s": (reasons.MEMBER_LINK, None), "h": (reasons.MEMBER_LINK, None), "d": ("", None), "p": ("", None)}


def test_a_sparse_file_is_refused_and_the_rest_read():
    info = tarfile.TarInfo("sparse.png")
    info.size, info.pax_headers = (
        1024,
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s", "GNU.sparse.realsize": "9"},
    )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"1\n0\n9\n".ljust(512, b"\0") + bytes(512)))
        other = tarfile.TarInfo("other.png")
        other.size = 3
        archive.addfile(other, io.BytesIO(b"abc"))
    found = list(list_tar(io.BytesIO(buffer.getvalue())))
    assert [(entry.name, entry.refused) for entry in found] == [("s", reasons.MEMBER_SPARSE), ("other.png", "")]


def reason(data: bytes) -> tuple[int, str]:
    """How many entries are found, and what is said of the rest."""
    found = 0
    with pytest.raises(BrokenArchiveError) as caught:
        for entry in list_tar(io.BytesIO(data)):
            with contextlib.suppress(Exception):  # damage within a file is that file's
                entry.open().read()
            found += 1
    return found, caught.value.reason


def test_the_place_of_damage():
    data = bytearray(packed(files(), tarfile.USTAR_FORMAT))
    header = data.index(b"005.png")
    data[header + 3] ^= 1
    assert reason(bytes(data)) == (5, f"damaged at byte {header:,}")


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_place_where_it_ends_too_soon(packing):
    data = PACKINGS[packing](packed(files()))
    for cut in (len(data) // 2, 30_000 if packing == "plain" else len(data) * 4 // 5):
        found, said = reason(data[:cut])
        assert said == f"truncated at byte {cut:,}" and found < 31
    assert packing == "bzip2" or reason(data[: len(data) * 3 // 4])[0] > 8  # bzip2 packs all of this at once


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no tar archive: empty"),
        (b"<!DOCTYPE html>", "no tar archive: an HTML page"),
        (bytes(range(256)) * 8, "no tar archive: it begins with 00 01 02 03 04 05 06 07"),
        (gzip.compress(b"\x89PNG\r\n"), "a gzip file that holds a PNG picture, not a tar archive"),
        (lzma.compress(b"text" * 500), "an xz file that holds one file, not a tar archive"),
        (gzip.compress(gzip.compress(packed({"a": b"1"}))), "a gzip file that holds a gzip file, not a tar archive"),
    ],
    ids=["empty", "page", "bytes", "gzip of a picture", "xz of text", "packed twice"],
)
def test_what_is_no_tar_archive(data, words):
    assert reason(data) == (0, words)


def test_an_archive_with_nothing_in_it():
    assert list(list_tar(io.BytesIO(packed({})))) == []


def header_of(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "header",
    [
        header_of(tarfile.XHDTYPE, 1 << 40),
        header_of(tarfile.GNUTYPE_LONGNAME, 1 << 40),
        header_of(tarfile.REGTYPE, -(1 << 40)),
        header_of(tarfile.XHDTYPE, 1 << 20) + b"9" * (1 << 20),  # Python would search in these for hours
        # One that says again and again that it goes on.
        header_of(tarfile.GNUTYPE_SPARSE, 0)[:482] + b"\1" + header_of(tarfile.GNUTYPE_SPARSE, 0)[483:],
    ],
    ids=["pax", "long name", "negative", "digits", "sparse"],
)
def test_headers_that_ask_for_memory(header):
    block = bytearray(header[:512])
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    endless = (b"1" * 511 + b"\n") * (8 << 11)  # 8 MB
    found, said = reason(packed({"a": b"1"}, tarfile.USTAR_FORMAT)[:1024] + bytes(block) + header[512:] + endless)
    assert found == 1 and said.startswith(("damaged at byte 1,024", "truncated"))


class Broken(io.RawIOBase):
    """A store that fails."""

    def read(self, count: int = -1) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_store_that_fails_is_no_damage_of_the_archive():
    with pytest.raises(BrokenArchiveError, match="it cannot be read: Input/output error"):
        list(list_tar(Broken()))
