"""Pictures and tables that a command leaves behind: each complete or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import InputError
from common.writing import filled, followed, is_stream, written
from serving.grids import MOST, to_image

_LONGEST_NAME = 60  # Characters, each at most 4 bytes: file systems allow 255.
_OTHER_FORMATS = {".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pdf", ".svg"}


def is_sheet(out: Path, count: int) -> bool:
    """Return whether `count` pictures go on one sheet and not to a folder of files.

    A sheet is what is called `x.png`, standard output (`-`), and all that takes bytes as they come, such as a FIFO. Meant to be
    asked before the work is done, so that it is not done in vain.

    Raises:
        InputError: The name is that of another format; a sheet cannot hold so many; a file is where a folder is to be,
            or the other way round; or the folder holds something already, which would be mixed with what is written.
        OSError: The links that `out` is made of go round in a circle.
    """
    if out.suffix.lower() in _OTHER_FORMATS:
        raise InputError(f"--out {out}: pictures are written as PNG; name a .png file, or a folder for one file each")
    if _is_one_file(out):
        if out.is_dir():
            raise InputError(f"--out {out} is a folder: name a file")
        if count > MOST:
            raise InputError(f"--out {out}: one sheet holds at most {MOST:,} pictures, not {count:,}; name a folder")
        return True
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file: name a .png file, or a folder")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"--out {out} holds files already: name a new folder, or empty it")
    return False


def _is_one_file(out: Path) -> bool:
    """A link is one file by its own name as well as by that of what it points to."""
    return is_stream(out) or out.suffix.lower() == ".png" or (followed(out).suffix.lower() == ".png" and not out.is_dir())


def write_sheet(sheet: Image.Image, out: Path) -> None:
    """Write one picture as PNG. See `common.writing.written`."""
    with written(out) as file:
        sheet.save(file, format="PNG")


def write_pictures(images: np.ndarray, out: Path, names: Sequence[str] = ()) -> None:
    """Write pictures to a new or empty folder as 00000.png, 00001.png and so on.

    Args:
        images: uint8 [n, h, w, c].
        out: The folder.
        names: What to add to each number: 00000-name.png; long ones are cut.
    """
    with filled(out) as folder:
        for index, image in enumerate(images):
            name = f"{index:05d}-{names[index][:_LONGEST_NAME]}.png" if names else f"{index:05d}.png"
            to_image(image).save(folder / name)


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]], out: Path) -> None:
    """Write a table as UTF-8. See `common.writing.written`."""
    if out.is_dir():
        raise InputError(f"--out {out} is a folder: name a .csv file, or - for standard output")
    with written(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        text.detach()
