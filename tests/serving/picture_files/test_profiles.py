"""Color profiles: sRGB in all its variants is let be, others are converted, broken ones change nothing."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from serving.picture_files import PictureOptions, read_picture_file
from serving.picture_files.png import read_deep_png, write_png
from serving.picture_files.profiles import is_foreign
from tests.serving.picture_files.made import ADOBE_RGB, SRGB, converted, encoded, ink_profile, profile, saved, tiff

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (8, 8, 3), np.uint8)
SWAPPED = (ADOBE_RGB[1], ADOBE_RGB[2], ADOBE_RGB[0])
ADOBE, WILD = profile(ADOBE_RGB, 563 / 256), profile(SWAPPED, 461 / 256)
PILLOWS = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    "primaries, gamma, found", [(ADOBE_RGB, 563 / 256, ADOBE), (SWAPPED, 461 / 256, WILD)], ids=["Adobe", "swapped"]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "JPEG2000"])
def test_colors_become_those_of_srgb_by_the_formula(kind, primaries, gamma, found):
    exact = converted(COLOR.astype(float), primaries, gamma, 255.0)
    if kind == "JPEG":
        data = saved(np.full((8, 8, 3), COLOR[0, 0]), kind, icc_profile=found, quality=100, subsampling=0)
        exact = converted(pixels(data).astype(float), primaries, gamma, 255.0)
    else:
        data = saved(COLOR, kind, icc_profile=found, **({"lossless": True} if kind == "WEBP" else {}))
    if kind == "JPEG2000":  # Pillow writes no profile there
        return
    file = read_picture_file(data)
    assert (file.format, file.reencoded_from, file.notes) == ("png", kind.lower(), ("profile",))
    assert np.abs(pixels(file.data) - exact).max() < 1.6
    assert np.abs(exact - pixels(read_picture_file(data, PictureOptions(icc="ignore")).data)).max() > 10
    assert "icc_profile" not in Image.open(io.BytesIO(file.data)).info


def table_of_srgb(points: int) -> bytes:
    levels = np.linspace(0, 1, points)
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return b"curv" + struct.pack(f">II{points}H", 0, points, *np.rint(linear * 65535).astype(int))


FORMULA = b"para" + struct.pack(">IHH5i", 0, 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))


@pytest.mark.parametrize(
    "found",
    [
        PILLOWS,
        profile(SRGB, 0, curve=table_of_srgb(1024)),
        profile(SRGB, 0, curve=table_of_srgb(64)),
        profile(SRGB, 0, curve=FORMULA),
    ],
    ids=["Pillow's", "a table", "a short table", "a formula"],
)
def test_variants_of_srgb_are_srgb(found):
    assert not is_foreign(found)
    for kind in ("JPEG", "PNG"):
        data = saved(COLOR, kind, icc_profile=found)
        assert b"ICC" in data or b"iCCP" in data
        file = read_picture_file(data)
        assert file.data == data and file.notes == ()


def test_others_are_foreign():
    assert is_foreign(ADOBE) and is_foreign(WILD)
    assert is_foreign(profile(SRGB, 1.8)) and is_foreign(profile(ADOBE_RGB, 0, curve=table_of_srgb(1024)))
    assert not is_foreign(None) and not is_foreign(b"")


def test_a_profile_in_several_segments_of_a_jpeg():
    padding = ADOBE + RNG.integers(0, 256, 70_000, np.uint8).tobytes()
    padding = struct.pack(">I", len(padding)) + padding[4:]
    data = saved(COLOR, "JPEG", icc_profile=padding)
    assert data.count(b"ICC_PROFILE\0") == 2
    assert read_picture_file(data).notes == ("profile",)
    second = data.rindex(b"ICC_PROFILE\0")
    lost = data[: second + 12] + b"\x07" + data[second + 13 :]  # another number: not all of it is there
    assert read_picture_file(lost).data == lost


def test_alpha_and_palettes_keep_what_they_are():
    alpha = RNG.integers(0, 256, (8, 8, 4), np.uint8)
    found = pixels(read_picture_file(saved(alpha, "PNG", icc_profile=ADOBE)).data)
    assert np.abs(found[..., :3] - converted(alpha[..., :3].astype(float), ADOBE_RGB, 563 / 256, 255.0)).max() < 1.6
    np.testing.assert_array_equal(found[..., 3], alpha[..., 3])
    palette = Image.fromarray(COLOR).quantize(16)
    found = pixels(read_picture_file(saved(palette, "PNG", icc_profile=ADOBE)).data)
    plain = np.asarray(palette.convert("RGB")).astype(float)
    assert np.abs(found - converted(plain, ADOBE_RGB, 563 / 256, 255.0)).max() < 1.6


@pytest.mark.parametrize("space", [b"GRAY", b"RGB "])
def test_grey_stays_grey(space):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    file = read_picture_file(saved(grey, "PNG", icc_profile=profile(SRGB, 1.0, space)))
    assert file.notes == ("profile",)
    assert np.abs(pixels(file.data) - 255 * encoded(grey / 255)).max() < 1.6


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_cmyk_goes_through_its_profile(kind):
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[..., 3] = np.arange(256).reshape(16, 16)
    image = Image.fromarray(ink, "CMYK") if kind == "TIFF" else Image.new("CMYK", (16, 16), (90, 0, 0, 100))
    file = read_picture_file(saved(image, kind, icc_profile=ink_profile(), **({"quality": 100} if kind == "JPEG" else {})))
    lightness = 100 * (1 - np.asarray(image)[..., 3] / 255)
    light = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    assert file.notes == ("profile",) and file.reencoded_from == kind.lower()
    assert np.abs(pixels(file.data) - 255 * encoded(light)[..., None]).max() < 3
    assert read_picture_file(saved(image, kind)).notes == ()


def test_a_profile_of_other_channels_is_none():
    cmyk = Image.fromarray(COLOR).convert("CMYK")
    plain = read_picture_file(saved(cmyk, "TIFF"))
    file = read_picture_file(saved(cmyk, "TIFF", icc_profile=ADOBE))
    assert file.data == plain.data and file.notes == ()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("broken", [b"no profile", ADOBE[:200], ADOBE[:128] + bytes(400), b"\0" * 128])
def test_a_broken_profile_changes_nothing(kind, broken):
    without, file = (read_picture_file(saved(COLOR, kind, **more)) for more in ({}, {"icc_profile": broken}))
    np.testing.assert_array_equal(pixels(file.data), pixels(without.data))
    assert file.notes == ()


@pytest.mark.parametrize("chunk", [b"x" * 30, b"name\0\0" + b"garbage", b"name\0\0" + zlib.compress(bytes(100 << 20)), b""])
def test_a_png_whose_profile_cannot_be_unpacked_is_kept(chunk):
    plain = saved(COLOR, "PNG")
    body = struct.pack(">I", len(chunk)) + b"iCCP" + chunk
    data = plain[:33] + body + struct.pack(">I", zlib.crc32(body[4:])) + plain[33:]
    assert read_picture_file(data).data == data


def test_sixteen_bits_keep_their_precision():
    deep = RNG.integers(0, 65536, (8, 8, 3), np.uint16)
    plain = write_png(deep)
    body = b"iCCP" + b"wide\0\0" + zlib.compress(WILD)
    data = plain[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + plain[33:]
    file = read_picture_file(data, PictureOptions(depth=16))
    exact = converted(deep.astype(float), SWAPPED, 461 / 256, 65535.0)
    assert file.notes == ("profile",) and np.abs(read_deep_png(file.data, 50.0) - exact).max() < 60
    assert set(read_picture_file(data).notes) == {"deep", "profile"}
    wide = tiff(deep, more={34675: list(struct.unpack(f"<{len(WILD) // 4}I", WILD[: len(WILD) // 4 * 4]))})
    found = read_picture_file(wide, PictureOptions(depth=16))
    assert found.notes == ("profile",) and np.abs(read_deep_png(found.data, 50.0) - exact).max() < 60
