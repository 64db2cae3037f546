"""Decoding, hashes, statistics, and pictures written as BMP."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.image_example_gen.writing.pictures import (
    digest_of,
    encode_bmps,
    encode_png,
    exposure,
    mean_and_std,
    means_and_stds,
    read_picture,
)
from serving.picture_files import PictureOptions, Refused
from tests.components.image_example_gen.ingestion import encode, picture

GREY, COLOUR, ALPHA = picture(1), picture(2, 8, 8, 3), picture(3, 8, 8, 4)


def decode(data):
    return read_picture(data, PictureOptions())


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
    data = encode(pixels, kind)
    file, decoded = decode(data)
    assert (file.data, file.format, file.reencoded_from, decoded.shape) == (data, kind.lower(), "", expected)
    np.testing.assert_array_equal(decoded, pixels.reshape(expected))


@pytest.mark.parametrize("pixels, channels", [(GREY, 1), (COLOUR, 3)])
def test_jpeg(pixels, channels):
    file, decoded = decode(encode(pixels, "JPEG"))
    assert (file.format, decoded.shape) == ("jpeg", (8, 8, channels))


@pytest.mark.parametrize(
    "data, reason",
    [
        (encode(GREY)[:-20], "cut short PNG"),
        (encode(COLOUR, "JPEG")[:-20], "cut short JPEG"),
        (encode(COLOUR, "BMP")[:-20], "cut short BMP"),
        (encode(COLOUR, "GIF")[:-20], "cut short GIF"),
        (encode(COLOUR, "TIFF")[:-20], "cut short TIFF"),
        (encode(COLOUR, "WEBP", lossless=True)[:-20], "cut short WebP"),
        (b"BM", "cut short BMP"),
    ],
)
def test_refused(data, reason):
    with pytest.raises(Refused, match=reason) as caught:
        decode(data)
    assert "{{" not in caught.value.reason  # TensorFlow's words stay inside


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("height, width", [(1, 1), (3, 5), (8, 8), (2, 7)])
def test_pixels_as_bmp_are_decoded_as_they_were(height, width, channels):
    pixels = picture(7, 3, height, width, channels)
    for data, expected in zip(encode_bmps(pixels), pixels, strict=True):
        np.testing.assert_array_equal(tf.io.decode_image(data, channels=0, expand_animations=False), expected)


def test_hash_is_of_the_pixels_with_their_shape():
    pixels = picture(5, 4, 9, 1)
    assert digest_of(pixels) == digest_of(decode(encode_png(pixels))[1]) == digest_of(np.asfortranarray(pixels))
    assert digest_of(pixels) != digest_of(pixels.reshape(6, 6, 1))
    assert len(digest_of(pixels)) == 32


def test_mean_and_standard_deviation():
    large = picture(6, 300, 200, 3)  # more than is summed at once
    for pixels in (COLOUR, large):
        mean, std = mean_and_std(pixels)
        assert mean == pytest.approx(pixels.mean()) and std == pytest.approx(pixels.std())
    assert mean_and_std(np.full((3, 3, 1), 255, np.uint8)) == (255, 0)
    assert means_and_stds(np.stack([COLOUR, COLOUR // 2])) == [mean_and_std(COLOUR), mean_and_std(COLOUR // 2)]


@pytest.mark.parametrize(
    "pixels, expected",
    [
        (np.zeros((28, 28, 1), np.uint8), "near-black"),
        (np.full((28, 28, 1), 255, np.uint8), "near-white"),
        (np.full((28, 28, 3), 90, np.uint8), "near-constant"),
        (picture(1, 28, 28, 1), "usual"),
        (np.pad(np.full((2, 2, 1), 255, np.uint8), ((13, 13), (13, 13), (0, 0))), "usual"),  # four bright pixels are a drawing
    ],
)
def test_exposure(pixels, expected):
    assert exposure(*mean_and_std(pixels)) == expected
