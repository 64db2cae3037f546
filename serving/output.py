"""Write the pictures and tables of a command: each complete or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import InputError
from common.writing import filled, followed, is_stream, written
from serving.grids import MAX_ON_SHEET, to_image

_LONGEST_NAME = 60  # Characters, each at most 4 bytes: file systems allow 255 bytes.
_OTHER_FORMATS = {".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pdf", ".svg"}


def check_out(out: Path, count: int) -> bool:
    """Check that `count` pictures can be written to `out`, and return whether as one sheet (True) or as a folder of files (False).

    A sheet is written to `x.png`, to standard output (`-`), and to a stream such as a FIFO. Call this before the work, to detect a
    wrong `out` early.

    Raises:
        InputError: The name has another picture format; a sheet cannot hold so many pictures; a file exists where a folder is
            needed, or the reverse; or the folder is not empty.
        OSError: The links of `out` form a cycle.

    Example:
        >>> check_out(Path("new.png"), 64), check_out(Path("new"), 64)
        (True, False)
    """
    if out.suffix.lower() in _OTHER_FORMATS:
        raise InputError(f"--out {out}: pictures are written as PNG; name a .png file, or a folder for one file each")
    if _is_one_file(out):
        if out.is_dir():
            raise InputError(f"--out {out} is a folder: name a file")
        if count > MAX_ON_SHEET:
            raise InputError(f"--out {out}: one sheet holds at most {MAX_ON_SHEET:,} pictures, not {count:,}; name a folder")
        return True
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file: name a .png file, or a folder")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"--out {out} holds files already: name a new folder, or empty it")
    return False


def _is_one_file(out: Path) -> bool:
    """Return whether `out` is one file. A link counts by its own name and by its target's name."""
    return is_stream(out) or out.suffix.lower() == ".png" or (followed(out).suffix.lower() == ".png" and not out.is_dir())


def write_sheet(sheet: Image.Image, out: Path) -> None:
    """Write one picture as PNG, complete or not at all. See `common.writing.written`."""
    with written(out) as file:
        sheet.save(file, format="PNG")


def write_pictures(images: np.ndarray, out: Path, names: Sequence[str] = ()) -> None:
    """Write pictures, uint8 [n, h, w, c], to a new or empty folder as 00000.png, 00001.png and so on, or as 00000-name.png."""
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
