"""Formats beyond those that TensorFlow reads, and the rarer kinds of BMP and JPEG."""

from __future__ import annotations

import builtins
import struct
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving.picture_files import PictureFile, PictureOptions, Refused, format_of, picture_shape, read_picture_file
from tests.serving.picture_files.made import bmp, saved

RNG = np.random.default_rng(0)
SMOOTH = np.stack(np.broadcast_arrays(np.arange(0, 240, 5)[:, None], np.arange(0, 255, 7)[None], 90), axis=2).astype(np.uint8)
GREY, COLOR = RNG.integers(0, 256, (5, 9), np.uint8), RNG.integers(0, 256, (5, 9, 3), np.uint8)


def pixels(file: PictureFile) -> np.ndarray:
    return tf.io.decode_image(file.data, channels=0, expand_animations=False).numpy()


def turned(how: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = how
    return exif


@pytest.mark.parametrize(
    "kind, options, found, off",
    [
        ("AVIF", {"quality": 95}, "avif", 8),
        ("JPEG2000", {}, "jpeg2000", 0),
        ("JPEG2000", {"no_jp2": True}, "jpeg2000", 0),
        ("QOI", {}, "qoi", 0),
        ("PPM", {}, "pnm", 0),
    ],
    ids=["avif", "jp2", "j2k", "qoi", "ppm"],
)
def test_formats_are_known_by_their_bytes_and_become_png(kind, options, found, off):
    data = saved(SMOOTH, kind, **options)
    file = read_picture_file(data)
    assert (format_of(data), file.format, file.reencoded_from, file.notes) == (found, "png", found, ())
    assert np.abs(pixels(file).astype(int) - SMOOTH).max() <= off
    assert picture_shape(data) == SMOOTH.shape
    with pytest.raises(Refused, match="million pixels"):
        read_picture_file(data, PictureOptions(max_megapixels=0.001))
    with pytest.raises(Refused, match="damaged or cut short"):
        read_picture_file(data[: len(data) // 2])


def test_avif_is_turned_upright():
    file = read_picture_file(saved(SMOOTH, "AVIF", quality=95, exif=turned(6)))
    assert np.abs(pixels(file).astype(int) - np.rot90(SMOOTH, -1)).max() <= 8


def text(magic: str, levels: np.ndarray, white: int | None) -> bytes:
    """A file of numbers as text, with comments wherever they may be."""
    height, width = levels.shape[:2]
    head = f"{magic}\n# a comment\n{width} # and 9 more\n{height}\n" + (f"{white}\n" if white else "")
    return (head + "\n".join(" ".join(map(str, row)) for row in levels.reshape(height, -1)) + "\n").encode()


@pytest.mark.parametrize(
    "data, expected",
    [
        (text("P2", GREY, 255), GREY),
        (text("P3", COLOR, 255), COLOR),
        (text("P1", (GREY > 99).astype(int), None), np.where(GREY > 99, 0, 255)),
        (b"P1 3 2 010\n1 1 0", [[255, 0, 255], [0, 0, 255]]),
        (b"P4\n# c\n9 5\n" + np.packbits(GREY > 99, axis=1).tobytes(), np.where(GREY > 99, 0, 255)),
        (b"P5 9 5 255\n" + GREY.tobytes(), GREY),
        (b"P5#c\n9#c\n5#c\n255\n" + GREY.tobytes(), GREY),
        (b"P6\n9 5\n255\n" + COLOR.tobytes(), COLOR),
        (b"P5 9 5 15 " + (GREY // 16).tobytes(), GREY // 16 * 17),
        (b"P2 2 1 1000 0 1000", [[0, 255]]),
        (b"P5 2 1 65535\n\0\0\x80\x80", [[0, 128]]),
    ],
)
def test_netpbm(data, expected):
    file = read_picture_file(data)
    np.testing.assert_array_equal(pixels(file), np.reshape(expected, pixels(file).shape))
    assert picture_shape(data) == pixels(file).shape


@pytest.mark.parametrize(
    "data",
    [
        b"P5 9 5 255\n" + bytes(44),
        b"P5 9 5",
        b"P2 2 1 255 1 x",
        b"P2 2 1 255 1",
        b"P2 2 1 0 1 1",
        b"P1 2 2 0102",
        b"P5 9 5 99999 ab",
    ],
)
def test_damaged_netpbm(data):
    with pytest.raises(Refused, match="damaged or cut short PNM"):
        read_picture_file(data)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pfm_is_of_floats_and_from_the_bottom(order):
    levels = RNG.random((4, 3, 3)).astype(np.float32) * 4 - 1
    data = b"PF\n3 4\n%s1.0\n" % (b"-" if order == "<" else b"") + levels[::-1].astype(f"{order}f4").tobytes()
    file = read_picture_file(data, PictureOptions(range=(-1.0, 3.0)))
    np.testing.assert_array_equal(pixels(file), np.rint((levels.astype(float) + 1) / 4 * 255))
    with pytest.raises(Refused, match=r"floating-point levels: set data.range to the values of black and white"):
        read_picture_file(data)
    with pytest.raises(Refused, match="outside of data.range"):
        read_picture_file(data, PictureOptions(range=(0.0, 1.0)))
    with pytest.raises(Refused, match="damaged or cut short PFM"):
        read_picture_file(data[:-1], PictureOptions(range=(-1.0, 3.0)))


def test_heic_without_its_extra_is_named(monkeypatch):
    plain = builtins.__import__

    def without(name, *rest, **more):
        if name == "pillow_heif":
            raise ImportError(name)
        return plain(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "pillow_heif", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Refused, match=r"^HEIC data, which needs the extra: pip install 'darkroom-tfx\[heic\]'$"):
        read_picture_file(b"\0\0\0\x18ftypheic" + bytes(20))


def test_heic_with_its_extra():
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = saved(SMOOTH, "HEIF", quality=95)
    file = read_picture_file(data)
    assert (file.format, file.reencoded_from) == ("png", "heic")
    assert np.abs(pixels(file).astype(int) - SMOOTH).max() <= 8


@pytest.mark.parametrize(
    "brands, kind", [(b"avif", "avif"), (b"mif1\0\0\0\0avif", "avif"), (b"heic", "heic"), (b"mif1\0\0\0\0heic", "heic")]
)
def test_iso_brands(brands, kind):
    assert format_of(struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(40)) == kind


def test_a_film_is_no_picture():
    with pytest.raises(Refused, match="not a picture in a supported format"):
        format_of(b"\0\0\0\x18ftypisom\0\0\0\0isommp41" + bytes(40))


TABLE = RNG.integers(0, 256, (256, 4), np.uint8)
BITS = {bits: RNG.integers(0, 256, 4 * bits, np.uint8).tobytes() for bits in (1, 2, 4, 8, 16, 32)}


def looked_up(bits: int, table: np.ndarray) -> np.ndarray:
    ones = np.unpackbits(np.frombuffer(BITS[bits], np.uint8).reshape(4, -1), axis=1).reshape(4, -1, bits)[:, :8]
    return table[ones @ 2 ** np.arange(bits)[::-1]][::-1, :, 2::-1]


def padded(bits: int) -> bytes:
    rows = np.frombuffer(BITS[bits], np.uint8).reshape(4, -1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_bmps_with_a_table_of_colors(bits):
    table = TABLE[: 2**bits]
    for more in ({}, {"gap": 400}, {"header": 64}):
        data = bmp(bits, padded(bits), more=table.tobytes(), **more)
        np.testing.assert_array_equal(pixels(read_picture_file(data)), looked_up(bits, table))
    os2 = bmp(bits, padded(bits), header=12, more=table[:, :3].tobytes())
    np.testing.assert_array_equal(pixels(read_picture_file(os2)), looked_up(bits, table))


def test_a_bmp_with_more_than_256_colors_in_its_table():
    data = bmp(8, padded(8), more=TABLE.tobytes() + bytes(176), used=300)
    np.testing.assert_array_equal(pixels(read_picture_file(data)), looked_up(8, TABLE))
    greys = np.repeat(np.arange(300)[:, None] % 256, 4, axis=1).astype(np.uint8)
    data = bmp(8, padded(8), more=greys.tobytes(), used=300)
    np.testing.assert_array_equal(pixels(read_picture_file(data))[..., 0], looked_up(8, greys)[..., 0])


@pytest.mark.parametrize(
    "bits, masks",
    [
        (16, (0x7C00, 0x3E0, 0x1F)),
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, (0x30, 0xE, 1)),
        (32, (0xFF0000, 0xFF00, 0xFF)),
        (32, (0xFE000000, 0x1FE0000, 0xFF)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
    ],
)
def test_bmps_with_masks(bits, masks):
    data = bmp(bits, padded(bits), compression=3, more=struct.pack("<III", *masks))
    numbers = np.frombuffer(BITS[bits], f"<u{bits // 8}").reshape(4, 8)[::-1].astype(np.int64)
    exact = np.stack([(numbers & mask) * 255 / mask for mask in masks], axis=-1)
    # Pillow stretches five bits by repeating the upper ones, which is at most one level off.
    assert np.abs(pixels(read_picture_file(data)) - exact).max() <= 1


def test_bmps_of_run_lengths():
    runs = bytes(
        [3, 5, 0, 2, 2, 1, 2, 7, 0, 0, 0, 3, 1, 2, 3, 0, 0, 1]
    )  # three of 5; skip 2 right, 1 up; two of 7; next row; 1 2 3
    expected = np.zeros((4, 8), int)
    expected[0, :3], expected[1, 5:7], expected[2, :3] = 5, 7, (1, 2, 3)
    found = pixels(read_picture_file(bmp(8, runs, compression=1, more=TABLE.tobytes())))
    np.testing.assert_array_equal(found, TABLE[expected[::-1]][..., 2::-1])
    whole = bytes([8, 0x5A, 0, 0] * 4 + [0, 1])
    found = pixels(read_picture_file(bmp(4, whole, compression=2, more=TABLE[:16].tobytes())))
    np.testing.assert_array_equal(found, TABLE[np.tile([5, 10], (4, 4))][..., 2::-1])


@pytest.mark.parametrize(
    "data, reason",
    [
        (bmp(8, bytes([8, 5, 0, 0]), compression=1, more=TABLE.tobytes()), "damaged or cut short BMP"),
        (bmp(2, bytes(8), more=TABLE[:4].tobytes()), "damaged or cut short BMP"),
        (bmp(7, bytes(64)), "a BMP of a kind that is not read"),
        (bmp(64, bytes(256)), "a BMP of a kind that is not read"),
        (bmp(0, saved(COLOR, "JPEG"), compression=4), "a BMP of a kind that is not read"),
        (bmp(16, bytes(64), compression=3, more=bytes(12)), "a BMP of a kind that is not read"),
        (bmp(32, bytes(128), compression=3, more=struct.pack("<III", 5, 8, 16)), "a BMP of a kind that is not read"),
    ],
)
def test_refused_bmps(data, reason):
    with pytest.raises(Refused, match=reason):
        read_picture_file(data)


@pytest.mark.parametrize("between", [b"\0\0\0", b"abc", b"\xff\0", b"\xff\xff\xff", b"\xff\0x\xff"])
def test_a_jpeg_with_bytes_between_its_segments_is_read_as_the_decoder_reads_it(between):
    plain = saved(SMOOTH, "JPEG")
    frame = plain.index(b"\xff\xc0")
    data = plain[:frame] + between + plain[frame:]
    np.testing.assert_array_equal(tf.io.decode_jpeg(data), tf.io.decode_jpeg(plain))  # else the case is none
    file = read_picture_file(data)
    assert file == PictureFile(data, "jpeg") and file.area == SMOOTH.shape[0] * SMOOTH.shape[1]


@pytest.mark.parametrize("junk", [b"\0\0\0\0", b"junk", b"x\xff\0\xff\0x", b"\0" * 1000])
def test_a_jpeg_with_bytes_behind_its_start_is_read_without_them(junk):
    plain = saved(SMOOTH, "JPEG")
    data = plain[:2] + junk + plain[2:]
    assert read_picture_file(data) == read_picture_file(plain)
    assert picture_shape(data) == SMOOTH.shape


def test_what_only_begins_like_a_jpeg_is_none():
    for data in (b"\xff\xd8", b"\xff\xd8" + bytes(100), b"\xff\xd8\0\xff\xe0"):
        with pytest.raises(Refused):
            read_picture_file(data)
