"""A picture file of each format that is read: what the lines must read alike, whichever library decodes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from tests.serving.picture_files.made import ADOBE_RGB, profile, saved, tiff


def noise(count: int) -> list[bytes]:
    """PNG files of noise, 20x20 in color."""
    levels = np.random.default_rng(0).integers(0, 256, (count, 20, 20, 3), dtype=np.uint8)
    return [saved(Image.fromarray(picture), "PNG") for picture in levels]


def write_formats(folder: Path) -> None:
    """Write one picture of each format and kind: smooth, so that lossy formats have something to lose."""
    pillow_heif.register_heif_opener()
    rows, columns = np.mgrid[:37, :53]
    smooth = np.stack([rows * 6, columns * 4, (rows + columns) * 2], axis=2).astype(np.uint8)
    grey, deep = smooth[..., 1], (smooth[..., 1].astype(np.uint16) << 8) + 129
    color, flat = Image.fromarray(smooth), Image.fromarray(grey)
    turned = Image.Exif()
    turned[0x0112] = 6
    files = {
        "grey.png": saved(flat, "PNG"),
        "deep.png": saved(Image.fromarray(deep), "PNG"),
        "clear.png": saved(np.dstack([smooth, grey]), "PNG"),
        "palette.png": saved(color.quantize(17), "PNG"),
        "profile.png": saved(color, "PNG", icc_profile=profile(ADOBE_RGB, 2.2)),
        "grey.jpg": saved(flat, "JPEG", quality=71),
        "halved.jpg": saved(color, "JPEG", quality=83, subsampling=2),
        "progressive.jpg": saved(color, "JPEG", quality=64, progressive=True),
        "ink.jpg": saved(color.convert("CMYK"), "JPEG", quality=90),
        "turned.jpg": saved(color, "JPEG", exif=turned),
        "a.gif": saved(color.quantize(31), "GIF"),
        "a.bmp": saved(color, "BMP"),
        "table.bmp": saved(color.quantize(9), "BMP"),
        "lossy.webp": saved(color, "WEBP", quality=60),
        "exact.webp": saved(color, "WEBP", lossless=True),
        "a.tif": tiff(smooth, compression=8, predictor=2),
        "deep.tif": tiff(deep[..., np.newaxis], order=">"),
        "a.avif": saved(color, "AVIF", quality=70),
        "a.heic": saved(color, "HEIF", quality=70),
        "a.jp2": saved(color, "JPEG2000", irreversible=True, quality_layers=[12]),
        "a.qoi": saved(color, "QOI"),
        "a.ppm": saved(color, "PPM"),
        "a.pgm": saved(flat, "PPM"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
