"""Picture files that a person names, and how they look beside the model's own pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from serving.errors import InputError
from serving.picture_files import PictureOptions, Refused, read_picture_file
from serving.picture_names import is_passed_over, is_picture

_FILTERS = {"lanczos3": Image.Resampling.LANCZOS, "area": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR}


def list_pictures(names: Sequence[str | Path]) -> list[Path]:
    """Lists the pictures that files and folders stand for.

    Args:
        names: Files, taken whatever they are called, and folders, searched at any depth for files that are named like
            pictures; hidden files, thumbnails and files of the system are passed over.

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
                raise InputError(f"there are no pictures in {path}: files called *.png, *.jpg, *.webp, *.tif and so on")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"there is no picture or folder {path}")
    if not found:
        raise InputError("name the pictures: files, or folders of them")
    return found


def _is_picture(path: Path) -> bool:
    return is_picture(path.name) and not any(is_passed_over(part) for part in path.parts)


def as_the_model_sees(
    path: Path, shape: tuple[int, int, int], preprocessing: Mapping[str, Any], options: PictureOptions | None = None
) -> np.ndarray:
    """Brings a picture to the model's size and channels as the model's own graph does, to be shown beside its answer.

    Args:
        path: A picture file.
        shape: Height, width, channels (1 grey, 3 RGB).
        preprocessing: The model's `fit`, `resize` and `background`, from its model.json.
        options: How picture files are read, from there too.

    Returns:
        uint8 [h, w, c], to the eye what the model saw; mid-grey where Pillow cannot read what TensorFlow could.
    """
    height, width, channels = shape
    background = tuple(preprocessing.get("background", (255, 255, 255)))
    resample = _FILTERS[preprocessing.get("resize", "lanczos3")]
    try:
        with Image.open(io.BytesIO(read_picture_file(path.read_bytes(), options or PictureOptions()).data)) as found:
            # Pillow would clip 16 bits to 8 where TensorFlow scales them.
            image = Image.fromarray((np.asarray(found) >> 8).astype(np.uint8)) if found.mode.startswith("I;16") else found
            opaque = Image.new("RGBA", image.size, background)
            opaque.alpha_composite(image.convert("RGBA"))
            plain = opaque.convert("RGB")
            fit = preprocessing.get("fit", "crop")
            if fit == "stretch":
                fitted = plain.resize((width, height), resample)
            elif fit == "pad":
                fitted = ImageOps.pad(plain, (width, height), resample, color=background)
            else:
                fitted = ImageOps.fit(plain, (width, height), resample)
    except (OSError, Refused):
        return np.full(shape, 128, np.uint8)
    return np.asarray(fitted.convert("L") if channels == 1 else fitted).reshape(shape)
