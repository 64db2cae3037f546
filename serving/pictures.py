"""Picture files that a person names, and how they look beside the model's own pictures."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from common.errors import InputError
from serving.picture_files import PictureOptions, Refused, read_picture_file
from serving.picture_names import is_passed_over, is_picture

_FILTERS = {"lanczos3": Image.Resampling.LANCZOS, "area": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR}


def list_pictures(names: Sequence[str | Path], leave_out: Callable[[Path, str], object] = lambda path, reason: None) -> list[Path]:
    """Lists the pictures that files and folders stand for.

    Args:
        names: Files, taken whatever they are called, and folders, searched at any depth for files that are named like
            pictures; hidden files, thumbnails and files of the system are passed over. Links to files are followed, links to
            folders are not.
        leave_out: Is called with what of a folder is not read though pictures may be missing, and the reason.

    Returns:
        The files, in the order given; those of a folder sorted by path. Links that lead nowhere are among them, if they are
        called like pictures.

    Raises:
        InputError: A name does not exist, or a folder holds no pictures.
    """
    found: list[Path] = []
    for path in map(Path, names):
        if path.is_dir():
            left: list[tuple[Path, str]] = []
            inside = sorted(_pictures_in(path, left))
            if not inside:
                why = f"{left[0][0]}: {left[0][1]}" if left else "files called *.png, *.jpg, *.webp, *.tif and so on"
                raise InputError(f"there are no pictures in {path}: {why}")
            for each, reason in sorted(left):
                leave_out(each, reason)
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"there is no picture or folder {path}")
    if not found:
        raise InputError("name the pictures: files, or folders of them")
    return found


def _pictures_in(top: Path, left: list[tuple[Path, str]]) -> Iterator[Path]:
    """Yields what is called like a picture in a folder and those below, and adds what is left out to `left`."""

    def unreadable(error: OSError) -> None:
        left.append((Path(error.filename), f"the folder cannot be read: {error.strerror}"))

    root = os.path.realpath(top)
    for above, folders, files in os.walk(top, onerror=unreadable):
        folders[:] = [name for name in folders if not is_passed_over(name)]
        for folder in (Path(above, name) for name in folders):
            if folder.is_symlink() and not _is_walked(root, os.path.realpath(folder)):
                left.append((folder, "a link that leads out of the folder: name it as well"))
        for file in (Path(above, name) for name in files if not is_passed_over(name)):
            try:
                nowhere = file.is_symlink() and not file.exists()
                if is_picture(file.name) and (nowhere or file.is_file()):
                    yield file
                elif nowhere:
                    left.append((file, "a link that leads nowhere"))
            except OSError as error:
                left.append((file, f"it cannot be read: {error.strerror}"))


def _is_walked(root: str, folder: str) -> bool:
    """Returns whether a folder, by its real path, is searched without the link to it."""
    inside = os.path.relpath(folder, root).split(os.sep)
    return inside[0] != os.pardir and not any(map(is_passed_over, inside))


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
