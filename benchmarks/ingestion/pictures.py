"""Write the pictures to read: drawings of 28x28 pixels, and photographs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from components.image_example_gen.readers.arrays.idx import write_idx

BLOCK = 1000


def drawings(count: int) -> Iterator[np.ndarray]:
    """Yield blocks of different drawings, uint8 [<= 1000, 28, 28].

    Each has three soft strokes. Their PNG files are about as large as those of Fashion-MNIST.
    """
    grid = np.arange(28, dtype=np.float32)
    for start in range(0, count, BLOCK):
        rng = np.random.default_rng(start)
        size = min(BLOCK, count - start)
        picture = np.zeros((size, 28, 28), np.float32)
        for _ in range(3):
            x, y, width, height = (rng.uniform(low, high, (size, 1)) for low, high in ((5, 23), (5, 23), (1, 6), (1, 6)))
            along = np.exp(-(((grid - x) / width) ** 2))[:, None, :]
            picture += np.exp(-(((grid - y) / height) ** 2))[:, :, None] * along
        picture += rng.uniform(0, 0.08, picture.shape) * (picture > 0.05)
        yield (np.minimum(picture, 1) * 255).astype(np.uint8)


def write_pngs(folder: Path, count: int) -> None:
    """Write PNG files, a thousand to a folder."""
    for number, block in enumerate(drawings(count)):
        inside = folder / f"{number:04d}"
        inside.mkdir(parents=True)
        for place, levels in enumerate(block):
            Image.fromarray(levels).save(inside / f"{place:03d}.png")


def write_idx_file(folder: Path, count: int) -> None:
    """Write an IDX file of pictures and one of labels, both uncompressed."""
    folder.mkdir(parents=True)
    write_idx(folder / "train-images-idx3-ubyte", (count, 28, 28), (block.tobytes() for block in drawings(count)))
    write_idx(folder / "train-labels-idx1-ubyte", (count,), [bytes(number % 10 for number in range(count))])


def write_photographs(folder: Path, count: int) -> None:
    """Write JPEG files of one to three megapixels with smooth areas, edges and grain."""
    folder.mkdir(parents=True)
    for seed in range(count):
        rng = np.random.default_rng(seed)
        width = int(rng.uniform(1150, 2000))
        height = width * 3 // 4
        ground = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        edges = Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).resize((width, height), Image.Resampling.NEAREST)
        grain = rng.integers(-12, 13, (height, width, 1), np.int16)
        levels = (np.asarray(ground, np.int16) * 3 + np.asarray(edges, np.int16)) // 4 + grain
        buffer = io.BytesIO()
        Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        (folder / f"{seed:04d}.jpg").write_bytes(buffer.getvalue())


def write_empty(folder: Path, count: int) -> None:
    """Write empty files with the names of pictures, ten thousand to a folder."""
    for number in range(count):
        if number % 10_000 == 0:
            inside = folder / f"{number // 10_000:04d}"
            inside.mkdir(parents=True)
        (inside / f"{number % 10_000:04d}.png").touch()
