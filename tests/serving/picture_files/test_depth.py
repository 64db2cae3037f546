"""More than 8 bits: kept where that is asked for, else said; floats by their range, whole numbers by their white level."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving.picture_files import PictureOptions, Refused, picture_shape, read_picture_file, write_png
from tests.serving.picture_files.made import saved, tiff

RNG = np.random.default_rng(0)
DEEP = PictureOptions(depth=16)


def noise(channels: int, kind: type = np.uint16, height: int = 19, width: int = 21) -> np.ndarray:
    shape = (height, width, channels)
    return RNG.random(shape).astype(kind) if np.dtype(kind).kind == "f" else RNG.integers(0, np.iinfo(kind).max, shape, kind)


def pixels(data: bytes) -> np.ndarray:
    return tf.io.decode_png(data, dtype=tf.uint16 if data[24] == 16 else tf.uint8).numpy()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_of_16_bits_is_kept(channels):
    levels = noise(channels)
    for data in (write_png(levels), tf.io.encode_png(levels).numpy()):
        file = read_picture_file(data, DEEP)
        assert file.data == data and file.notes == ()
        assert read_picture_file(data).data == data and read_picture_file(data).notes == ("deep",)
        np.testing.assert_array_equal(pixels(read_picture_file(data, DEEP, anew=True).data), levels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_turned_png_of_16_bits_is_turned_in_16_bits(channels):
    levels, exif = noise(channels), Image.Exif()
    exif[0x0112] = 6
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    plain = write_png(levels)
    data = plain[:33] + struct.pack(">I", len(body) - 4) + body + bytes(4) + plain[33:]
    data = data.replace(body + bytes(4), body + struct.pack(">I", zlib.crc32(body)))
    file = read_picture_file(data, DEEP)
    np.testing.assert_array_equal(pixels(file.data), np.rot90(levels, -1))


def test_a_transparent_color_of_16_bits():
    levels = noise(3)
    plain = write_png(levels)
    body = b"tRNS" + levels[0, 0].astype(">u2").tobytes()
    data = plain[:33] + struct.pack(">I", 6) + body + struct.pack(">I", zlib.crc32(body)) + plain[33:]
    found = pixels(read_picture_file(data, DEEP).data)
    np.testing.assert_array_equal(found[..., :3], levels)
    assert found[0, 0, 3] == 0 and (found.reshape(-1, 4)[1:, 3] == 65535).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("compression, predictor", [(1, 1), (8, 1), (8, 2)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiffs_of_16_bits(channels, compression, predictor, planar, tile, order):
    levels = noise(channels)
    data = tiff(levels, order=order, compression=compression, predictor=predictor, planar=planar, tile=tile)
    file = read_picture_file(data, DEEP)
    assert (file.reencoded_from, file.notes) == ("tiff", ())
    np.testing.assert_array_equal(pixels(file.data), levels)
    assert picture_shape(data) == levels.shape


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("compression, predictor", [(1, 1), (8, 1), (8, 3)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_tiffs_of_floats(kind, compression, predictor, planar, tile, order):
    levels = noise(3, kind)
    data = tiff(levels, order=order, compression=compression, predictor=predictor, planar=planar, tile=tile, sample_format=3)
    for depth, top in ((8, 255), (16, 65535)):
        file = read_picture_file(data, PictureOptions(depth=depth, range=(0.0, 1.0)))
        np.testing.assert_array_equal(pixels(file.data), np.rint(levels.astype(float) * top))
    with pytest.raises(Refused, match="^floating-point levels: set data.range to the values of black and white$"):
        read_picture_file(data)


@pytest.mark.parametrize("packed", [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_lzw", "tiffinfo": {317: 3}}])
def test_floats_as_libtiff_packs_them(packed):
    grey = noise(1, np.float32)[..., 0]
    data = saved(Image.fromarray(grey), "TIFF", **packed)
    found = pixels(read_picture_file(data, PictureOptions(depth=16, range=(0.0, 1.0))).data)[..., 0]
    np.testing.assert_array_equal(found, np.rint(grey.astype(float) * 65535))


@pytest.mark.parametrize("packed", [{"compression": "tiff_lzw", "tiffinfo": {317: 2}}, {"compression": "packbits"}])
def test_16_bits_as_libtiff_packs_them(packed):
    grey = noise(1)[..., 0]
    found = pixels(read_picture_file(saved(grey, "TIFF", **packed), DEEP).data)[..., 0]
    np.testing.assert_array_equal(found, grey)


def test_what_8_bits_cut_is_said():
    for data in (tiff(noise(3)), tiff(noise(1)), b"P5 2 1 65535\n\0\0\x80\x80", saved(noise(1)[..., 0], "JPEG2000")):
        assert read_picture_file(data).notes == ("deep",)
        assert read_picture_file(data, DEEP).notes == ()
    assert read_picture_file(saved(noise(3, np.uint8), "TIFF")).notes == ()


def test_white_is_zero_and_alpha_that_is_multiplied_in():
    levels = noise(1)
    np.testing.assert_array_equal(pixels(read_picture_file(tiff(levels, more={262: [0]}), DEEP).data), 65535 - levels)
    plain, alpha = noise(3).astype(np.int64), RNG.integers(30_000, 65535, (19, 21, 1))
    multiplied = np.concatenate([np.rint(plain * alpha / 65535), alpha], axis=2).astype(np.uint16)
    found = pixels(read_picture_file(tiff(multiplied, more={338: [1]}), DEEP).data)
    assert np.abs(found[..., :3] - plain).max() <= 2 and (found[..., 3:] == alpha).all()


@pytest.mark.parametrize(
    "value, reason",
    [(np.nan, "no numbers"), (np.inf, "no numbers"), (1.1, "outside of data.range"), (-0.1, "outside of data.range")],
)
def test_floats_that_mean_nothing(value, reason):
    levels = noise(1, np.float32)
    levels[3, 3] = value
    with pytest.raises(Refused, match=reason):
        read_picture_file(tiff(levels, sample_format=3), PictureOptions(range=(0.0, 1.0)))


def test_a_large_tiff_is_refused_by_its_header():
    for kind in (1, 3):
        data = tiff(
            np.zeros((1, 1, 3), np.float32 if kind == 3 else np.uint16), more={256: [30_000], 257: [30_000]}, sample_format=kind
        )
        for options in (PictureOptions(), DEEP, PictureOptions(range=(0.0, 1.0), depth=16)):
            with pytest.raises(Refused, match="more than 50 million pixels"):
                read_picture_file(data, options)


@pytest.mark.parametrize(
    "data, white, expected",
    [
        (saved(np.array([[0, 1]], np.uint8), "PNG"), 1, [0, 255]),
        (saved(np.array([[0, 1]], np.uint8), "BMP"), 1, [0, 255]),
        (saved(np.array([[0, 1]], np.uint8), "GIF"), 1, [0, 255]),
        (saved(np.array([[0, 2, 4]], np.uint8), "TIFF"), 4, [0, 128, 255]),
        (saved(np.array([[0, 1023, 4095]], np.uint16), "PNG"), 4095, [0, 64, 255]),
        (tiff(np.array([[[0], [70_000]]], np.uint32)), 70_000, [0, 255]),
        (b"P5 2 1 9\n\0\x04", 4, [0, 255]),
        (saved(Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1"), "PNG"), 1, [0, 255]),
    ],
)
def test_whole_numbers_by_their_white_level(data, white, expected):
    file = read_picture_file(data, PictureOptions(levels=white))
    assert file.format == "png" and pixels(file.data).reshape(len(expected), -1)[:, 0].tolist() == expected


def test_white_levels_in_16_bits_and_alpha_by_itself():
    levels = np.array([[[4095, 0], [1, 65535]]], np.uint16)
    found = pixels(read_picture_file(write_png(levels), PictureOptions(levels=4095, depth=16)).data)
    assert found.tolist() == [[[65535, 0], [16, 65535]]]


def test_levels_above_white_are_refused():
    for data in (saved(np.array([[2]], np.uint8), "PNG"), saved(np.array([[[0, 2, 0]]], np.uint8), "BMP"), b"P5 1 1 255\n\x02"):
        with pytest.raises(Refused, match="^levels above data.levels, or below 0$"):
            read_picture_file(data, PictureOptions(levels=1))
    with pytest.raises(Refused, match="whole numbers of 32 bits: set data.levels to the level of white"):
        read_picture_file(saved(Image.fromarray(np.zeros((2, 2), np.int32)), "TIFF"))


def test_options_travel_as_plain_values():
    options = PictureOptions(7.0, "ignore", 16, 4095, (-1.0, 1.0))
    values = json.loads(json.dumps(options.to_dict()))
    assert PictureOptions.from_dict(values) == PictureOptions(50.0, "ignore", 16, 4095, (-1.0, 1.0))
    assert PictureOptions.from_dict({}) == PictureOptions()
    with pytest.raises(ValueError, match="not known"):
        PictureOptions.from_dict({"icc": "invert"})


def test_equal_levels_give_equal_bytes_that_others_read():
    for kind in (np.uint8, np.uint16):
        for channels in (1, 2, 3, 4):
            data = write_png(noise(channels, kind))
            with Image.open(io.BytesIO(data)) as image:
                image.load()
            levels = pixels(data)
            assert write_png(levels) == data and levels.dtype == kind
