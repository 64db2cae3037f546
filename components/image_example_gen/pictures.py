"""From a file's bytes to pixels, by the decoder of preprocessing and serving: what passes here passes there."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"BM": "bmp",
}
_OTHER_SIGNATURES = {b"RIFF": "WebP", b"II*\x00": "TIFF", b"MM\x00*": "TIFF", b"<svg": "SVG"}


class Refused(Exception):
    """A picture that cannot be used.

    Args:
        reason: Why, in a person's words and without particulars, so that equal reasons can be counted.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Picture:
    """A picture that was read.

    Attributes:
        path: Where it came from, relative to the folder.
        label: Its label; '' where there is none.
        split: The split of its folder or file, or None.
        encoded: The bytes of the picture file.
        format: Their format: png, jpeg, gif or bmp.
        pixels: uint8 of shape [height, width, channels], 0 to 255, with 1 (grey), 2 (grey, alpha), 3 (colour) or 4
            (colour, alpha) channels.
    """

    path: str
    label: str
    split: str | None
    encoded: bytes
    format: str
    pixels: np.ndarray


def decode(data: bytes) -> tuple[str, np.ndarray]:
    """Decodes a picture file; of an animation the first frame.

    Args:
        data: The bytes of the file.

    Returns:
        Its format and its pixels, as in `Picture`.

    Raises:
        Refused: It is no picture, or a damaged one.
    """
    kind = _format_of(data)
    if kind == "bmp":
        _check_bmp(data)
    try:
        pixels = tf.io.decode_image(data, channels=0, expand_animations=False).numpy()
    except tf.errors.OpError as error:
        raise Refused(f"damaged or cut short {kind.upper()} data") from error
    if not pixels.size:
        raise Refused(f"{kind.upper()} picture without pixels")
    return kind, pixels


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes pixels (uint8 of shape [height, width, channels]) as PNG; equal pixels give equal bytes."""
    return tf.io.encode_png(pixels).numpy()


def hash_of(pixels: np.ndarray) -> str:
    """SHA-256, in hexadecimal digits, of the pixels and their shape: one value whatever file format held them."""
    digest = hashlib.sha256(",".join(map(str, pixels.shape)).encode())
    digest.update(np.ascontiguousarray(pixels))
    return digest.hexdigest()


def mean_and_std(pixels: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation over all pixels and channels, 0 to 255.

    Sums of whole numbers below 2**53 are exact in float64, in any order: the result is the same on every machine.
    """
    values = pixels.reshape(-1).astype(np.float64)
    count, total, squares = values.size, int(values.sum()), int(values @ values)
    return total / count, (count * squares - total * total) ** 0.5 / count


def _format_of(data: bytes) -> str:
    if not data:
        raise Refused("the file is empty")
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    for signature, name in _OTHER_SIGNATURES.items():
        if data.startswith(signature):
            raise Refused(f"{name} data, which is not read: save it as PNG or JPEG")
    raise Refused("not a PNG, JPEG, GIF or BMP picture, whatever the name says")


def _check_bmp(data: bytes) -> None:
    """Refuses the BMPs that TensorFlow reads wrongly without a word, and those that it does not know.

    Pixels of a byte or less are indices into a table of colours; TensorFlow takes them for grey levels.
    """
    if len(data) < 54:
        return
    pixels_at, header_size = struct.unpack_from("<II", data, 10)
    bits, compression = struct.unpack_from("<HI", data, 28)
    if header_size < 40 or bits not in (8, 24, 32) or compression not in (0, 3):
        raise Refused("a BMP of a kind that is not read: save it as PNG")
    if bits == 8:
        table = np.frombuffer(data[14 + header_size : pixels_at], np.uint8)
        table = table[: table.size // 4 * 4].reshape(-1, 4)[:, :3]
        if not (table == np.arange(len(table))[:, None]).all():
            raise Refused("a BMP with a table of colours, which is not read: save it as PNG")
