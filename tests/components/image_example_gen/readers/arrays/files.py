"""What the tests of arrays share: files that real libraries write, and what is read of them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Encoded, Rejected
from components.image_example_gen.readers.arrays.pictures import ArrayPictures
from components.image_example_gen.readers.arrays.search import find_arrays
from components.image_example_gen.storage.files import FoundFile

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)
LABELS = np.arange(40) % 4


def found_files(folder: Path) -> list[FoundFile]:
    """All files below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [FoundFile(path.relative_to(folder).as_posix(), path.stat().st_size, -1) for path in paths]


def find(folder: Path, config: DataConfig = DataConfig()) -> list:
    """What there is in a folder; each refusal is one short line."""
    found = find_arrays(str(folder), found_files(folder), config)
    for item in found:
        assert not isinstance(item, Rejected) or (len(item.reason) < 120 and "\n" not in item.reason)
    return found


def find_one(folder: Path, config: DataConfig = DataConfig()) -> ArrayPictures:
    """The only array of pictures in a folder."""
    (found,) = find(folder, config)
    assert not isinstance(found, Rejected), found
    return found


def refused(folder: Path, config: DataConfig = DataConfig()) -> str:
    """Why the only file in a folder is refused."""
    (found,) = find(folder, config)
    assert isinstance(found, Rejected), found
    return found.reason


def items_of(folder: Path, pictures: ArrayPictures, config: DataConfig = DataConfig(), size: int = 1000) -> list:
    """All that is read of an array, in units of at most `size`; no picture is lost or read twice."""
    units = pictures.units(size)
    items = [item for start, stop in units for item in pictures.read(str(folder), start, stop, config)]
    assert sum(pictures_in(item) for item in items) == pictures.count
    return items


def pictures_in(item: Block | Encoded | Rejected) -> int:
    """How many pictures an item stands for."""
    return len(item.pixels) if isinstance(item, Block) else item.pictures if isinstance(item, Rejected) else 1


def read(folder: Path, config: DataConfig = DataConfig(), size: int = 1000) -> tuple[np.ndarray, list[str]]:
    """The pixels and the labels of the only array in a folder, of which nothing is refused."""
    blocks = items_of(folder, find_one(folder, config), config, size)
    assert all(isinstance(block, Block) for block in blocks), blocks
    firsts = np.cumsum([0, *(len(block.pixels) for block in blocks)])[:-1]
    assert [block.first for block in blocks] == firsts.tolist()
    return joined(blocks)


def joined(blocks: Iterable[Block]) -> tuple[np.ndarray, list[str]]:
    """The pixels and labels of blocks."""
    blocks = list(blocks)
    return np.concatenate([block.pixels for block in blocks]), [label for block in blocks for label in block.labels]


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file."""
    kinds = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    kind = kinds[array.dtype.str[1:]]
    return (
        struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write_kind(folder: Path, kind: str, pixels: np.ndarray = PIXELS, labels: np.ndarray = LABELS) -> None:
    """Writes pictures and labels as one kind of file."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "npz":
        np.savez(folder / "a.npz", x=pixels, y=labels)
    elif kind == "npz packed":
        np.savez_compressed(folder / "a.npz", x=pixels, y=labels)
    elif kind in ("npy", "npy fortran"):
        np.save(folder / "x.npy", np.asfortranarray(pixels) if "fortran" in kind else pixels)
        np.save(folder / "y.npy", labels)
    elif kind in ("idx", "idx packed"):
        pack = gzip.compress if kind == "idx packed" else bytes
        suffix = ".gz" if kind == "idx packed" else ""
        (folder / f"all-images-idx{pixels.ndim}-ubyte{suffix}").write_bytes(pack(idx_bytes(pixels)))
        (folder / f"all-labels-idx1-ubyte{suffix}").write_bytes(pack(idx_bytes(labels.astype(np.uint8))))
    elif kind.startswith("mat"):
        turned = pixels if "first" in kind else np.moveaxis(pixels, 0, -1)
        scipy.io.savemat(folder / "a.mat", {"X": turned, "y": labels[:, None]}, do_compression="packed" in kind)
    elif kind.startswith("h5"):
        options = {"chunks": (9, *pixels.shape[1:]), "compression": "gzip", "shuffle": True} if "packed" in kind else {}
        with h5py.File(folder / "a.h5", "w") as file:
            file.create_dataset("images", data=pixels, **options)
            file["labels"] = labels
    elif kind == "matlab 7.3":
        write_matlab_73(folder / "a.mat", X=np.moveaxis(pixels, 0, -1), y=labels[:, None].astype(np.float64))


def write_matlab_73(path: Path, **variables: np.ndarray) -> None:
    """Writes a file as MATLAB does with -v7.3: HDF5 behind 512 bytes, axes in reverse, the class an attribute."""
    classes = {"float64": "double", "float32": "single", "bool": "logical"}
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            dataset = file.create_dataset(name, data=values.T.astype(np.uint8) if values.dtype == bool else values.T)
            dataset.attrs["MATLAB_class"] = np.bytes_(classes.get(values.dtype.name, values.dtype.name))
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM")


KINDS = (
    "npz",
    "npz packed",
    "npy",
    "npy fortran",
    "idx",
    "idx packed",
    "mat",
    "mat packed",
    "mat first",
    "h5",
    "h5 packed",
    "matlab 7.3",
)
