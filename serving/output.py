"""Files that a command leaves behind: each complete or not at all."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image

from serving.errors import InputError
from serving.grids import MOST, to_image

_LONGEST_NAME = 60  # Characters, each at most 4 bytes: file systems allow 255.
_OTHER_FORMATS = {".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pdf", ".svg"}


def is_sheet(out: Path, count: int) -> bool:
    """Returns whether `count` pictures go on one sheet (`--out x.png`) and not to a folder of files (any other name).

    Meant to be asked before the work is done, so that it is not done in vain.

    Raises:
        InputError: The name is that of another format; a sheet cannot hold so many; a file is where a folder is to be,
            or the other way round; or the folder holds something already, which would be mixed with what is written.
    """
    if out.suffix.lower() in _OTHER_FORMATS or out.name == "-":
        raise InputError(f"--out {out}: pictures are written as PNG; name a .png file, or a folder for one file each")
    if out.suffix.lower() == ".png":
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


def write_sheet(sheet: Image.Image, out: Path) -> None:
    """Writes one picture as PNG, over an earlier one of that name."""
    _write_file(out, lambda part: sheet.save(part, format="PNG"))


def write_pictures(images: np.ndarray, out: Path, names: Sequence[str] = ()) -> None:
    """Writes pictures to a new or empty folder as 00000.png, 00001.png and so on.

    Args:
        images: uint8 [n, h, w, c].
        out: The folder.
        names: What to add to each number: 00000-name.png; long ones are cut.
    """
    out = out.resolve()  # What a link points to is replaced, not the link.
    part = _beside(out)
    part.mkdir(parents=True)
    try:
        for index, image in enumerate(images):
            name = f"{index:05d}-{names[index][:_LONGEST_NAME]}.png" if names else f"{index:05d}.png"
            to_image(image).save(part / name)
        os.replace(part, out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]], out: Path | TextIO) -> None:
    """Writes a table to a file, over an earlier one of that name, or to a stream."""
    if isinstance(out, Path):
        if out.is_dir():
            raise InputError(f"--out {out} is a folder: name a .csv file, or - for standard output")
        _write_file(out, lambda part: _write_rows_to(part, header, rows))
    else:
        _write_rows(out, header, rows)


def _write_rows_to(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        _write_rows(stream, header, rows)


def _write_rows(stream: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def _write_file(out: Path, write: Callable[[Path], None]) -> None:
    """Has `write` fill a file beside `out`, which then takes its name in one step."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = _beside(out)
    try:
        write(part)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.{os.getpid()}.part")
