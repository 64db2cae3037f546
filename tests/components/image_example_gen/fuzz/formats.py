"""All formats that are damaged, by name."""

from __future__ import annotations

import importlib
import random

from tests.components.image_example_gen.fuzz.damage import Original, mutated

# Each has a module, or its own function in one.
PICTURES = {
    **dict.fromkeys(("png", "jpeg", "gif", "webp", "bmp", "tiff"), ""),
    **dict.fromkeys(("pnm", "avif", "jpeg2000", "qoi"), "others"),
}
CONTAINERS = {
    **dict.fromkeys(("idx", "npy", "npz", "mat"), "arrays"),
    "hdf5": "",
    **dict.fromkeys(("tars", "gzips", "zips"), "archives"),
    **dict.fromkeys(("webdataset", "nested"), "inside"),
    "tfrecord": "",
    **dict.fromkeys(("parquet", "arrow"), "tables"),
    **dict.fromkeys(("cifar", "pixels", "manifest", "metadata"), "rows"),
}
FORMATS = {**PICTURES, **CONTAINERS}


def originals(name: str) -> list[Original]:
    """The sound files of a format."""
    module = importlib.import_module(f"tests.components.image_example_gen.fuzz.{FORMATS[name] or name}")
    return getattr(module, name if FORMATS[name] else "originals")()


def mutant(name: str, found: list[Original], seed: int, number: int) -> tuple[Original, bytes]:
    """The damaged file of a number, and the original that it was made from; the same ones in every run."""
    original = found[number % len(found)]
    return original, mutated(original, random.Random(f"{name} {seed} {number}"))
