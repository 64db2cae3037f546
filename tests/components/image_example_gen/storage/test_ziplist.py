"""Zip archives: what Python's zipfile reads is read the same, and what it gives up is read as far as it is sound."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from components.image_example_gen import reasons
from components.image_example_gen.storage.archive_kinds import BrokenArchiveError
from components.image_example_gen.storage.ziplist import (
    list_zip,
    open_entry,
)

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def contents() -> dict[str, bytes]:
    """Files of sizes around what is read at once, that shrink, that do not, and one that shrinks a thousandfold."""
    noise = np.random.default_rng(0).bytes(200_000)
    sizes = (0, 1, 100, 65_535, 65_536, 65_537, 200_000)
    files = {f"noise/{size}": noise[:size] for size in sizes} | {f"text/{size}": b"abc" * size for size in sizes}
    return files | {"zeros": bytes(3 << 20)}


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = comment
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[bytes, bytes]:
    stream = io.BytesIO(data)
    return {entry.raw_name: open_entry(stream, entry).read() for entry in list_zip(stream)}


def by_zipfile(data: bytes) -> dict[bytes, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename.encode(): archive.read(info) for info in archive.infolist() if not info.is_dir()}


@pytest.mark.parametrize("method", METHODS)
def test_the_same_as_zipfile_reads(method):
    data = packed(contents(), method)
    assert unpacked(data) == by_zipfile(data) and len(unpacked(data)) == 15


@pytest.mark.parametrize(
    "changed",
    [
        lambda data: b"MZ" + bytes(5000) + data,  # a program that unpacks it
        lambda data: packed(contents(), comment=b"a comment, PK\x05\x06 and all" * 100),
        lambda data: data + b"\0" * 30,
    ],
    ids=["program in front", "comment", "bytes behind"],
)
def test_what_stands_around_an_archive(changed):
    data = changed(packed(contents()))
    assert unpacked(data) == {name.encode(): content for name, content in contents().items()}


def test_sizes_of_64_bits():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("large", "w", force_zip64=True) as stream:
        stream.write(b"x" * 1000)
    data = buffer.getvalue()
    central = data.index(b"PK\x01\x02")
    # zipfile writes such sizes into the list only where they are needed: write them as a large archive has them.
    entry, end = bytearray(data[central : data.index(b"PK\x05\x06")]), bytearray(data[-22:])
    entry[20:28] = b"\xff" * 8
    entry[30:32] = struct.pack("<H", 20)
    entry += struct.pack("<2H2Q", 1, 16, 1000, 1000)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(entry), central)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, central + len(entry), 1)
    end[10:20] = b"\xff\xff" + b"\xff" * 8
    data = data[:central] + bytes(entry) + record + locator + bytes(end)
    assert unpacked(data) == by_zipfile(data) == {b"large": b"x" * 1000}


def test_a_list_longer_than_what_is_read_at_once_with_members_read_in_between():
    files = {f"{number:05d}/{'n' * 200}": b"%d" % number for number in range(3000)}
    assert unpacked(packed(files)) == {name.encode(): data for name, data in files.items()}


def test_names_say_how_they_are_encoded():
    data = packed({"\u00fc.png": b"1", "plain.png": b"2"})
    first, second = list_zip(io.BytesIO(data))
    assert first.claims_utf_8 and first.raw_name == "\u00fc.png".encode() and not second.claims_utf_8


def test_a_name_in_utf_8_beside_one_of_an_old_encoding():
    name, better = "\u732b.png".encode("cp932"), "\u732b.png"
    info = zipfile.ZipInfo("x" * len(name))
    field = struct.pack("<BL", 1, zlib.crc32(name)) + better.encode()
    info.extra = struct.pack("<2H", 0x7075, len(field)) + field
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"1")
    data = buffer.getvalue().replace(b"x" * len(name), name)
    (entry,) = list_zip(io.BytesIO(data))
    assert (entry.raw_name, entry.utf_8) == (name, better)
    (other,) = list_zip(io.BytesIO(data.replace(name, name[::-1])))  # renamed by who does not know the field
    assert other.utf_8 == ""


def test_links_and_ways_to_pack_that_are_not_read():
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("other.png", b"1")
    data = bytearray(buffer.getvalue())
    data[data.rindex(b"PK\x01\x02") + 10] = 9  # Deflate64, as Windows packs large files
    assert [entry.refused for entry in list_zip(io.BytesIO(data))] == [reasons.MEMBER_LINK, reasons.ZIP_METHOD]


def test_one_part_of_several():
    data = bytearray(packed(contents()))
    data[-18:-14] = struct.pack("<2H", 1, 0)
    with pytest.raises(BrokenArchiveError, match="join them") as caught:
        list(list_zip(io.BytesIO(data)))
    assert caught.value.reason == reasons.ZIP_PARTS


def test_a_list_that_breaks_off_gives_what_stands_before():
    data = packed(dict.fromkeys("abc", b"1"))
    broken = bytearray(data)
    at = broken.rindex(b"PK\x01\x02")
    broken[at] = 0
    entries = list_zip(io.BytesIO(broken))
    assert [next(entries).raw_name, next(entries).raw_name] == [b"a", b"b"]
    with pytest.raises(BrokenArchiveError, match=f"damaged at byte {at:,}"):
        next(entries)


@pytest.mark.parametrize("method", METHODS)
def test_bytes_that_are_not_what_the_list_says(method):
    files = {"a": np.random.default_rng(0).bytes(100_000), "b": bytes(300_000)}
    data = packed(files, method)
    first, second = list_zip(io.BytesIO(data))
    for changed in (
        first._replace(crc=first.crc ^ 1),
        first._replace(size=first.size - 1),
        first._replace(size=first.size + 1),
        first._replace(packed=first.packed // 2),
        first._replace(at=second.at + 1),
        first._replace(at=10**18),
        second._replace(size=10**15),  # a bomb is read no further than its bytes
    ):
        with pytest.raises((OSError, BrokenArchiveError)):
            stream = open_entry(io.BytesIO(data), changed)
            while stream.read(1 << 20):
                pass


MEMORY = """
import resource, sys
from components.image_example_gen.storage.ziplist import list_zip, open_entry

with open(sys.argv[1], "rb") as stream:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for entry in list_zip(stream):
        open_entry(stream, entry).read()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_long_list_is_not_held_in_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:06d}.png", b"x" * 50)
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "a.zip")]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=environment).stdout)
    assert grown < 4 << 10  # KiB; zipfile takes 14 MB
