"""Whatever bytes come in, the answer is a picture or a refusal."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

from serving.picture_files import PictureFile, PictureOptions, Refused, all_pictures, picture_shape, read_picture_file, write_png
from tests.serving.picture_files.made import ADOBE_RGB, bmp, profile, saved, tiff

RNG = np.random.default_rng(0)
COLOR, DEEP = RNG.integers(0, 256, (6, 7, 3), np.uint8), RNG.integers(0, 65536, (6, 7, 3), np.uint16)
TABLE = RNG.integers(0, 256, 1024, np.uint8).tobytes()
FRAMES = {"save_all": True, "append_images": [Image.fromarray(255 - COLOR)]}
ICC = {"icc_profile": profile(ADOBE_RGB, 2.2)}
FILES = {
    "png": saved(COLOR, "PNG", **ICC),
    "apng": saved(COLOR, "PNG", **FRAMES),
    "deep png": write_png(DEEP),
    "jpeg": saved(COLOR, "JPEG", **ICC),
    "gif": saved(COLOR, "GIF", **FRAMES),
    "webp": saved(COLOR, "WEBP", **FRAMES),
    "avif": saved(COLOR, "AVIF"),
    "jp2": saved(COLOR, "JPEG2000"),
    "qoi": saved(COLOR, "QOI"),
    "tiff": saved(COLOR, "TIFF", **FRAMES),
    "lzw": saved(COLOR, "TIFF", compression="tiff_lzw", **ICC),
    "deep tiff": tiff(DEEP, compression=8, predictor=2),
    "float tiff": tiff(RNG.random((6, 7, 3)).astype(np.float32), sample_format=3, tile=16),
    "bmp": bmp(8, RNG.integers(0, 256, 32, np.uint8).tobytes(), more=TABLE),
    "rle": bmp(8, bytes([3, 5, 0, 2, 2, 1, 2, 7, 0, 0, 0, 3, 1, 2, 3, 0, 0, 1]), compression=1, more=TABLE),
    "masks": bmp(
        16, bytes(range(64)), compression=3, more=(0xF800).to_bytes(4, "little") + (0x7E0).to_bytes(4, "little") + b"\x1f\0\0\0"
    ),
    "pgm": b"P5 6 7 255\n" + bytes(range(42)),
    "ppm": b"P3 2 2 9 " + b"1 2 3 " * 4,
    "pfm": b"Pf\n2 2\n-1\n" + bytes(16),
}
OPTIONS = (
    PictureOptions(),
    PictureOptions(max_megapixels=0.1, depth=16, range=(0.0, 1.0)),
    PictureOptions(max_megapixels=0.1, levels=200, icc="ignore"),
)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with some of its bytes changed, mostly near its beginning, or cut, or with a piece twice."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(0, min(len(found), 80) if rng.random() < 0.6 else len(found)))
        how = rng.random()
        if how < 0.6:
            found[at] = rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))])
        elif how < 0.75:
            found[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])
        elif how < 0.85:
            del found[at : at + int(rng.integers(1, 40))]
        else:
            found[at:at] = found[at : at + int(rng.integers(1, 40))]
        if not found:
            break
    return bytes(found)


def check(data: bytes, options: PictureOptions) -> None:
    for anew in (False, True):
        try:
            assert isinstance(read_picture_file(data, options, anew), PictureFile)
        except Refused as refused:
            assert 0 < len(refused.reason) < 120
    for part in all_pictures(data, options, True, True) or ():
        assert isinstance(part, (PictureFile, Refused))
    picture_shape(data)


@pytest.mark.parametrize("name", FILES)
def test_what_is_mutated_is_read_or_refused(name):
    rng = np.random.default_rng(list(FILES).index(name))
    for number in range(100):
        check(mutated(FILES[name], rng), OPTIONS[number % 3])


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_what_is_mutated_two_thousand_times_is_read_or_refused(name):
    rng = np.random.default_rng(1000 + list(FILES).index(name))
    for number in range(2000):
        check(mutated(FILES[name], rng), OPTIONS[number % 3])


@pytest.mark.parametrize("name", FILES)
def test_what_is_cut_is_read_or_refused(name):
    for length in range(0, len(FILES[name]), max(1, len(FILES[name]) // 40)):
        check(FILES[name][:length], OPTIONS[1])


@pytest.mark.parametrize("kind", [b"iCCP", b"IEND"])
def test_a_png_with_a_chunk_longer_than_the_file_is_refused_before_room_is_made_for_it(kind):
    data = bytearray(FILES["png"])
    assert read_picture_file(bytes(data), PictureOptions(icc="ignore")).data == data
    at = data.index(kind) - 4
    data[at : at + 4] = (1_700_000_000).to_bytes(4, "big")
    with pytest.raises(Refused, match="damaged"):
        read_picture_file(bytes(data), PictureOptions(icc="ignore"))


@pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 30_000), (65_535, 65_535)])
@pytest.mark.parametrize("what", ["canvas", "frame"])
def test_what_is_far_too_large_is_refused_without_a_warning_of_pillows(what, size):
    data, width, height = bytearray(FILES["gif"]), size[0].to_bytes(2, "little"), size[1].to_bytes(2, "little")
    at = 6 if what == "canvas" else data.index(b"\x2c\0\0\0\0", data.index(b"\x2c\0\0\0\0") + 1) + 5
    data[at : at + 4] = width + height
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(bytes(data), OPTIONS[0])
    if what == "canvas":
        with pytest.raises(Refused, match="more than 50 million pixels"):
            read_picture_file(bytes(data))


def test_an_animation_without_frames_is_refused():
    data = saved(COLOR, "PNG", default_image=True, **FRAMES)
    at = data.index(b"acTL") - 4
    for end in range(at + 20, len(data), 7):
        parts = all_pictures(data[:end], PictureOptions(), True, True)
        assert parts is None or list(parts)
