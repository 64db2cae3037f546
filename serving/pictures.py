"""Picture files that a person names, and how they look beside the model's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from serving.errors import InputError

# The last line's formats are none that a model can decode: listed, so that they are left out aloud, not passed over.
SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif"}
SUFFIXES |= {".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".ico", ".tga"}


def list_pictures(names: Sequence[str | Path]) -> list[Path]:
    """Lists the pictures that files and folders stand for.

    Args:
        names: Files, taken whatever they are called, and folders, searched at any depth for files that are named like
            pictures; hidden files are passed over.

    Returns:
        The files, in the order given; those of a folder sorted by path.

    Raises:
        InputError: A name does not exist, or a folder holds no pictures.
    """
    found: list[Path] = []
    for path in map(Path, names):
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if _is_picture(file.relative_to(path)) and file.is_file())
            if not inside:
                raise InputError(f"there are no pictures in {path}: PNG, JPEG, BMP or GIF files")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"there is no picture or folder {path}")
    if not found:
        raise InputError("name the pictures: files, or folders of them")
    return found


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts)


def as_the_model_sees(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Brings a picture to the model's size and channels, to be shown: cropped to fit, on white where transparent.

    Args:
        path: A picture file.
        shape: Height, width, channels (1 grey, 3 RGB).

    Returns:
        uint8 [h, w, c]; mid-grey where Pillow cannot read what TensorFlow could.
    """
    height, width, channels = shape
    try:
        with Image.open(path) as image:
            opaque = Image.new("RGBA", image.size, "white")
            opaque.alpha_composite(image.convert("RGBA"))
            plain = opaque.convert("L" if channels == 1 else "RGB")
            fitted = ImageOps.fit(plain, (width, height), Image.Resampling.LANCZOS)
    except OSError:
        return np.full(shape, 128, np.uint8)
    return np.asarray(fitted).reshape(shape)
