"""The pixel graph: colours and transparency, geometry, filters, and the same in TensorFlow Transform's graph."""

from __future__ import annotations

import dataclasses
import io
import resource

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from common.features import ENCODED
from tests.trainer.tiny import PREPROCESSING, encode, noise, transform_graph
from trainer.config import PreprocessingConfig
from trainer.data import pixel_graph
from trainer.preprocessing import LUMA, PIXELS, decode_levels, preprocessing_fn, scale, to_levels

FILTERS = ["lanczos3", "area", "bilinear"]
FITS = ["crop", "pad", "stretch"]


def bring(picture: np.ndarray | bytes, height: int = 8, width: int = 8, channels: int = 3, **config: object) -> np.ndarray:
    """A picture brought to a size, uint8 [height, width, channels]."""
    encoded = picture if isinstance(picture, bytes) else encode(picture)
    return decode_levels(tf.constant(encoded), PreprocessingConfig(height, width, channels, **config)).numpy()


def laid(picture: np.ndarray, background: tuple[int, int, int], channels: int) -> np.ndarray:
    """A picture of 1 to 4 channels laid on a background, by NumPy: float64 [h, w, channels]."""
    picture = picture.astype(float)
    alpha = picture[..., -1:] / 255 if picture.shape[2] in (2, 4) else 1.0
    rgb = picture[..., :3] if picture.shape[2] > 2 else picture[..., :1].repeat(3, axis=2)
    rgb = rgb * alpha + np.array(background) * (1 - alpha)
    return rgb if channels == 3 else (rgb @ LUMA)[..., None]


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 90)], ids=["white", "black", "green"])
@pytest.mark.parametrize("wanted", [1, 3])
@pytest.mark.parametrize("given", [1, 2, 3, 4])
def test_channels_and_transparency(given: int, wanted: int, background: tuple[int, int, int]) -> None:
    picture = noise(given, 8, 8, given)
    found = bring(picture, channels=wanted, background=background)
    rounded = 2 if given in (2, 4) and wanted == 1 else 1  # times: laid on the background, and weighted
    assert np.abs(found - laid(picture, background, wanted)).max() <= 0.501 * rounded


def test_grey_is_pillows() -> None:
    picture = noise(0, 8, 8, 3)
    reference = np.array(Image.fromarray(picture).convert("L")).astype(int)
    assert np.abs(bring(picture, channels=1)[..., 0] - reference).max() <= 1


def test_what_is_transparent_shows_the_background_whatever_colour_hides_there() -> None:
    picture = noise(0, 8, 8, 4)
    picture[..., 3] = 0
    assert (bring(picture, background=(10, 200, 90)) == (10, 200, 90)).all()


def test_palettes_are_looked_up() -> None:
    palette = Image.fromarray(noise(0, 8, 8, 3)).quantize(5)
    found = bring(save(palette, "PNG"))
    np.testing.assert_array_equal(found, palette.convert("RGB"))
    index = palette.getpixel((0, 0))
    through = bring(save(palette, "PNG", transparency=index), background=(1, 2, 3))
    hidden = np.array(palette) == index
    assert (through[hidden] == (1, 2, 3)).all()
    np.testing.assert_array_equal(through[~hidden], found[~hidden])


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_black_and_white_and_deep_png() -> None:
    grey = noise(0, 8, 8)
    bits = Image.fromarray(grey).convert("1")
    np.testing.assert_array_equal(bring(save(bits, "PNG"), channels=1)[..., 0], np.array(bits) * 255)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    np.testing.assert_array_equal(bring(save(deep, "PNG"), channels=1)[..., 0], grey)


def test_jpeg() -> None:
    rows, columns = np.mgrid[:16, :16]
    smooth = np.stack([rows * 16, columns * 16, 255 - rows * 8 - columns * 8], axis=2).astype(np.uint8)
    found = bring(encode(smooth, "JPEG", quality=95), 16, 16)
    assert np.abs(found - smooth.astype(int)).mean() < 3
    grey = bring(encode(smooth[..., 0], "JPEG", quality=95), 16, 16, 1)
    assert np.abs(grey[..., 0] - smooth[..., 0].astype(int)).mean() < 3


def test_of_a_gif_the_first_frame() -> None:
    first, second = (Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (40, 200))
    assert (bring(save(first, "GIF", save_all=True, append_images=[second])) == 40).all()


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resize", FILTERS)
@pytest.mark.parametrize("fit", FITS)
def test_pictures_of_the_right_size_pass_bit_for_bit(kind: str, channels: int, resize: str, fit: str) -> None:
    picture = noise(1, 5, 9, channels)
    found = bring(encode(picture, kind), 5, 9, channels, resize=resize, fit=fit, background=(3, 5, 7))
    np.testing.assert_array_equal(found, picture)


def thirds(height: int, width: int) -> np.ndarray:
    """A picture in thirds of its longer side: red, green, blue."""
    picture = np.zeros((height, width, 3), np.uint8)
    along = picture if height > width else picture.swapaxes(0, 1)
    for third, part in enumerate(np.array_split(along, 3)):
        part[..., third] = 240
    return picture


@pytest.mark.parametrize("resize", FILTERS)
@pytest.mark.parametrize("upright", [False, True])
def test_crop_keeps_the_middle(resize: str, upright: bool) -> None:
    found = bring(thirds(48, 16) if upright else thirds(16, 48), resize=resize, fit="crop")
    np.testing.assert_allclose(found, np.broadcast_to([0, 240, 0], (8, 8, 3)), atol=1)


@pytest.mark.parametrize("resize", FILTERS)
@pytest.mark.parametrize("upright", [False, True])
def test_stretch_keeps_all(resize: str, upright: bool) -> None:
    found = bring(thirds(48, 16) if upright else thirds(16, 48), 9, 9, resize=resize, fit="stretch")
    found = found if upright else found.swapaxes(0, 1)
    for third, row in enumerate((1, 4, 7)):
        np.testing.assert_allclose(found[row], np.broadcast_to(240 * np.eye(3)[third], (9, 3)), atol=25)  # it rings


@pytest.mark.parametrize("resize", FILTERS)
@pytest.mark.parametrize("upright", [False, True])
def test_pad_keeps_all_between_bars_of_background(resize: str, upright: bool) -> None:
    background = (10, 20, 90)
    picture = thirds(48, 16) if upright else thirds(16, 48)
    found = bring(picture, 9, 9, resize=resize, fit="pad", background=background)
    found = found if upright else found.swapaxes(0, 1)
    bars = np.concatenate([found[:, :3], found[:, 6:]], axis=1)
    assert (bars == background).all(), "the bars are the background and no mixture"
    for third, row in enumerate((1, 4, 7)):
        np.testing.assert_allclose(found[row, 3:6], np.broadcast_to(240 * np.eye(3)[third], (3, 3)), atol=25)


def test_pad_of_a_grey_picture_has_grey_bars() -> None:
    found = bring(np.full((4, 8, 3), 77, np.uint8), channels=1, fit="pad", background=(10, 200, 90))
    assert set(found[:2].ravel()) == set(found[6:].ravel()) == {round(float(np.dot(LUMA, (10, 200, 90))))}
    assert (found[2:6] == 77).all()


def test_pad_leaves_a_picture_alone_that_needs_no_scaling() -> None:
    picture = noise(0, 8, 6, 3)
    np.testing.assert_array_equal(bring(picture, fit="pad")[:, 1:7], picture)


@pytest.mark.parametrize("size", [(7, 30), (30, 7), (13, 13), (16, 12), (31, 8), (8, 31)], ids=str)
@pytest.mark.parametrize("target", [(8, 8), (6, 10), (10, 6)], ids=str)
def test_proportions_are_kept(size: tuple[int, int], target: tuple[int, int]) -> None:
    """A round spot in the middle stays in the middle, as high as wide, by crop as by pad."""
    rows, columns = np.mgrid[: size[0], : size[1]] - (np.array(size)[:, None, None] - 1) / 2
    radius = min(size) / 4
    spot = (255 * np.exp(-(rows**2 + columns**2) / (2 * radius**2))).astype(np.uint8)
    factors = {fit: select(target[0] / size[0], target[1] / size[1]) for fit, select in (("crop", max), ("pad", min))}
    for fit, factor in factors.items():
        height, width = 4 * target[0], 4 * target[1]  # finer than the picture, so that the spot can be measured
        found = bring(spot, height, width, 1, fit=fit, background=(0, 0, 0))[..., 0] / 255.0
        middle_row, middle_column = found[height // 2], found[:, width // 2]
        expected = 4 * factor * radius * 1.1774 * 2  # the width at half of the height
        for line in (middle_row, middle_column):
            if len(line) > 1.5 * expected:
                assert (line > 0.5).sum() == pytest.approx(expected, abs=max(2.5, 0.2 * expected))
                assert np.flatnonzero(line > 0.5).mean() == pytest.approx((len(line) - 1) / 2, abs=4 * factor)


@pytest.mark.parametrize("resize", FILTERS)
@pytest.mark.parametrize("size", [32, 64, 40])
def test_shrinking_is_antialiased(resize: str, size: int) -> None:
    board = (255 * (np.indices((size, size)).sum(axis=0) % 2)).astype(np.uint8)
    inner = bring(board, channels=1, resize=resize)[1:-1, 1:-1].astype(int)  # at edges a filter sees half its pixels
    assert np.abs(inner - 127.5).max() <= (10 if resize == "area" and size == 40 else 3)


def test_area_keeps_the_mean() -> None:
    picture = noise(0, 64, 48, 3)
    found = bring(picture, 8, 6, resize="area")
    np.testing.assert_allclose(found.mean(axis=(0, 1)), picture.mean(axis=(0, 1)), atol=0.5)
    blocks = picture.reshape(8, 8, 6, 8, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found, blocks, atol=0.51)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (13, 29)])
def test_lanczos_is_pillows(height: int, width: int) -> None:
    rows, columns = np.mgrid[:80, :100]
    waves = 127 + 60 * np.sin(rows / 9) + 60 * np.cos(columns / 13 + rows / 30)
    picture = np.stack([waves, waves[::-1], waves[:, ::-1]], axis=2).astype(np.uint8)
    found = bring(picture, height, width, fit="stretch").astype(int)
    reference = np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(found - reference).mean() < 2
    assert np.abs(found - reference)[2:-2, 2:-2].max() <= 2


@pytest.mark.parametrize("resize", FILTERS)
def test_enlarging_is_bilinear_whatever_the_filter(resize: str) -> None:
    picture = noise(0, 5, 4, 3)
    found = bring(picture, 15, 12, resize=resize).astype(int)
    reference = np.array(Image.fromarray(picture).resize((12, 15), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(found - reference).max() <= 1


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_single_pixel_becomes_a_flat_picture(channels: int, fit: str) -> None:
    found = bring(np.full((1, 1, channels), 255, np.uint8) // 2 * 2 + 1, fit=fit)
    assert (found == 255).all()


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (2, 333)], ids=str)
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("resize", FILTERS)
def test_extreme_proportions(size: tuple[int, int], fit: str, resize: str) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    long = picture if size[0] > size[1] else picture.swapaxes(0, 1)
    long[len(long) // 2 :] = 200
    found = bring(picture, 8, 8, fit=fit, resize=resize)
    found = (found if size[0] > size[1] else found.swapaxes(0, 1)).astype(int)
    if fit == "stretch":
        assert (found[:3] < 20).all() and (found[5:] > 180).all()
    elif fit == "pad":
        shown = found[:, 3:5]
        assert (np.delete(found, [3, 4], axis=1) == 255).all() and (shown == 255).all(axis=(0, 2)).sum() == 1
        bar = shown[:, np.flatnonzero((shown != 255).any(axis=(0, 2)))[0]]
        assert (bar[:3] < 20).all() and (bar[5:] > 180).all()
    else:  # the middle, where the level changes
        assert found.min() >= 0 and found.max() <= 200


def test_a_thread_of_a_picture_takes_no_gigabytes() -> None:
    encoded = encode(noise(0, 16_000, 1, 3))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for fit in FITS:
        bring(encoded, fit=fit)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB; padded as it is, it took 8 GB


@pytest.mark.parametrize("channels", [1, 3])
def test_values_are_multiples_of_a_level(channels: int) -> None:
    config = dataclasses.asdict(PreprocessingConfig(8, 8, channels))
    encoded = [encode(noise(seed, 20 + seed, 17, 3)) for seed in range(4)]
    pixels = preprocessing_fn({ENCODED: tf.constant(encoded)[:, None]}, {"preprocessing": config})[PIXELS].numpy()
    assert pixels.dtype == np.float32 and pixels.shape == (4, 8, 8, channels)
    assert pixels.min() >= 0 and pixels.max() <= 1
    np.testing.assert_array_equal((np.round(pixels * 255) / np.float32(255)).astype(np.float32), pixels)


def test_levels_come_back_from_pixels() -> None:
    levels = tf.constant(np.arange(256, dtype=np.uint8))
    np.testing.assert_array_equal(to_levels(scale(levels)), levels)
    assert to_levels(tf.constant([-0.2, 1.3, 0.5001 / 255, 0.4999 / 255])).numpy().tolist() == [0, 255, 1, 0]


MIXED = [
    encode(noise(0, 8, 8)),
    encode(noise(1, 20, 31, 4)),
    encode(noise(2, 3, 5, 3), "BMP"),
    encode(noise(3, 40, 9, 3), "JPEG"),
    encode(noise(4, 9, 9, 3), "GIF"),
    encode(noise(5, 1, 1, 2)),
]


def test_transforms_graph_gives_the_same_one_by_one_and_batched(graph: tft.TFTransformOutput) -> None:
    pixels = pixel_graph(graph)
    direct = [bring(encoded, channels=1) for encoded in MIXED]
    batched = to_levels(pixels(tf.constant(MIXED))).numpy()
    np.testing.assert_array_equal(batched, direct)
    alone = [to_levels(pixels(tf.constant([encoded]))).numpy()[0] for encoded in MIXED]
    np.testing.assert_array_equal(alone, direct)
    np.testing.assert_array_equal(to_levels(pixels(tf.constant(MIXED[::-1]))).numpy()[::-1], direct)
    assert pixels(tf.constant([], tf.string)).shape == (0, 8, 8, 1)


def test_transforms_graph_of_another_configuration(tmp_path) -> None:
    config = PreprocessingConfig(6, 10, 3, resize="area", fit="pad", background=(9, 8, 7))
    batched = to_levels(pixel_graph(transform_graph(tmp_path, config))(tf.constant(MIXED))).numpy()
    direct = [bring(encoded, 6, 10, 3, resize="area", fit="pad", background=(9, 8, 7)) for encoded in MIXED]
    np.testing.assert_array_equal(batched, direct)


@pytest.mark.parametrize("content", [b"", b"no picture", encode(noise(0, 8, 8))[:-30]], ids=["empty", "text", "cut"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_levels(tf.constant(content), PREPROCESSING)


def deep(seed: int, channels: int, height: int = 8, width: int = 8) -> np.ndarray:
    """A picture of noise of 16 bits."""
    return np.random.default_rng(seed).integers(0, 65536, (height, width, channels), np.uint16)


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 90)], ids=["white", "black", "green"])
@pytest.mark.parametrize("wanted", [1, 3])
@pytest.mark.parametrize("given", [1, 2, 3, 4])
def test_16_bits_are_kept_to_the_last(given: int, wanted: int, background: tuple[int, int, int]) -> None:
    picture = deep(given, given)
    found = bring(tf.io.encode_png(picture).numpy(), channels=wanted, background=background, depth=16)
    values = picture.astype(float)
    alpha = values[..., -1:] / 65535 if given in (2, 4) else 1.0
    rgb = values[..., :3] if given > 2 else values[..., :1].repeat(3, axis=2)
    rgb = rgb * alpha + 257 * np.array(background) * (1 - alpha)
    exact = rgb if wanted == 3 else (rgb @ LUMA)[..., None]
    assert found.dtype == np.uint16 and np.abs(found - exact).max() <= 0.51 * (2 if given in (2, 4) and wanted == 1 else 1)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG", "GIF"])
def test_8_bits_among_16_are_times_257(kind: str) -> None:
    encoded = encode(noise(1, 8, 8, 3), kind)
    np.testing.assert_array_equal(bring(encoded, depth=16), bring(encoded).astype(np.uint16) * 257)


@pytest.mark.parametrize("fit", FITS)
def test_resizing_in_16_bits_is_that_in_8_and_finer(fit: str) -> None:
    picture = noise(0, 20, 31, 4)
    fine = bring(tf.io.encode_png(picture.astype(np.uint16) * 257).numpy(), depth=16, fit=fit)
    assert np.abs(fine / 257 - bring(picture, fit=fit)).max() <= 1.01


def test_values_are_multiples_of_a_16_bit_level() -> None:
    config = dataclasses.asdict(PreprocessingConfig(8, 8, 3, depth=16))
    encoded = [tf.io.encode_png(deep(seed, 3, 20 + seed, 17)).numpy() for seed in range(3)] + [encode(noise(0, 9, 9, 3), "JPEG")]
    pixels = preprocessing_fn({ENCODED: tf.constant(encoded)[:, None]}, {"preprocessing": config})[PIXELS].numpy()
    assert pixels.dtype == np.float32 and pixels.min() >= 0 and pixels.max() <= 1
    levels = to_levels(pixels, 16)
    assert levels.dtype == tf.uint16 and len(np.unique(levels)) > 256
    np.testing.assert_array_equal(scale(levels), pixels)


def test_16_bit_levels_come_back_from_pixels() -> None:
    levels = tf.cast(tf.range(65536), tf.uint16)
    np.testing.assert_array_equal(to_levels(scale(levels), 16), levels)


def test_transforms_graph_in_16_bits(tmp_path) -> None:
    config = PreprocessingConfig(6, 10, 3, fit="pad", background=(9, 8, 7), depth=16)
    pictures = [*MIXED, *(tf.io.encode_png(deep(seed, 1 + seed, 9, 7)).numpy() for seed in range(4))]
    batched = to_levels(pixel_graph(transform_graph(tmp_path, config))(tf.constant(pictures)), 16).numpy()
    direct = [bring(encoded, 6, 10, 3, fit="pad", background=(9, 8, 7), depth=16) for encoded in pictures]
    np.testing.assert_array_equal(batched, direct)
