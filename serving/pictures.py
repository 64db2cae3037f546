"""List the picture files that a user names, and resize them like the model for display."""

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
    """List the pictures in files, accepted under any name, and folders, searched recursively for files with picture names.

    Hidden files, thumbnails and system files are ignored. Links to files are followed; links to folders are not. Broken links with
    picture names are included. Files are in the order given; those of a folder are sorted by path.

    Args:
        names: Files and folders.
        leave_out: Called with each path in a folder that is not read although it may hold pictures, and the reason.

    Raises:
        InputError: A name does not exist, or a folder holds no pictures.

    Example:
        >>> list_pictures([])
        Traceback (most recent call last):
        common.errors.InputError: name the pictures: files, or folders of them
    """
    pictures: list[Path] = []
    for path in map(Path, names):
        if path.is_dir():
            left: list[tuple[Path, str]] = []
            inside = sorted(_pictures_in(path, left))
            if not inside:
                reason = f"{left[0][0]}: {left[0][1]}" if left else "files called *.png, *.jpg, *.webp, *.tif and so on"
                raise InputError(f"there are no pictures in {path}: {reason}")
            for each, reason in sorted(left):
                leave_out(each, reason)
            pictures += inside
        elif path.exists():
            pictures.append(path)
        else:
            raise InputError(f"there is no picture or folder {path}")
    if not pictures:
        raise InputError("name the pictures: files, or folders of them")
    return pictures


def _pictures_in(top: Path, left: list[tuple[Path, str]]) -> Iterator[Path]:
    """Yield the files with picture names in a folder, recursively; append left-out paths and reasons to `left`."""

    def unreadable(error: OSError) -> None:
        left.append((Path(error.filename), f"the folder cannot be read: {error.strerror}"))

    root = os.path.realpath(top)
    for above, folders, files in os.walk(top, onerror=unreadable):
        folders[:] = [name for name in folders if not is_passed_over(name)]
        links = [link for link in (Path(above, name) for name in folders) if link.is_symlink()]
        outside = (link for link in links if not _is_walked(root, os.path.realpath(link)))
        left.extend((link, "a link that leads out of the folder: name it as well") for link in outside)
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
    """Return whether the search reaches a folder, given by its real path, without the link to it."""
    inside = Path(os.path.relpath(folder, root)).parts
    return os.pardir not in inside[:1] and not any(map(is_passed_over, inside))


def as_the_model_sees(
    path: Path, shape: tuple[int, int, int], preprocessing: Mapping[str, Any], options: PictureOptions | None = None
) -> np.ndarray:
    """Convert a picture to the model's size and channels as the model's graph does, to display it beside the model's output.

    Args:
        path: A picture file.
        shape: Height, width, channels (1 gray, 3 RGB).
        preprocessing: The model's `fit`, `resize` and `background`, from its model.json.
        options: How picture files are read, also from model.json.

    Returns:
        uint8 [h, w, c], visually equal to the model's input; mid-gray if Pillow cannot read a file that TensorFlow could.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return np.full(shape, 128, np.uint8)
    return as_seen(content, shape, preprocessing, options)


def as_seen(
    content: bytes, shape: tuple[int, int, int], preprocessing: Mapping[str, Any], options: PictureOptions | None = None
) -> np.ndarray:
    """Convert the content of a picture file; see `as_the_model_sees`."""
    height, width, channels = shape
    background = tuple(preprocessing.get("background", (255, 255, 255)))
    resample = _FILTERS[preprocessing.get("resize", "lanczos3")]
    try:
        with Image.open(io.BytesIO(read_picture_file(content, options or PictureOptions()).data)) as source:
            # Pillow would clip 16 bits to 8; TensorFlow scales them.
            image = Image.fromarray((np.asarray(source) >> 8).astype(np.uint8)) if source.mode.startswith("I;16") else source
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
