"""Decoding: formats, hashes, and what is refused in which words."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from components.image_example_gen.pictures import Refused, decode, encode_png, hash_of, mean_and_std
from tests.components.image_example_gen.ingestion import encode, picture

GREY, COLOUR, ALPHA = picture(1), picture(2, 8, 8, 3), picture(3, 8, 8, 4)


@pytest.mark.parametrize(
    "pixels, kind, expected",
    [
        (GREY, "PNG", (8, 8, 1)),
        (COLOUR, "PNG", (8, 8, 3)),
        (ALPHA, "PNG", (8, 8, 4)),
        (picture(4, 8, 8, 2), "PNG", (8, 8, 2)),
        (GREY, "BMP", (8, 8, 1)),
        (COLOUR, "BMP", (8, 8, 3)),
    ],
)
def test_lossless_formats_keep_every_pixel(pixels, kind, expected):
    found, decoded = decode(encode(pixels, kind))
    assert (found, decoded.shape) == (kind.lower(), expected)
    np.testing.assert_array_equal(decoded, pixels.reshape(expected))


@pytest.mark.parametrize("pixels, channels", [(GREY, 1), (COLOUR, 3)])
def test_jpeg(pixels, channels):
    kind, decoded = decode(encode(pixels, "JPEG"))
    assert (kind, decoded.shape) == ("jpeg", (8, 8, channels))


def test_of_an_animation_the_first_frame():
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (10, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    kind, decoded = decode(buffer.getvalue())
    assert kind == "gif" and decoded.shape == (8, 8, 3) and (decoded == 10).all()


def palette_bmp() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(COLOUR).convert("P").save(buffer, "BMP")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty"),
        (b"hello", "not a PNG, JPEG, GIF or BMP"),
        (encode(COLOUR, "WEBP"), "WebP data"),
        (encode(COLOUR, "TIFF"), "TIFF data"),
        (encode(GREY)[:-20], "cut short PNG"),
        (encode(COLOUR, "JPEG")[:-20], "cut short JPEG"),
        (encode(COLOUR, "BMP")[:-20], "cut short BMP"),
        (encode(COLOUR, "GIF")[:-20], "cut short GIF"),
        (b"BM", "cut short BMP"),
        (palette_bmp(), "table of colours"),
        (encode(GREY > 100, "BMP"), "of a kind that is not read"),
    ],
)
def test_refused(data, reason):
    with pytest.raises(Refused, match=reason) as caught:
        decode(data)
    assert "{{" not in caught.value.reason  # TensorFlow's words stay inside


def test_hash_is_of_the_pixels_with_their_shape():
    pixels = picture(5, 4, 9, 1)
    assert hash_of(pixels) == hash_of(decode(encode_png(pixels))[1]) == hash_of(np.asfortranarray(pixels))
    assert hash_of(pixels) != hash_of(pixels.reshape(6, 6, 1))


def test_mean_and_standard_deviation():
    mean, std = mean_and_std(COLOUR)
    assert mean == pytest.approx(COLOUR.mean()) and std == pytest.approx(COLOUR.std())
    assert mean_and_std(np.full((3, 3, 1), 255, np.uint8)) == (255, 0)
