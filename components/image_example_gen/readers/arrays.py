"""Files that hold many pictures of one size as an array: IDX, and NumPy's .npy and .npz."""

from __future__ import annotations

import abc
import contextlib
import math
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from components.image_example_gen.config import DataConfig
from components.image_example_gen.found import Block, Rejected
from components.image_example_gen.readers import npy
from components.image_example_gen.readers.idx import damaged, header_size, is_gzip, open_idx, read_shape
from components.image_example_gen.readers.npy import read_fully
from components.image_example_gen.splits import split_in_name, split_of_prefix
from components.image_example_gen.storage.files import FoundFile, join, printable
from serving.picture_files import Refused, check_size
from trainer.errors import InputError

ARRAY_SUFFIXES = (".npy", ".npz")
_IDX_IMAGES = re.compile(r"(?P<prefix>.*?)[-_.]?images?[-.]idx[34]-ubyte(?P<gzip>\.gz)?", re.IGNORECASE)
_IDX_LABELS = re.compile(r"(?P<prefix>.*?)[-_.]?labels?[-.]idx1-ubyte(?P<gzip>\.gz)?", re.IGNORECASE)
_BLOCK_BYTES = 1 << 20  # of pixels read at once


@dataclass(frozen=True)
class ArrayPictures(abc.ABC):
    """The pictures of one array.

    Attributes:
        path: Of the file, relative to the folder.
        labels: Of the file with their labels, or None.
        split: The split that the name or the folder says, or None.
        shape: (pictures, height, width) or (pictures, height, width, channels).
    """

    path: str
    labels: str | None
    split: str | None
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of pictures."""
        return self.shape[0]

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return (*self.shape[1:3], self.shape[3] if len(self.shape) == 4 else 1)

    def units(self, size: int) -> list[tuple[int, int]]:
        """The pictures divided into ranges of at most `size`; what is packed can only be read from its beginning."""
        if self.packed:
            return [(0, self.count)]
        return [(start, min(start + size, self.count)) for start in range(0, self.count, size)]

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Block | Rejected]:
        """Yields the pictures `start` to `stop`, about a megabyte at a time; or, if they are too large, why not.

        Raises:
            InputError: The file cannot be read that far.
        """
        try:
            check_size(self.shape[1:3], config.max_megapixels)
        except Refused as refused:
            yield from (Rejected(f"{self.name}#{number}", refused.reason) for number in range(start, stop))
            return
        size = math.prod(self.shape[1:])
        step = max(1, _BLOCK_BYTES // max(size, 1))
        labels = self.label_texts(folder, start, stop, config.label_names)
        try:
            with self.opened(folder) as stream:
                skip(stream, start * size)
                for at in range(start, stop, step):
                    count = min(step, stop - at)
                    levels = np.frombuffer(read_fully(stream, count * size), np.uint8)
                    yield Block(
                        self.name,
                        at,
                        labels[at - start : at - start + count],
                        self.split,
                        levels.reshape(count, *self.picture_shape),
                    )
                # Reading up to the very end makes gzip and zip compare their checksums.
                if stop == self.count and stream.read(1):
                    raise EOFError("it goes on behind its end")
        except npy.DAMAGED as error:
            raise damaged(join(folder, self.path), error) from error

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What its pictures are called, with a number behind it."""

    @property
    @abc.abstractmethod
    def packed(self) -> bool:
        """Whether it is compressed."""

    @abc.abstractmethod
    def opened(self, folder: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """The file as a stream that stands at the first pixel."""

    @abc.abstractmethod
    def label_values(self, folder: str, start: int, stop: int) -> np.ndarray:
        """The labels from `start` to `stop`, numbers or texts."""

    def label_texts(self, folder: str, start: int, stop: int, names: Sequence[str]) -> list[str]:
        """The labels by name.

        Raises:
            InputError: Names are given, but not for all of them.
        """
        if self.labels is None:
            return [""] * (stop - start)
        values = self.label_values(folder, start, stop)
        if names and np.issubdtype(values.dtype, np.integer) and len(values):
            lowest, largest = int(values.min()), int(values.max())
            if largest >= len(names) or lowest < 0:
                raise InputError(
                    f"{printable(join(folder, self.labels))} holds the label {largest if lowest >= 0 else lowest}, but "
                    f"data.label_names names only {len(names)} (0 to {len(names) - 1}): name them all, or none"
                )
            return [names[value] for value in values]
        if values.dtype.kind == "S":
            return [value.decode("utf-8", "replace") for value in values.tolist()]
        return [str(value) for value in values.tolist()]


@dataclass(frozen=True)
class IdxPictures(ArrayPictures):
    """The pictures of one IDX file."""

    @property
    def name(self) -> str:
        return self.path

    @property
    def packed(self) -> bool:
        return is_gzip(self.path)

    @contextlib.contextmanager
    def opened(self, folder: str) -> Iterator[BinaryIO]:
        with open_idx(join(folder, self.path)) as stream:
            skip(stream, header_size(len(self.shape)))
            yield stream

    def label_values(self, folder: str, start: int, stop: int) -> np.ndarray:
        path = join(folder, self.labels)
        try:
            with open_idx(path) as stream:
                skip(stream, header_size(1) + start)
                return np.frombuffer(read_fully(stream, stop - start), np.uint8)
        except npy.DAMAGED as error:
            raise damaged(path, error) from error


@dataclass(frozen=True)
class NumpyPictures(ArrayPictures):
    """The pictures of a .npy file, or of an array in a .npz file.

    Attributes:
        member: The array's name in the .npz file; '' for a .npy file.
        labels_member: The same for the labels.
    """

    member: str = ""
    labels_member: str = ""

    @property
    def name(self) -> str:
        return f"{self.path}/{self.member.removesuffix('.npy')}" if self.member else self.path

    @property
    def packed(self) -> bool:
        return bool(self.member)

    @contextlib.contextmanager
    def opened(self, folder: str) -> Iterator[BinaryIO]:
        with npy.open_npy(join(folder, self.path), self.member) as stream:
            npy.read_header(stream, self.name)
            yield stream

    def label_values(self, folder: str, start: int, stop: int) -> np.ndarray:
        values = npy.read_array(join(folder, self.labels), self.labels_member)
        values = values.reshape(-1)[start:stop]
        whole = values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.floor(values)).all()
        return values.astype(np.int64) if whole else values


def find_idx(folder: str, files: Sequence[FoundFile], split_of: Callable[[str], str | None]) -> list[IdxPictures]:
    """The IDX files of pictures among `files`, each with the labels beside it; headers are read.

    Args:
        folder: That their paths are relative to.
        files: All that may be such files.
        split_of: The split that the folder of a file says, or None; asked where its name says none.

    Raises:
        InputError: One is damaged, or its labels do not belong to it.
    """
    images, labels = (_by_prefix(files, pattern) for pattern in (_IDX_IMAGES, _IDX_LABELS))
    sizes = {file.path: file.size for file in files}
    found = []
    for key, path in sorted(images.items(), key=lambda item: item[1]):
        shape = read_shape(join(folder, path), sizes[path], ranks=(3, 4))
        beside = labels.get(key)
        if beside is not None:
            (count,) = read_shape(join(folder, beside), sizes[beside], ranks=(1,))
            _check_counts(join(folder, path), shape[0], beside, count)
        _check_shape(join(folder, path), shape)
        split = split_of_idx(path) or split_of(path)
        found.append(IdxPictures(path, beside, split, shape))
    return found


def split_of_idx(path: str) -> str | None:
    """The split that an IDX file's name says, or None."""
    return split_of_prefix(_IDX_IMAGES.fullmatch(posixpath.basename(path))["prefix"])


def is_idx(path: str) -> bool:
    """Whether a file is called like an IDX file of pictures or labels."""
    name = posixpath.basename(path)
    return bool(_IDX_IMAGES.fullmatch(name) or _IDX_LABELS.fullmatch(name))


def is_idx_images(path: str) -> bool:
    """Whether a file is called like an IDX file of pictures."""
    return bool(_IDX_IMAGES.fullmatch(posixpath.basename(path)))


def find_numpy(folder: str, files: Sequence[FoundFile], split_of: Callable[[str], str | None]) -> list[NumpyPictures]:
    """The arrays of pictures in NumPy's files, each with the labels that are called alike: x_train and y_train.

    See `find_idx` for the arguments.

    Raises:
        InputError: An array is damaged or no array of pictures, or its labels do not belong to it.
    """
    sizes = {
        (file.path, member): size for file in files for member, size in npy.members_of(join(folder, file.path), file.size).items()
    }
    headers = {key: npy.inspect(join(folder, key[0]), key[1], sizes[key]) for key in sorted(sizes)}
    labels = {_label_key(key): key for key, (shape, _) in headers.items() if _is_labels(shape)}
    found = []
    for key, (shape, dtype) in headers.items():
        if _is_labels(shape):
            continue
        path, member = key
        where = join(folder, f"{path}/{member}" if member else path)
        if dtype != np.uint8:
            raise InputError(f"{printable(where)} holds {dtype}, not uint8: save pictures as whole levels from 0 to 255")
        if len(shape) not in (3, 4):
            raise InputError(f"{printable(where)} has the shape {shape}: pictures are [n, height, width] or [n, height, width, c]")
        _check_shape(where, shape)
        beside = labels.get(_label_key(key)) or _only_labels(key, headers)
        if beside is not None:
            _check_counts(where, shape[0], "/".join(filter(None, beside)), headers[beside][0][0])
        stem = (member or posixpath.basename(path)).removesuffix(".npy")
        split = split_in_name(stem) or split_in_name(posixpath.basename(path).rsplit(".", 1)[0])
        split = split or split_of(path)
        found.append(NumpyPictures(path, beside and beside[0], split, shape, member, beside[1] if beside else ""))
    return found


def _is_labels(shape: tuple[int, ...]) -> bool:
    return len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)


def _label_key(key: tuple[str, str]) -> tuple[str, str, str]:
    """What an array of pictures and that of its labels have in common: their folder or file, and the rest of the name."""
    path, member = key
    folder, name = (path, member) if member else posixpath.split(path)
    words = re.split(r"[-_.]", name.removesuffix(".npy").lower())
    rest = "-".join(word for word in words if word not in ("x", "y", "images", "image", "labels", "label", "data", "targets"))
    return ("npz" if member else "npy", folder, rest)


def _only_labels(key: tuple[str, str], headers: dict[tuple[str, str], tuple]) -> tuple[str, str] | None:
    """The labels of a .npz file that has but one array of pictures and one of as many labels, whatever they are called."""
    path, member = key
    if not member:
        return None
    others = {other: shape for other, (shape, _) in headers.items() if other[0] == path and other != key}
    labels = [other for other, shape in others.items() if _is_labels(shape) and shape[0] == headers[key][0][0]]
    return labels[0] if len(others) == 1 and labels else None


def _by_prefix(files: Iterable[FoundFile], pattern: re.Pattern[str]) -> dict[tuple[str, str], str]:
    """Maps (folder, prefix) to a file; of a file and the same one packed beside it, the unpacked one."""
    found: dict[tuple[str, str], str] = {}
    for file in sorted(files, key=lambda file: file.path):
        folder, name = posixpath.split(file.path)
        match = pattern.fullmatch(name)
        if match and not (match["gzip"] and (folder, match["prefix"]) in found):
            found[folder, match["prefix"]] = file.path
    return found


def _check_counts(images: str, pictures: int, labels: str, count: int) -> None:
    if count != pictures:
        raise InputError(
            f"{printable(images)} holds {pictures:,} pictures, but {printable(labels)} {count:,} labels: "
            "they do not belong together"
        )


def _check_shape(where: str, shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise InputError(f"{printable(where)} holds no pictures: its header says {' x '.join(map(str, shape))}")
    if len(shape) == 4 and shape[3] not in (1, 3, 4):
        hint = "; put the channels last" if shape[1] in (1, 3, 4) else ""
        raise InputError(f"{printable(where)} has {shape[3]} channels: only 1 (grey), 3 and 4 (colour) are read{hint}")


def skip(stream: BinaryIO, count: int) -> None:
    """Goes so many bytes on in a stream; one that cannot seek is read."""
    if not count:
        return
    try:
        stream.seek(count, 1)
    except (OSError, AttributeError, NotImplementedError):
        while count:
            count -= len(read_fully(stream, min(count, 1 << 20)))
