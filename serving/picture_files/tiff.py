"""Read TIFF files with more than 8 bits per level and any number of channels; Pillow reads them only in gray (TIFF 6.0)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from serving.picture_files import reasons
from serving.picture_files.base import Refused, check_size, damaged
from serving.picture_files.pillow import opened
from serving.picture_files.samples import Samples

_FORMATS = {1: "B", 2: "c", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _OFFSETS = 254, 256, 257, 258, 259, 262, 266, 273
_ORIENTATION, _CHANNELS, _STRIP_ROWS, _COUNTS, _PLANES, _PREDICTOR = 274, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _SAMPLE_FORMAT, _PROFILE = 322, 323, 324, 325, 338, 339, 34675
_WHOLE, _SIGNED, _FLOAT = 1, 2, 3  # values of _SAMPLE_FORMAT
_LOSSLESS = {1, 5, 8, 32946, 32773, 34925, 50000}  # none, LZW, Deflate (two codes), PackBits, LZMA, Zstandard
_MAX_PAGES = 1_000_000
_MAX_ENTRIES = 1024


class Tags:
    """The tags of a page: tuples of numbers by tag, read from the file in its byte order, `<` or `>`, on access.

    `places` has, for each tag, the type letter of its numbers, their count and their offset.
    """

    def __init__(self, data: bytes, order: str, places: dict[int, tuple[str, int, int]]):
        self._data, self._order, self._places = data, order, places

    def __contains__(self, tag: int) -> bool:
        return tag in self._places

    def __getitem__(self, tag: int) -> tuple:
        letter, count, at = self._places[tag]
        return struct.unpack_from(f"{self._order}{count}{letter}", self._data, at)

    def get(self, tag: int, default: tuple) -> tuple:
        """Return a tag's numbers, or the default if the page has no such tag or the tag is empty."""
        return (self[tag] if tag in self._places else ()) or default

    def profile(self) -> bytes | None:
        """Return the color profile."""
        if _PROFILE not in self._places:
            return None
        letter, count, at = self._places[_PROFILE]
        return self._data[at : at + count * struct.calcsize(letter)]


def directories(data: bytes) -> Iterator[Tags]:
    """Yield the tags of each page: a file's directories in order."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    count_format, next_format, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    at = struct.unpack_from(order + next_format, data, 8 if big else 4)[0]
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MAX_PAGES:
        seen.add(at)
        count = struct.unpack_from(order + count_format, data, at)[0]
        first = at + struct.calcsize(order + count_format)
        if count > _MAX_ENTRIES:
            raise damaged("tiff")
        yield Tags(data, order, dict(filter(None, (_entry(data, first + n * entry, order, big) for n in range(count)))))
        at = struct.unpack_from(order + next_format, data, first + count * entry)[0]


def _entry(data: bytes, at: int, order: str, big: bool) -> tuple[int, tuple[str, int, int]] | None:
    tag, kind, count = struct.unpack_from(f"{order}HH{'Q' if big else 'I'}", data, at)
    if kind not in _FORMATS:
        return None
    letter, inline = _FORMATS[kind], 8 if big else 4
    size, at = struct.calcsize(letter) * count, at + (12 if big else 8)
    if size > inline:
        at = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, at)[0]
    return (tag, (letter, count, at)) if at + size <= len(data) else None


def is_page(tags: Tags) -> bool:
    """Return whether a directory is a picture of its own: not a mask, and not a reduced-size copy of another."""
    return not tags.get(_SUBFILE, (0,))[0] & 5


def is_float(tags: Tags) -> bool:
    """Return whether the levels are floating-point numbers."""
    return tags.get(_SAMPLE_FORMAT, (_WHOLE,))[0] == _FLOAT


def bits_of(tags: Tags) -> int:
    """Return the bits per level."""
    return tags.get(_BITS, (1,))[0]


def is_deep(tags: Tags) -> bool:
    """Return whether `read_tiff` reads the levels and they have more than 8 bits."""
    bits = tags.get(_BITS, (1,))
    return bits[0] in (16, 32, 64) and len(set(bits)) == 1 and tags.get(_PHOTOMETRIC, (1,))[0] in (0, 1, 2)


def tiff_shape(tags: Tags) -> tuple[int, int, int]:
    """Return width, height and channels."""
    return tags[_WIDTH][0], tags[_HEIGHT][0], tags.get(_CHANNELS, (1,))[0]


def read_tiff(data: bytes, tags: Tags, max_megapixels: float) -> Samples:
    """Read a page's levels.

    Raises:
        Refused: The page is too large, damaged, or of an unsupported kind.
    """
    width, height, channels = tiff_shape(tags)
    check_size((width, height), max_megapixels)
    if tags.get(_COMPRESSION, (1,))[0] not in _LOSSLESS or tags.get(_FILL_ORDER, (1,))[0] != 1 or not 1 <= channels <= 5:
        raise Refused(reasons.TIFF_PACKED)
    planes = channels if tags.get(_PLANES, (1,))[0] == 2 and channels > 1 else 1
    parts = [_plane(data, tags, plane, planes, max_megapixels) for plane in range(planes)]
    values = parts[0] if planes == 1 else np.concatenate(parts, axis=2)
    values, white = _as_meant(values, tags)
    return Samples(values, white, tags.get(_ORIENTATION, (1,))[0], tags.profile())


def _as_meant(values: np.ndarray, tags: Tags) -> tuple[np.ndarray, int]:
    """Return levels where the highest is white and alpha, if any, is last and not premultiplied; and the white level."""
    colors = 3 if tags.get(_PHOTOMETRIC, (1,))[0] == 2 else 1
    kind = tags.get(_SAMPLE_FORMAT, (_WHOLE,))[0]
    bits = 8 * values.itemsize
    white = 0 if kind == _FLOAT else 2 ** (bits - (kind == _SIGNED)) - 1
    if tags.get(_PHOTOMETRIC, (1,))[0] == 0 and white:
        values = white - values
    extra = tags.get(_EXTRA, (0,))
    if values.shape[2] < colors or bits == 64 and white:
        raise Refused(reasons.TIFF_LEVELS)
    if values.shape[2] == colors or extra[0] not in (1, 2):
        return values[..., :colors], white
    values = values[..., : colors + 1].copy()
    if extra[0] == 1:  # premultiplied alpha
        alpha = values[..., colors:].astype(np.float64) / (white or 1)
        plain = np.divide(values[..., :colors], alpha, out=np.zeros(values[..., :colors].shape), where=alpha > 0)
        values[..., :colors] = np.clip(np.rint(plain), 0, white) if white else plain
    return values, white


def _plane(data: bytes, tags: Tags, plane: int, planes: int, max_megapixels: float) -> np.ndarray:
    """Return the levels of a plane [h, w, channels]; all channels if they are interleaved.

    Pillow unpacks the bytes: the file is presented to it as an 8-bit gray picture, whose bytes it returns unchanged.
    """
    width, height, channels = tiff_shape(tags)
    together = channels if planes == 1 else 1
    size = tags[_BITS][0] // 8
    tile = tags[_TILE_WIDTH][0] if _TILE_OFFSETS in tags else width
    across = -(-width // max(tile, 1))
    check_size((across * tile, height), 4 * max_megapixels)  # tiles may extend beyond the picture
    raw = _bytes(data, tags, plane, planes, together * size)
    blocks = raw.reshape(height, across, tile * together * size)
    order = "<" if data[:2] == b"II" else ">"
    kind = {_FLOAT: "f", _SIGNED: "i"}.get(tags.get(_SAMPLE_FORMAT, (_WHOLE,))[0], "u")
    values = _unpredicted(blocks, tags.get(_PREDICTOR, (1,))[0], together, size, order).view(f"{order}{kind}{size}")
    values = values.reshape(height, across * tile, together)[:, :width]
    return values.astype(values.dtype.newbyteorder("="))


def _unpredicted(blocks: np.ndarray, predictor: int, channels: int, size: int, order: str) -> np.ndarray:
    """Undo the predictor: differences of levels (TIFF 6.0, section 14), or of the bytes of floats (Technical Note 3)."""
    height, across, row = blocks.shape
    if predictor == 2:
        differences = blocks.view(f"{order}u{size}").astype(f"u{size}").reshape(height, across, -1, channels)
        return np.cumsum(differences, axis=2, dtype=differences.dtype).astype(f"{order}u{size}").reshape(height, across, -1)
    if predictor == 3:
        summed = np.cumsum(blocks.reshape(height, across, -1, channels), axis=2, dtype=np.uint8)
        planes = summed.reshape(height, across, size, row // size)  # the highest bytes of all floats come first
        planes = planes if order == ">" else planes[:, :, ::-1]
        return np.ascontiguousarray(planes.swapaxes(2, 3)).reshape(height, across, row)
    return np.ascontiguousarray(blocks)


def _bytes(data: bytes, tags: Tags, plane: int, planes: int, per_pixel: int) -> np.ndarray:
    """Return unpacked bytes, uint8 [height, total tile width x bytes per pixel]."""
    width, height, _ = tiff_shape(tags)
    tiled = _TILE_OFFSETS in tags
    names = (_TILE_OFFSETS, _TILE_COUNTS) if tiled else (_OFFSETS, _COUNTS)
    offsets, counts = (tags[name] for name in names)
    share = len(offsets) // planes
    place = slice(plane * share, (plane + 1) * share)
    tile = tags[_TILE_WIDTH][0] if tiled else width
    columns = -(-width // max(tile, 1)) * tile * per_pixel
    entries = {_WIDTH: (columns,), _HEIGHT: (height,), _BITS: (8,), _COMPRESSION: tags.get(_COMPRESSION, (1,))}
    entries |= {_PHOTOMETRIC: (1,), _CHANNELS: (1,), names[0]: offsets[place], names[1]: counts[place]}
    if tiled:
        entries |= {_TILE_WIDTH: (tile * per_pixel,), _TILE_HEIGHT: tags[_TILE_HEIGHT]}
    else:
        entries[_STRIP_ROWS] = (min(tags.get(_STRIP_ROWS, (height,))[0], height),)
    with opened(_described(data, entries), "tiff", (columns * height + 1) / 1e6) as image:
        return np.asarray(image)


def _described(data: bytes, entries: dict[int, tuple]) -> bytes:
    """Return the file with a new directory of 32-bit numbers at its end."""
    directory_at = len(data) + 2 + 12 * len(entries) + 4
    directory, values = struct.pack("<H", len(entries)), b""
    for tag, numbers in sorted(entries.items()):
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        inline = packed if len(numbers) == 1 else struct.pack("<I", directory_at + len(values))
        directory += struct.pack("<HHI", tag, 4, len(numbers)) + inline
        values += packed if len(numbers) != 1 else b""
    return b"".join((b"II*\0", struct.pack("<I", len(data)), data[8:], directory, bytes(4), values))
