"""Pages and frames: all of them where that is asked for, in their order, one at a time, a damaged one by itself."""

from __future__ import annotations

import io
import itertools
import resource
import struct

import numpy as np
import pytest
from PIL import Image

from serving.picture_files import PictureFile, PictureOptions, Refused, all_pictures, read_picture_file
from tests.serving.picture_files.made import saved, tiff

LEVELS = (10, 100, 200)
FRAMES = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in LEVELS]
ANIMATED = {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}, "AVIF": {"quality": 100}}


def several(kind: str, frames: list[Image.Image] = FRAMES, **options: object) -> bytes:
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)


def pixels(part: PictureFile | Refused) -> np.ndarray:
    assert isinstance(part, PictureFile), part.reason
    with Image.open(io.BytesIO(part.data)) as image:
        return np.asarray(image)


def parts(data: bytes, pages: bool = True, frames: bool = True, **options: object) -> list[PictureFile | Refused] | None:
    found = all_pictures(data, PictureOptions(**options), pages, frames)
    return None if found is None else list(found)


@pytest.mark.parametrize("kind", [*ANIMATED, "TIFF"])
def test_all_in_their_order(kind):
    data = several(kind, **ANIMATED.get(kind, {}))
    found = parts(data)
    assert [int(pixels(part)[0, 0, 0]) for part in found] == list(LEVELS)
    assert {(part.format, part.reencoded_from) for part in found} == {("png", kind.lower())}
    assert read_picture_file(data).notes == (("pages",) if kind == "TIFF" else ("frames",))
    assert parts(data, pages=kind != "TIFF", frames=kind == "TIFF") is None  # the other of the two is asked for


@pytest.mark.parametrize("kind", [*ANIMATED, "TIFF", "JPEG", "BMP"])
def test_a_file_of_one_picture_has_no_parts(kind):
    data = saved(FRAMES[0], kind)
    assert parts(data) is None and read_picture_file(data).notes == ()


def test_what_is_no_picture_has_no_parts():
    assert parts(b"") is None and parts(b"GIF89a") is None and parts(b"II*\0\xff\xff\xff\xff") is None


def test_frames_are_as_a_viewer_shows_them():
    """The second frame draws one pixel upon the first."""
    first = np.full((8, 8, 3), 10, np.uint8)
    second = first.copy()
    second[2, 3] = (200, 0, 0)
    for kind, options in ANIMATED.items():
        if kind != "AVIF":
            found = parts(several(kind, [Image.fromarray(first), Image.fromarray(second)], **options))
            np.testing.assert_array_equal(pixels(found[1]), second)


def test_a_png_for_those_who_know_no_animation_is_no_frame():
    found = parts(several("PNG", default_image=True))
    assert [int(pixels(part)[0, 0, 0]) for part in found] == list(LEVELS[1:])


def test_transparent_frames_keep_alpha():
    frames = [
        Image.fromarray(np.dstack([np.full((8, 8, 3), 90, np.uint8), np.full((8, 8), alpha, np.uint8)])) for alpha in (0, 255)
    ]
    assert [pixels(part).shape[2] for part in parts(several("WEBP", frames, lossless=True, exact=True))] == [4, 3]


def test_a_damaged_page_is_refused_by_itself():
    pages = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in LEVELS]
    data = several("TIFF", pages, compression="tiff_lzw")
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        at = image.tag_v2[273][0]
    found = parts(data[:at] + b"\xff" * 8 + data[at + 8 :])
    assert [getattr(part, "reason", "") for part in found] == ["", "damaged or cut short TIFF data", ""]


def test_a_cut_animation_ends_with_a_refusal():
    data = several("GIF")
    found = parts(data[:-20])
    assert [getattr(part, "reason", "") for part in found] == ["", "", "damaged or cut short GIF data"]


def test_a_file_that_is_cut_between_pages():
    data = several("TIFF")
    found = parts(data[:-60])
    assert isinstance(found[-1], Refused) and isinstance(found[0], PictureFile)


def chained(*files: bytes) -> bytes:
    """One-page TIFFs as the pages of one; their offsets are moved."""
    whole, links = bytearray(b"II*\0" + bytes(4)), [4]
    for data in files:
        base, at = len(whole), struct.unpack_from("<I", data, 4)[0]
        moved, count = bytearray(data), struct.unpack_from("<H", data, at)[0]
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, _, numbers = struct.unpack_from("<HHI", data, entry)
            place = struct.unpack_from("<I", data, entry + 8)[0]
            if numbers > 1 or tag in (273, 324):
                struct.pack_into("<I", moved, entry + 8, place + base)
            if tag in (273, 324) and numbers > 1:
                old = struct.unpack_from(f"<{numbers}I", data, place)
                struct.pack_into(f"<{numbers}I", moved, place, *(offset + base for offset in old))
        struct.pack_into("<I", whole, links[-1], at + base)
        whole += moved
        links.append(base + at + 2 + 12 * count)
    return bytes(whole)


def test_deep_pages_of_all_kinds_together():
    rng = np.random.default_rng(0)
    floats, words = rng.random((6, 5, 3)).astype(np.float32), rng.integers(0, 65536, (4, 7, 3), np.uint16)
    small = rng.integers(0, 256, (3, 3, 3), np.uint8)
    data = chained(tiff(words), tiff(floats, sample_format=3), tiff(small), tiff(words, more={254: [1]}))
    found = parts(data, depth=16, range=(0.0, 1.0))
    assert len(found) == 3  # the last is a smaller copy of another page
    assert [part.data[24] for part in found] == [16, 16, 8]
    np.testing.assert_array_equal(pixels(found[2]), small)
    assert [getattr(part, "reason", "")[:20] for part in parts(data)] == ["", "floating-point level", ""]


def test_a_loop_of_pages_ends():
    data = bytearray(tiff(np.zeros((2, 2, 1), np.uint16)))
    at = struct.unpack_from("<I", data, 4)[0]
    struct.pack_into("<I", data, at + 2 + 12 * struct.unpack_from("<H", data, at)[0], at)
    assert parts(bytes(data)) is None


def test_levels_count_for_frames_too():
    masks = [Image.fromarray(np.eye(8, dtype=np.uint8) * level) for level in (1, 0)]
    assert [int(pixels(part).max()) for part in parts(several("TIFF", masks), levels=1)] == [255, 0]


def bomb(frames: int) -> bytes:
    """A GIF of many frames, each a few bytes for 1000 x 1000 pixels."""
    first = saved(Image.new("P", (1000, 1000)), "GIF")
    start = first.index(b",", 13 + 3 * 2 ** ((first[10] & 7) + 1))
    return first[:start] + first[start:-1] * frames + b";"


def test_a_bomb_of_frames_does_not_fill_memory():
    data = bomb(10_000)
    taken = itertools.islice(all_pictures(data, PictureOptions(), False, True), 60)
    next(taken)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(isinstance(part, PictureFile) for part in taken) == 59
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB; together they are 30 million
