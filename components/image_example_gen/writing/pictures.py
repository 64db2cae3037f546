"""Decode a file's bytes to pixels with the decoder of preprocessing and serving: files accepted here are accepted there."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from serving.picture_files import PictureFile, PictureOptions, Refused, damaged, read_picture_file

# Levels from 0 to 255. A sparse drawing on black is not a black picture: its few strokes make the deviation large.
NEAR_BLACK, NEAR_WHITE, HARDLY_VARIES, NEAR_CONSTANT = 5.0, 250.0, 10.0, 3.0
EXPOSURES = ("usual", "near-black", "near-white", "near-constant")
ALIKE, SMALL = 64, 128 * 128  # number of pictures decoded at once, and maximum pixels of each
_CHUNK = 1 << 13  # values summed at once: they stay in the processor's cache, and one thread sums them
_ROW, _CHUNK_OF_ROWS = 256, 1 << 17  # 256 * 255**2 is below 2**24


def decode(file: PictureFile, depth: int = 8) -> np.ndarray:
    """Decode a picture file from `read_picture_file` to levels of `depth` bits, 8 or 16. Raise Refused if it is damaged.

    Returns:
        uint8 or uint16 of shape [height, width, channels], 0 to 255 or 65535, with 1 (gray), 2 (gray, alpha), 3 (color) or 4
        (color, alpha) channels. It may be read-only.
    """
    try:
        # Call the operation directly: for a small picture, the wrapper `tf.io.decode_image` doubles the time.
        deep = depth == 16 and file.format == "png"  # for other formats TensorFlow would leave white below 65535
        kind = tf.uint16 if deep else tf.uint8
        tensor = tf.raw_ops.DecodeImage(contents=file.data, channels=0, dtype=kind, expand_animations=False)
        pixels = np.asarray(memoryview(tensor))  # `.numpy()` would copy it: a tenth of a photograph's time
    except tf.errors.OpError as error:
        raise damaged(file.format) from error
    if pixels.ndim != 3 or not pixels.size:
        raise damaged(file.format)
    return pixels if depth == 8 or deep else in_16_bits(pixels)


def in_16_bits(pixels: np.ndarray) -> np.ndarray:
    """Convert uint8 levels to uint16: white, 255, becomes 65535."""
    return pixels.astype(np.uint16) * 257


def decode_alike(files: Sequence[PictureFile], depth: int = 8) -> np.ndarray | None:
    """Decode `ALIKE` small pictures, from `read_picture_file`, at once and in a third of the time of `decode`.

    Returns:
        As `decode`, of shape [ALIKE, height, width, channels]; None unless all are small, valid and of one size, or if they may
        have 16 bits.
    """
    if not all(0 < file.area <= SMALL and (depth == 8 or file.format != "png") for file in files):
        return None
    try:
        pixels = _decode_many(tf.constant([file.data for file in files])).numpy()
        return pixels if depth == 8 else in_16_bits(pixels)
    except tf.errors.OpError:
        return None


@tf.function(input_signature=[tf.TensorSpec([ALIKE], tf.string)], autograph=False)
def _decode_many(encoded: tf.Tensor) -> tf.Tensor:
    options = {"channels": 0, "dtype": tf.uint8, "expand_animations": False}
    return tf.stack([tf.raw_ops.DecodeImage(contents=data, **options) for data in tf.unstack(encoded)])


def read_picture(data: bytes, options: PictureOptions) -> tuple[PictureFile, np.ndarray]:
    """Convert a picture file to a form that TensorFlow reads, and decode it to levels of `options.depth` bits.

    Raise Refused if the file is not a picture, damaged, or too large.
    """
    file = read_picture_file(data, options)
    try:
        return file, decode(file, options.depth)
    except Refused:
        # TensorFlow does not read compressed BMPs and some GIFs; it reads all valid PNG and JPEG files.
        if file.reencoded_from or file.format not in ("gif", "bmp"):
            raise
    file = read_picture_file(data, options, anew=True)
    return file, decode(file, options.depth)


def encode_bmps(pixels: np.ndarray) -> list[bytes]:
    """Encode pictures, uint8 of shape [n, height, width, 1, 3 or 4], as uncompressed BMPs: without loss and at almost no cost.

    One channel is written without the table of 256 grays that some readers expect: TensorFlow uses such levels unchanged.
    """
    count, height, width, channels = pixels.shape
    row = (width * channels + 3) // 4 * 4
    # The negative height means that the first row comes first.
    file_header = struct.pack("<2sIHHI", b"BM", 54 + row * height, 0, 0, 54)
    picture_header = struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 8 * channels, 0, row * height, 0, 0, 0, 0)
    if channels >= 3:
        pixels = pixels[..., [2, 1, 0, 3][:channels]]  # blue comes first
    whole = np.zeros((count, 54 + row * height), np.uint8)
    whole[:, :54] = np.frombuffer(file_header + picture_header, np.uint8)
    whole[:, 54:].reshape(count, height, row)[:, :, : width * channels] = pixels.reshape(count, height, width * channels)
    data, size = whole.tobytes(), whole.shape[1]
    return [data[at : at + size] for at in range(0, len(data), size)]


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode pixels (uint8 or uint16 of shape [height, width, channels]) as PNG; equal pixels give equal bytes."""
    return tf.io.encode_png(pixels).numpy()


def digest_of(pixels: np.ndarray) -> bytes:
    """Return the SHA-256 of the pixels and their shape, which does not depend on the file format."""
    digest = hashlib.sha256(b"%d,%d,%d" % pixels.shape)
    digest.update(pixels if pixels.flags.c_contiguous else np.ascontiguousarray(pixels))
    return digest.digest()


def mean_and_std(pixels: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation, 0 to 255, over all pixels and channels of uint8 or uint16.

    Sums of integers below 2**53 are exact in float64, in any order: the result is the same on every machine. So are sums of `_ROW`
    squares of 8 bits in float32, which takes half the time.
    """
    values = pixels.reshape(-1)
    whole = values.size // _ROW * _ROW if values.itemsize == 1 else 0
    total = squares = 0
    for start in range(0, whole, _CHUNK_OF_ROWS):
        rows = values[start : min(start + _CHUNK_OF_ROWS, whole)].reshape(-1, _ROW).astype(np.float32)
        total += int(np.einsum("ij->i", rows).sum(dtype=np.float64))
        squares += int(np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64))
    for start in range(whole, values.size, _CHUNK):
        chunk = values[start : start + _CHUNK].astype(np.float64)
        total += int(chunk.sum())
        squares += int(chunk @ chunk)
    return _moments(values.size, total, squares, values.itemsize)


def means_and_stds(pixels: np.ndarray) -> list[tuple[float, float]]:
    """Return `mean_and_std` of each of many pictures, of shape [n, ...], at once."""
    if pixels.itemsize > 1:  # sums of their squares could be above 2**53
        return [mean_and_std(one) for one in pixels]
    values = pixels.reshape(len(pixels), -1).astype(np.float64)
    totals, squares = values.sum(axis=1), np.einsum("ij,ij->i", values, values)
    return [_moments(values.shape[1], int(total), int(square)) for total, square in zip(totals, squares, strict=True)]


def exposure(mean: float, std: float) -> str:
    """Return one of `EXPOSURES`, by a picture's mean and standard deviation."""
    if std < HARDLY_VARIES and mean < NEAR_BLACK:
        return "near-black"
    if std < HARDLY_VARIES and mean > NEAR_WHITE:
        return "near-white"
    return "near-constant" if std < NEAR_CONSTANT else "usual"


def is_dim(pixels: np.ndarray, mean: float) -> bool:
    """Return whether all levels are 0 or 1, of 255: a mask, whose white level `data.levels` can define."""
    return 0 < mean < 1 and pixels.itemsize == 1 and int(pixels.max()) == 1


def _moments(count: int, total: int, squares: int, size: int = 1) -> tuple[float, float]:
    top = 1 if size == 1 else 257  # ratio of 16-bit levels to 8-bit levels
    return total / count / top, (count * squares - total * total) ** 0.5 / count / top
