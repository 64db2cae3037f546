"""Convert pictures from other color spaces to sRGB, by their color profiles (ICC.1)."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING

import numpy as np

from serving.picture_files.base import UNREADABLE
from serving.picture_files.matrices import apply_matrix

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

# A profile that changes no color by more levels counts as sRGB: programs write sRGB profiles that differ by rounding.
_ALIKE = 3
_SPACES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}
_MAX_BYTES = 8 << 20


def is_foreign(profile: bytes | None) -> bool:
    """Return whether a profile is valid and not sRGB."""
    return bool(profile) and _conversion(profile) is not None


def to_srgb(image: Image, profile: bytes | None) -> Image | None:
    """Convert a picture of mode L, LA, RGB, RGBA or CMYK to sRGB; gray stays gray, and alpha does not change.

    Return None if there is nothing to convert: the profile is missing, sRGB, broken, or is for other channels than the picture has.
    """
    conversion = _conversion(profile) if profile else None
    if conversion is None:
        return None
    transform, space = conversion
    bands = image.mode.removesuffix("A")
    if bands != space and (bands, space) != ("L", "RGB"):
        return None
    from PIL import Image, ImageCms

    alpha = image.getchannel("A") if image.mode.endswith("A") else None
    colors = image if image.mode == space else image.convert(bands).convert(space)
    colors = ImageCms.applyTransform(colors, transform)
    if bands == "L":
        colors = colors.getchannel("G")  # neutral: all three channels are equal
    if alpha is not None:
        colors = Image.merge(f"{colors.mode}A", (*colors.split(), alpha))
    return colors


@functools.lru_cache(maxsize=16)
def _conversion(profile: bytes) -> tuple[ImageCmsTransform, str] | None:
    """Return the transform to sRGB and its input mode; None if the profile is sRGB or broken."""
    from PIL import ImageCms

    if len(profile) > _MAX_BYTES:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _SPACES[source.profile.xcolor_space.strip()]
        intent = ImageCms.Intent.PERCEPTUAL if mode == "CMYK" else ImageCms.Intent.RELATIVE_COLORIMETRIC
        # For gray, the optimized transform is a table of few points, several levels off on a steep curve.
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", intent, flags)
        return None if mode != "CMYK" and _changes_nothing(transform, mode) else (transform, mode)
    except UNREADABLE:  # a broken profile: the picture is used as if it had none
        return None


def _changes_nothing(transform: ImageCmsTransform, mode: str) -> bool:
    """Return whether a transform leaves test colors of all lightnesses and hues almost unchanged."""
    from PIL import Image, ImageCms

    levels = np.arange(0, 256, 17, dtype=np.uint8) if mode == "L" else np.array([0, 24, 64, 128, 192, 232, 255], np.uint8)
    colors = np.stack(np.meshgrid(*[levels] * len(mode), indexing="ij"), axis=-1).reshape(1, -1, len(mode))
    before = Image.fromarray(colors[..., 0] if mode == "L" else colors)
    after = np.asarray(ImageCms.applyTransform(before, transform)).astype(int)
    return int(np.abs(after - colors).max()) <= _ALIKE


def levels_to_srgb(levels: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Convert levels [height, width, 1 to 4 channels] to sRGB. Return None for an unsuitable profile.

    The dtype stays uint8 or uint16, or becomes uint8 if the profile can only be applied to 8 bits.
    """
    from PIL import Image

    if levels.itemsize == 2:
        exact = apply_matrix(levels, profile)
        if exact is not None:
            return exact
        levels = ((levels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    converted = to_srgb(Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels), profile)
    return None if converted is None else np.asarray(converted).reshape(*levels.shape[:2], -1)
