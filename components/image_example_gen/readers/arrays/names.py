"""Interpret the names of arrays and of their files: pictures or labels, and which belong together."""

from __future__ import annotations

import posixpath
import re

from components.image_example_gen.splits import split_in_name, split_of_prefix

ARRAY_SUFFIXES = (".npy", ".npz", ".mat", ".h5", ".hdf5", ".hdf")
_IDX = re.compile(
    r"(?P<prefix>.*?)[-_.]?((?P<images>images?[-.]idx[34])|labels?[-.]idx[12])-(ubyte|byte|short|int|long|float|double)(\.gz)?",
    re.IGNORECASE,
)
_PICTURE_WORDS = {
    "x",
    "image",
    "images",
    "img",
    "imgs",
    "picture",
    "pictures",
    "data",
    "pixels",
    "photo",
    "photos",
    "face",
    "faces",
}
# In order of priority, if several arrays have names of labels.
_LABEL_WORDS = ("labels", "label", "y", "targets", "target", "classes", "class", "ans", "answers", "lbl", "lbls", "digit")
_IGNORED_WORDS = _PICTURE_WORDS.union(_LABEL_WORDS, ("data", "set"))  # where names of pictures and their labels are compared
_NEVER_PICTURES = {"latent", "latents", "embedding", "embeddings"}
_NAMING_WORDS = {"classes", "names", "categories"}


def is_array(path: str) -> bool:
    """Return whether a file has the name of an array file: IDX, .npy, .npz, .mat or HDF5."""
    return is_idx(path) or path.lower().endswith(ARRAY_SUFFIXES)


def is_idx(path: str) -> bool:
    """Return whether a file has the name of an IDX file of pictures or labels."""
    return _idx(path) is not None


def is_idx_images(path: str) -> bool:
    """Return whether a file has the name of an IDX file of pictures."""
    match = _idx(path)
    return bool(match and match["images"])


def is_idx_labels(path: str) -> bool:
    """Return whether a file has the name of an IDX file of labels."""
    return is_idx(path) and not is_idx_images(path)


def says_its_split(path: str) -> bool:
    """Return whether a container file's name defines the split of its pictures; IDX files of labels need none."""
    if is_idx(path):
        return is_idx_labels(path) or split_of_array(path, "") is not None
    return split_in_name(posixpath.basename(path)) is not None


def split_of_array(path: str, name: str) -> str | None:
    """Return the split in the name of an array, or else of its file; or None."""
    if match := _idx(path):
        return split_of_prefix(match["prefix"]) if match["images"] else None
    return split_in_name(name.replace("/", "_")) or split_in_name(stem_of(path))


def stem_of(path: str) -> str:
    """Return the name of a file without its suffix."""
    return posixpath.splitext(posixpath.basename(path))[0]


def file_key(path: str) -> tuple[str, ...]:
    """Return the key that a file of pictures shares with one of their labels: folder, and the rest of the name."""
    if match := _idx(path):
        return "idx", posixpath.dirname(path), match["prefix"].lower()
    return (posixpath.dirname(path), *array_key(stem_of(path)))


def array_key(name: str) -> tuple[str, ...]:
    """Return the key that an array of pictures shares with its labels in the same file."""
    return tuple(word for word in _words(name) if word not in _IGNORED_WORDS)


def label_rank(name: str) -> int | None:
    """Return the rank of an array's name among those of labels, 0 for the most likely; None for other names."""
    parts = _words(name)
    return next((rank for rank, word in enumerate(_LABEL_WORDS) if word in parts), None)


def is_called_labels(name: str) -> bool:
    """Return whether a name is that of labels and not that of pictures."""
    return label_rank(name) is not None and _PICTURE_WORDS.isdisjoint(_words(name))


def is_called_pictures(name: str) -> bool:
    """Return whether a name is that of pictures and not that of labels."""
    return label_rank(name) is None and not _PICTURE_WORDS.isdisjoint(_words(name))


def is_no_pictures(name: str) -> bool:
    """Return whether a name excludes that an array holds pictures, whatever its shape."""
    return is_called_labels(name) or bool(_NEVER_PICTURES.intersection(_words(name)))


def names_labels(name: str) -> bool:
    """Return whether an array's name is that of a list of names of the labels 0, 1, 2 ..."""
    return bool(_NAMING_WORDS.intersection(_words(name)))


def _words(name: str) -> list[str]:
    """Return the words of a name in lower case: x and train of x_train, trainX, X-train and train/x."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[-_./\s]+", name.lower()) if word]


def _idx(path: str) -> re.Match[str] | None:
    return _IDX.fullmatch(posixpath.basename(path))
