"""What the names of arrays and of their files say: pictures or labels, and which belong together."""

from __future__ import annotations

import posixpath
import re

from components.image_example_gen.splits import split_in_name, split_of_prefix

ARRAY_SUFFIXES = (".npy", ".npz", ".mat", ".h5", ".hdf5", ".hdf")
_TYPES = "(ubyte|byte|short|int|long|float|double)"
_IDX_IMAGES = re.compile(rf"(?P<prefix>.*?)[-_.]?images?[-.]idx[34]-{_TYPES}(?P<gzip>\.gz)?", re.IGNORECASE)
_IDX_LABELS = re.compile(rf"(?P<prefix>.*?)[-_.]?labels?[-.]idx[12]-{_TYPES}(?P<gzip>\.gz)?", re.IGNORECASE)
_PICTURE_WORDS = frozenset(
    ("x", "image", "images", "img", "imgs", "picture", "pictures", "data", "pixels", "photo", "photos", "face", "faces")
)
# The first of them that an array is called is taken, where several arrays are called like labels.
_LABEL_WORDS = ("labels", "label", "y", "targets", "target", "classes", "class", "ans", "answers", "lbl", "lbls", "digit")
_SHARED_WORDS = frozenset(("data", "set"))
_NEVER_PICTURES = frozenset(("latent", "latents", "embedding", "embeddings"))
_NAMING_WORDS = frozenset(("classes", "names", "categories"))


def is_array(path: str) -> bool:
    """Whether a file is called like one that holds arrays: IDX, .npy, .npz, .mat or HDF5."""
    return is_idx(path) or path.lower().endswith(ARRAY_SUFFIXES)


def is_idx(path: str) -> bool:
    """Whether a file is called like an IDX file of pictures or labels."""
    return is_idx_images(path) or idx_labels_key(path) is not None


def is_idx_images(path: str) -> bool:
    """Whether a file is called like an IDX file of pictures."""
    return bool(_IDX_IMAGES.fullmatch(posixpath.basename(path)))


def is_packed_idx(path: str) -> bool:
    """Whether an IDX file is called like a packed one."""
    return is_idx(path) and path.lower().endswith(".gz")


def split_of_idx(path: str) -> str | None:
    """The split that an IDX file's name says, or None."""
    match = _IDX_IMAGES.fullmatch(posixpath.basename(path))
    return split_of_prefix(match["prefix"]) if match else None


def idx_images_key(path: str) -> tuple[str, str] | None:
    """What an IDX file of pictures and that of its labels have in common: folder and prefix; None for another file."""
    return _idx_key(path, _IDX_IMAGES)


def idx_labels_key(path: str) -> tuple[str, str] | None:
    """The same for an IDX file of labels."""
    return _idx_key(path, _IDX_LABELS)


def says_its_split(path: str) -> bool:
    """Whether the name of a file of arrays says which split its pictures belong to; labels say nothing of it."""
    if is_idx(path):
        return not is_idx_images(path) or split_of_idx(path) is not None
    stem = stem_of(path)
    return split_in_name(stem) is not None or (_is_labels(stem) and not _is_pictures(stem))


def split_of_array(path: str, name: str) -> str | None:
    """The split that the name of an array, or else of its file, says; or None."""
    if is_idx(path):
        return split_of_idx(path)
    return split_in_name(name.replace("/", "_")) or split_in_name(stem_of(path))


def stem_of(path: str) -> str:
    """The name of a file without its suffix."""
    return posixpath.splitext(posixpath.basename(path))[0]


def file_key(path: str) -> tuple[str, ...]:
    """What a file of pictures and one of their labels have in common: folder, and the rest of the name."""
    return (posixpath.dirname(path), *_rest(stem_of(path)))


def array_key(name: str) -> tuple[str, ...]:
    """The same of two arrays in one file."""
    return _rest(name)


def label_rank(name: str) -> int | None:
    """The place of an array's name among those of labels, 0 for the likeliest; None where it is called otherwise."""
    words = _words(name)
    return next((rank for rank, word in enumerate(_LABEL_WORDS) if word in words), None)


def is_called_labels(name: str) -> bool:
    """Whether a name is that of labels and not that of pictures."""
    return _is_labels(name) and not _is_pictures(name)


def is_called_pictures(name: str) -> bool:
    """Whether a name is that of pictures."""
    return _is_pictures(name) and not _is_labels(name)


def is_no_pictures(name: str) -> bool:
    """Whether a name says that an array holds no pictures, whatever its shape."""
    return is_called_labels(name) or bool(_NEVER_PICTURES.intersection(_words(name)))


def names_labels(name: str) -> bool:
    """Whether an array is called like the names of the labels 0, 1, 2 ..."""
    return bool(_NAMING_WORDS.intersection(_words(name)))


def _idx_key(path: str, pattern: re.Pattern[str]) -> tuple[str, str] | None:
    folder, name = posixpath.split(path)
    match = pattern.fullmatch(name)
    return (folder, match["prefix"].lower()) if match else None


def _words(name: str) -> list[str]:
    """The words of a name in small letters: x and train of x_train, trainX, X-train and train/x."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[-_./\s]+", name.lower()) if word]


def _is_labels(name: str) -> bool:
    return label_rank(name) is not None


def _is_pictures(name: str) -> bool:
    return bool(_PICTURE_WORDS.intersection(_words(name)))


def _rest(name: str) -> tuple[str, ...]:
    dropped = _PICTURE_WORDS.union(_LABEL_WORDS, _SHARED_WORDS)
    return tuple(word for word in _words(name) if word not in dropped)
