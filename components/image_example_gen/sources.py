"""Finds the pictures of a folder without reading any."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from components.image_example_gen.files import FoundFile, is_remote, join, list_files, printable
from components.image_example_gen.idx import read_shape
from components.image_example_gen.splits import split_of_folder, split_of_prefix
from trainer.errors import InputError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp")
# Pictures of kinds that are not read: taken up all the same, so that each is refused by name and not passed over.
OTHER_SUFFIXES = (".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".ico", ".tga")

_IDX_IMAGES = re.compile(r"(?P<prefix>.*?)[-_.]?images?[-.]idx[34]-ubyte(?P<gzip>\.gz)?", re.IGNORECASE)
_IDX_LABELS = re.compile(r"(?P<prefix>.*?)[-_.]?labels?[-.]idx1-ubyte(?P<gzip>\.gz)?", re.IGNORECASE)
_LOOKED_FOR = f"looked for {' '.join(PICTURE_SUFFIXES)} and IDX files (...-images-idx3-ubyte, also .gz)"


@dataclass(frozen=True)
class IdxPictures:
    """The pictures of one IDX file.

    Attributes:
        images: Its path relative to the folder.
        labels: The path of the label file beside it, or None.
        split: The split that its name or its folder says, or None.
        shape: (pictures, height, width) or (pictures, height, width, channels).
    """

    images: str
    labels: str | None
    split: str | None
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Sources:
    """What a folder holds.

    Attributes:
        folder: The folder.
        files: All files that are read, sorted by path.
        pictures: The paths of the picture files, relative, sorted.
        idx: The IDX files, sorted by path.
        split_folders: Whether the first folder of each picture's path names its split; if not, it is a label.
    """

    folder: str
    files: tuple[FoundFile, ...]
    pictures: tuple[str, ...]
    idx: tuple[IdxPictures, ...]
    split_folders: bool

    @property
    def count(self) -> int:
        """The number of pictures, readable or not."""
        return len(self.pictures) + sum(idx.shape[0] for idx in self.idx)

    def split_of(self, picture: str) -> str | None:
        """The split of a picture file's folder, or None."""
        return split_of_folder(picture) if self.split_folders else None

    def splits(self) -> set[str | None]:
        """The splits that folders and IDX files say; None among them where some say nothing."""
        return {self.split_of(path) for path in self.pictures} | {idx.split for idx in self.idx}

    def fingerprint(self) -> str:
        """A hash that changes when a file is added, removed, renamed or edited: SHA-256 of paths, sizes and times."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.path}\0{file.size}\0{file.mtime_ns}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def find_sources(folder: str) -> Sources:
    """Finds the pictures below `folder`; of IDX files it reads the headers.

    Raises:
        InputError: The folder does not exist, holds no picture, or none to train on; a split's folder is empty; an IDX file
            is damaged.
    """
    files = list_files(folder)
    pictures = tuple(file.path for file in files if file.path.lower().endswith(PICTURE_SUFFIXES + OTHER_SUFFIXES))
    pairs = _idx_pairs(files)
    if not pictures and not pairs:
        raise InputError(f"no pictures in {printable(folder)}: {_LOOKED_FOR}; found {_what_is_there(files)}")
    undecided = [*pictures, *(images for images in pairs if _prefix_split(images) is None)]
    split_folders = bool(undecided) and all(split_of_folder(path) for path in undecided)
    if split_folders:
        _check_split_folders(folder, undecided)
    sizes = {file.path: file.size for file in files}
    idx = tuple(_inspect(folder, images, labels, sizes, split_folders) for images, labels in pairs.items())
    wanted = {*pictures, *pairs, *pairs.values()}
    sources = Sources(folder, tuple(file for file in files if file.path in wanted), pictures, idx, split_folders)
    _check_trainable(sources)
    return sources


def _idx_pairs(files: Iterable[FoundFile]) -> dict[str, str | None]:
    """Maps the path of each IDX file of images to that of its labels, or to None."""
    images = _by_prefix(files, _IDX_IMAGES)
    labels = _by_prefix(files, _IDX_LABELS)
    return {path: labels.get(key) for key, path in images.items()}


def _by_prefix(files: Iterable[FoundFile], pattern: re.Pattern[str]) -> dict[tuple[str, str], str]:
    """Maps (folder, prefix) to a file; of a file and the same one packed beside it, the unpacked one."""
    found: dict[tuple[str, str], str] = {}
    for file in files:
        folder, name = posixpath.split(file.path)
        match = pattern.fullmatch(name)
        if match and not (match["gzip"] and (folder, match["prefix"]) in found):
            found[folder, match["prefix"]] = file.path
    return found


def _prefix_split(images: str) -> str | None:
    return split_of_prefix(_IDX_IMAGES.fullmatch(posixpath.basename(images))["prefix"])


def _inspect(folder: str, images: str, labels: str | None, sizes: dict[str, int], split_folders: bool) -> IdxPictures:
    """Checks an IDX file and its labels by their headers."""
    path = join(folder, images)
    shape = read_shape(path, sizes[images], ranks=(3, 4))
    if 0 in shape:
        raise InputError(f"{printable(path)} holds no pictures: its header says {' x '.join(map(str, shape))}")
    if len(shape) == 4 and shape[3] not in (1, 3, 4):
        raise InputError(f"{printable(path)} has {shape[3]} channels: only 1 (grey), 3 and 4 (colour) are read")
    if labels is not None:
        (count,) = read_shape(join(folder, labels), sizes[labels], ranks=(1,))
        if count != shape[0]:
            raise InputError(
                f"{printable(path)} holds {shape[0]:,} pictures, but {printable(labels)} {count:,} labels: "
                "they do not belong together"
            )
    split = _prefix_split(images) or (split_of_folder(images) if split_folders else None)
    return IdxPictures(images, labels, split, shape)


def _check_trainable(sources: Sources) -> None:
    splits = sources.splits()
    if not splits & {"train", None}:
        raise InputError(
            f"no pictures to train on in {printable(sources.folder)}: all belong to {' and '.join(sorted(splits))}; "
            "add a folder 'train', or give the folder above where those names are labels"
        )


def _check_split_folders(folder: str, pictures: Iterable[str]) -> None:
    """Refuses an empty folder that is called like a split: its pictures are missing, not to be taken from elsewhere."""
    if is_remote(folder):  # object stores have no empty folders
        return
    filled = {split_of_folder(path) for path in pictures}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        split = split_of_folder(f"{entry.name}/")
        if split and split not in filled and entry.is_dir():
            raise InputError(
                f"the split {split!r} is empty: there are no pictures in {printable(entry.path)}; "
                "add some, or remove the folder, and a share of the training pictures is taken"
            )


def _what_is_there(files: Iterable[FoundFile]) -> str:
    kinds = Counter(posixpath.splitext(file.path)[1].lower() or "without a suffix" for file in files)
    return ", ".join(f"{count:,} {printable(kind)}" for kind, count in kinds.most_common(5)) or "nothing"
