"""Picture files of every kind: what is kept as it is, what is encoded anew, what is refused in which words."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving.picture_files import PictureFile, PictureOptions, Refused, format_of, read_picture_file

RNG = np.random.default_rng(0)
GREY, COLOUR, ALPHA = (RNG.integers(0, 256, shape, np.uint8) for shape in ((6, 9), (6, 9, 3), (6, 9, 4)))


def saved(image: Image.Image | np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(file: PictureFile) -> np.ndarray:
    return tf.io.decode_image(file.data, channels=0, expand_animations=False).numpy()


def sixteen_bits(scale: int = 257) -> Image.Image:
    return Image.fromarray(GREY.astype(np.uint16) * scale)


@pytest.mark.parametrize(
    "data, expected",
    [
        (saved(GREY, "PNG"), GREY),
        (saved(Image.fromarray(GREY > 127), "PNG"), np.where(GREY > 127, 255, 0)),
        (saved(sixteen_bits(), "PNG"), GREY),
        (saved(ALPHA, "PNG"), ALPHA),
        (saved(Image.fromarray(COLOUR).quantize(4), "PNG", bits=2), np.asarray(Image.fromarray(COLOUR).quantize(4).convert("RGB"))),
        (saved(COLOUR, "BMP"), COLOUR),
        (saved(GREY, "BMP"), GREY),
        (saved(Image.fromarray(GREY), "GIF"), np.repeat(GREY[..., None], 3, 2)),
    ],
    ids=["grey", "1 bit", "16 bits", "alpha", "palette", "bmp", "grey bmp", "gif"],
)
def test_what_tensorflow_reads_is_kept(data, expected):
    file = read_picture_file(data)
    assert file.data == data and not file.reencoded_from
    np.testing.assert_array_equal(decoded(file), expected.reshape(*expected.shape[:2], -1))


def test_jpegs_are_kept_progressive_and_cmyk_too():
    smooth = np.tile(np.linspace(0, 255, 64, dtype=np.uint8)[:, None, None], (1, 64, 3))
    for data in (
        saved(smooth, "JPEG", quality=95, progressive=True),
        saved(Image.fromarray(smooth).convert("CMYK"), "JPEG", quality=95),
        saved(smooth, "JPEG", quality=95, exif=exif(1)),
    ):
        file = read_picture_file(data)
        assert file == PictureFile(data, "jpeg")
        assert np.abs(decoded(file).astype(int) - smooth).mean() < 3


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
def test_pictures_are_turned_upright(kind, orientation):
    file = read_picture_file(saved(COLOUR, kind, exif=exif(orientation), **({"lossless": True} if kind == "WEBP" else {})))
    assert (file.format, file.reencoded_from) == ("png", kind.lower())
    np.testing.assert_array_equal(decoded(file), UPRIGHT[orientation](COLOUR))


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
def test_photographs_are_turned_upright(orientation):
    plain = saved(COLOUR, "JPEG", quality=95)
    file = read_picture_file(saved(COLOUR, "JPEG", quality=95, exif=exif(orientation)))
    assert (file.format, file.reencoded_from) == ("png", "jpeg")
    np.testing.assert_array_equal(decoded(file), UPRIGHT[orientation](np.asarray(Image.open(io.BytesIO(plain)))))
    assert read_picture_file(file.data) == PictureFile(file.data, "png")  # it stays as it is from now on


@pytest.mark.parametrize("nonsense", [0, 9, 4711])
def test_an_orientation_that_makes_no_sense_is_upright(nonsense):
    data = saved(COLOUR, "JPEG", exif=exif(nonsense))
    assert read_picture_file(data).data == data


@pytest.mark.parametrize(
    "data, expected",
    [
        (saved(COLOUR, "TIFF"), COLOUR),
        (saved(COLOUR, "TIFF", compression="tiff_lzw"), COLOUR),
        (saved(GREY, "TIFF"), GREY),
        (saved(ALPHA, "TIFF"), ALPHA),
        (saved(sixteen_bits(), "TIFF"), GREY),
        (saved(Image.fromarray(GREY > 127), "TIFF"), np.where(GREY > 127, 255, 0)),
        (saved(COLOUR, "WEBP", lossless=True), COLOUR),
        (saved(ALPHA, "WEBP", lossless=True, exact=True), ALPHA),
        (saved(Image.fromarray(COLOUR).quantize(8), "BMP"), np.asarray(Image.fromarray(COLOUR).quantize(8).convert("RGB"))),
        (saved(Image.fromarray(GREY > 127), "BMP"), np.where(GREY > 127, 255, 0)),
    ],
    ids=["tiff", "lzw", "grey tiff", "alpha tiff", "16 bits", "1 bit", "webp", "alpha webp", "palette bmp", "1-bit bmp"],
)
def test_what_tensorflow_does_not_read_is_encoded_anew_without_loss(data, expected):
    file = read_picture_file(data)
    assert file.format == "png" and file.reencoded_from == format_of(data)
    np.testing.assert_array_equal(decoded(file), expected.reshape(6, 9, -1))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame(kind):
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (10, 200)]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = read_picture_file(saved(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert file.format == "png" and (decoded(file)[..., 0] == 10).all()


def png(bits: int, kind: int, rows: list[bytes], width: int, key: bytes) -> bytes:
    """A PNG file with a transparent level or colour, written by the specification."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)),
        (b"tRNS", key),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
        (b"IEND", b""),
    )
    body = (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize(
    "bits, kind, row, key, expected",
    [
        (1, 0, "40", "0001", [[0, 255], [255, 0]]),
        (2, 0, "60", "0001", [[85, 0], [170, 255]]),
        (4, 0, "34", "0003", [[51, 0], [68, 255]]),
        (8, 0, "34ff", "0034", [[52, 0], [255, 255]]),
        (16, 0, "34ff34fe", "34ff", [[52, 0], [52, 255]]),
        (8, 2, "0102ff0102fe", "0001000200ff", [[1, 2, 255, 0], [1, 2, 254, 255]]),
        (16, 2, "010002000300" + "ff00ff00ff00", "010002000300", [[1, 2, 3, 0], [255, 255, 255, 255]]),
    ],
)
def test_one_transparent_level_or_colour_of_a_png_becomes_alpha(bits, kind, row, key, expected):
    file = read_picture_file(png(bits, kind, [bytes.fromhex(row)], 2, bytes.fromhex(key)))
    assert (file.format, file.reencoded_from) == ("png", "png")
    np.testing.assert_array_equal(decoded(file), [expected])


def test_the_limit_of_pixels_is_ours_above_that_of_pillow(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    turned = saved(np.zeros((100, 50, 3), np.uint8), "JPEG", exif=exif(6))
    assert decoded(read_picture_file(turned)).shape == (50, 100, 3)
    assert decoded(read_picture_file(saved(np.zeros((100, 50), np.uint8), "TIFF"))).shape == (100, 50, 1)
    with pytest.raises(Refused, match="more than 0.004 million pixels by its header"):
        read_picture_file(turned, PictureOptions(0.004))


def test_a_transparent_gif_keeps_its_transparency():
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).convert("P")
    file = read_picture_file(saved(image, "GIF", transparency=0))
    assert (file.format, file.reencoded_from) == ("png", "gif")
    assert decoded(file)[0, 0, -1] == 0 and (decoded(file)[..., -1].reshape(-1)[1:] == 255).all()


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "the file is empty"),
        (b"hello", "not a picture in a supported format"),
        (b"\n <svg xmlns=''/>", "SVG data"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "HEIC data"),
        (b"\x89PNG\r\n\x1a\n", "cut short PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "cut short JPEG"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "cut short JPEG"),
        (b"GIF89a", "cut short GIF"),
        (saved(COLOUR, "TIFF")[:60], "cut short TIFF"),
        (saved(COLOUR, "WEBP")[:30], "cut short WebP"),
        (saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "floating-point levels: set data.range"),
    ],
)
def test_refused(data, reason):
    with pytest.raises(Refused, match=reason):
        read_picture_file(data)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header():
    huge = saved(Image.new("1", (30_000, 30_000)), "TIFF", compression="group4")
    jpeg = bytearray(saved(GREY, "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 30_000, 30_000)
    gif = b"GIF89a" + struct.pack("<HH", 30_000, 30_000) + saved(GREY, "GIF")[10:]
    bmp = bytearray(saved(COLOUR, "BMP"))
    bmp[18:26] = struct.pack("<ii", 30_000, -30_000)
    for data in (bomb(30_000, 30_000), huge, bytes(jpeg), gif, bytes(bmp)):
        with pytest.raises(Refused, match="more than 50 million pixels"):
            read_picture_file(data)


def test_the_limit_is_the_callers():
    assert read_picture_file(bomb(1000, 1000), PictureOptions(1.0)).format == "png"
    with pytest.raises(Refused, match="more than 0.5 million"):
        read_picture_file(bomb(1000, 1000), PictureOptions(0.5))


def test_a_picture_without_pixels():
    with pytest.raises(Refused, match="no pixels"):
        read_picture_file(bomb(0, 5))


def test_the_smallest_picture():
    one = np.full((1, 1, 3), 7, np.uint8)
    for kind, options in (("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        assert decoded(read_picture_file(saved(one, kind, **options))).tolist() == [[[7, 7, 7]]]
