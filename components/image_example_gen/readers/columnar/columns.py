"""Identify the columns of pictures and labels in Parquet and Arrow files, as Hugging Face writes them.

A column of pictures holds a file's bytes, or a structure of `bytes` and `path`. The names of integer labels are in the
schema's metadata, under the key `huggingface`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.readers.beginnings import with_names
from components.image_example_gen.readers.own_labels import SPLIT_NAMES, rank, split_said

if TYPE_CHECKING:
    import pyarrow as pa

# In order of priority; case is ignored.
IMAGE_NAMES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "image_bytes", "img_bytes", "bytes", "content")
LABEL_NAMES = (
    *("label", "class", "category", "target", "fine_label", "coarse_label", "label_name", "class_name", "label_text"),
    *("labels", "classes", "categories", "targets", "class_label", "label_id", "class_id", "category_id", "cls", "y"),
)

_PYTHON_TYPE = "arrow.py_extension_type"
_Kinds = dict[str, Any]  # the types of columns, by name
TableRow = tuple["bytes | None", bool, str, str]  # a picture's bytes, whether the row names a file, label, split


@dataclass(frozen=True)
class Columns:
    """The columns to read. Each is a path: a column's name, followed by names of nested fields."""

    image: tuple[str, ...]  # the column with picture files' bytes
    file: tuple[str, ...] = ()  # the column with the names of these files; () if there is none
    label: tuple[str, ...] = ()  # the column with their labels; () if there is none
    names: tuple[str, ...] = ()  # the file's names of integer labels
    split: tuple[str, ...] = ()  # the column with the pictures' splits; () if there is none, or if splits are ignored
    split_names: tuple[str, ...] = ()  # the file's names of integer splits
    notes: tuple[str, ...] = ()  # notes for the user, one line each

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """All columns to read."""
        return [path for path in (self.image, self.file, self.label, self.split) if path]


@functools.cache
def load_pyarrow() -> Any:
    """Import pyarrow, and make it safe for untrusted files.

    Before version 14.0.1, it unpickled Python extension types, so a file could run any program (CVE-2023-47248). Later versions
    refuse the whole file. Here, such a column is read as its storage type.
    """
    import pyarrow

    class Stored(pyarrow.ExtensionType):
        """A Python extension type that is not loaded."""

        def __init__(self, stored: pyarrow.DataType):
            super().__init__(stored, _PYTHON_TYPE)

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, stored: pyarrow.DataType, serialized: bytes) -> Stored:
            return cls(stored)

    try:
        pyarrow.unregister_extension_type(_PYTHON_TYPE)
    except KeyError:  # this version does not register the type, and reads the column as its storage type
        return pyarrow
    pyarrow.register_extension_type(Stored(pyarrow.null()))  # pyarrow itself unregisters the name at exit
    return pyarrow


def choose_columns(schema: pa.Schema, config: DataConfig) -> Columns | str:
    """Return the columns of pictures and labels, or the reason for having none, in under 120 characters.

    Pictures are in the column named by `data.record_image`, else in the first that the metadata calls an image, else in the first
    with a usual name, else in the only one of bytes. Labels are in the column named by `data.record_label`, else in the first with
    a usual name; columns with names or text have priority over plain numbers.
    """
    features = _features(schema)
    kinds: _Kinds = {}
    for field in schema:
        kinds.setdefault(field.name, field.type)
    image = _image(kinds, config.record_image, features)
    if isinstance(image, str):
        return image
    if config.record_label is None:
        label, notes = _usual_label(kinds, features, image.image[0])
    else:
        label, notes = _path_to(kinds, config.record_label), ()
        kind = _type_at(kinds, label)
        if kind is None or not _is_label(kind):
            problem = f"the column {config.record_label} holds no single label" if kind else f"no column {config.record_label}"
            return with_names(f"{problem}; it has ", kinds, ": data.record_label names one")
    split, more = _usual_split(kinds, features, {*image.image[:1], *label}) if config.heeds_splits else ((), ())
    names = (_names_of(features, path) for path in (label, split))
    return Columns(image.image, image.file, label, next(names), split, next(names), image.notes + notes + more)


def find_array(batch: Any, path: Sequence[str]) -> pa.Array:
    """Return the array at a path within a batch, with nulls also where a parent is null."""
    array = batch.column(batch.schema.names.index(path[0]))
    for name in path[1:]:
        index = [field.name for field in array.type].index(name)
        array = array.flatten()[index]
    return array


def label_texts(values: Iterable[Any], given: Sequence[str], own: Sequence[str]) -> list[str]:
    """Return labels as text: '' for none; integers by the given names, else by the file's own, else as digits."""
    return ["" if value == -1 and own else _label_text(value, given or own) for value in values]  # Hugging Face hides labels as -1


def take_pictures(
    path: str, first: int, rows: Iterable[TableRow], split: str | None, most_megabytes: float
) -> Iterator[Encoded | Rejected]:
    """Yield the pictures of rows, whose first has index `first`; `split` is the split of rows without one."""
    for number, (data, names_file, label, own) in enumerate(rows, first):
        name = f"{path}#{number}"
        if not data:
            yield Rejected(name, reasons.ROW_ONLY_NAMED if names_file else reasons.ROW_WITHOUT_PICTURE)
        elif len(data) > most_megabytes * 1e6:
            yield Rejected(name, reasons.TOO_LARGE.format(most_megabytes))
        else:
            yield Encoded(name, label, split_said(own) or split, data)


def _label_text(value: Any, names: Sequence[str]) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and 0 <= value < len(names):
        return str(names[value])
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _features(schema: pa.Schema) -> dict[str, dict]:
    """Return Hugging Face's description of each column."""
    try:
        result = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in result.items() if isinstance(feature, dict)}
    except Exception:  # no metadata, or not by Hugging Face
        return {}


def _image(kinds: _Kinds, named: str | None, features: dict[str, dict]) -> Columns | str:
    if named is not None:
        path = _path_to(kinds, named)
        result = _picture_at(kinds, path)
        problem = f"the column {named} holds no pictures" if path else f"no column {named}"
        return result or with_names(f"{problem}; it has ", kinds, ": data.record_image names one")
    by_type = [name for name, feature in features.items() if feature.get("_type") == "Image" and name in kinds]
    by_name = sorted((name for name in kinds if name.casefold() in IMAGE_NAMES), key=lambda name: rank(name, IMAGE_NAMES))
    of_bytes = [name for name in kinds if _picture_at(kinds, (name,))]
    by_type.sort(key=lambda name: rank(name, IMAGE_NAMES))
    for names in (by_type, by_name, of_bytes if len(of_bytes) == 1 else []):
        fitting = {name: result for name in names if (result := _picture_at(kinds, (name,)))}
        if fitting:
            first, *others = fitting
            notes = tuple(f"the column {name} of pictures is not used: data.record_image names it" for name in others)
            return replace(fitting[first], notes=notes)
    of_lists = [name for name in (*by_name, *kinds) if _is_list_of_pictures(kinds[name])]
    if of_lists:
        return with_names("the column ", of_lists[:1], " holds lists of pictures, which are not read")
    return with_names("no column of pictures; it has ", kinds, ": data.record_image names one")


def _usual_label(kinds: _Kinds, features: dict[str, dict], image: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    result, notes = [], []
    for index, (name, kind) in enumerate(kinds.items()):
        named = features.get(name, {}).get("_type") == "ClassLabel"
        if name == image or not (named or name.casefold() in LABEL_NAMES) or _is_of_splits(name, kind, features):
            continue
        if not _is_label(kind):
            notes.append(f"the column {name} is not used for labels: it holds no single text or whole number")
            continue
        speaks = named or not _is_number(kind)
        result.append((not speaks, rank(name, LABEL_NAMES), index, name))
    result.sort()
    others = (f"the column {name} is not used: data.record_label names it" for *_, name in result[1:])
    return tuple(name for *_, name in result[:1]), (*others, *notes)


def _usual_split(kinds: _Kinds, features: dict[str, dict], taken: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the column of splits, which holds text or named numbers; and notes on one that does not."""
    usual = (name for name in kinds if name.casefold() in SPLIT_NAMES and name not in taken)
    for name in sorted(usual, key=lambda name: rank(name, SPLIT_NAMES)):
        if _is_of_splits(name, kinds[name], features):
            return (name,), ()
        if name.casefold() == SPLIT_NAMES[0]:
            return (), (f"the column {name} is not used for splits: it holds no text",)
    return (), ()


def _is_of_splits(name: str, kind: pa.DataType, features: dict[str, dict]) -> bool:
    """Return whether a column has a split's name, and holds text, or numbers of which some are named like splits."""
    if name.casefold() not in SPLIT_NAMES or not _is_label(kind):
        return False
    return not _is_number(kind) or any(map(split_said, _names_of(features, (name,))))


def _names_of(features: dict[str, dict], label: tuple[str, ...]) -> tuple[str, ...]:
    feature: Any = features
    for name in label:
        feature = feature.get(name) if isinstance(feature, dict) else None
    names = feature.get("names") if label and isinstance(feature, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _path_to(kinds: _Kinds, named: str) -> tuple[str, ...]:
    """Return the path that a user writes with dots between the names; () if it does not exist."""
    if named in kinds:
        return (named,)
    path = tuple(named.split("."))
    return path if _type_at(kinds, path) is not None else ()


def _type_at(kinds: _Kinds, path: Sequence[str]) -> pa.DataType | None:
    types = load_pyarrow().types
    if not path or path[0] not in kinds:
        return None
    kind = kinds[path[0]]
    for name in path[1:]:
        inside = {field.name: field.type for field in kind} if types.is_struct(kind) else {}
        if name not in inside:
            return None
        kind = inside[name]
    return kind


def _picture_at(kinds: _Kinds, path: tuple[str, ...]) -> Columns | None:
    """Return the column of picture files' bytes at a path, or of the only such field of the structure there."""
    types, kind = load_pyarrow().types, _type_at(kinds, path)
    if kind is None:
        return None
    if _is_bytes(kind):
        return Columns(path)
    if not types.is_struct(kind):
        return None
    inside = {field.name: field.type for field in kind}
    of_bytes = [name for name, each in inside.items() if _is_bytes(each)]
    if "bytes" not in of_bytes and len(of_bytes) != 1:
        return None
    file = (*path, "path") if types.is_string(inside.get("path", kind)) else ()
    return Columns((*path, "bytes" if "bytes" in of_bytes else of_bytes[0]), file)


def _is_bytes(kind: pa.DataType) -> bool:
    types = load_pyarrow().types
    return types.is_binary(kind) or types.is_large_binary(kind)


def _is_list_of_pictures(kind: pa.DataType) -> bool:
    types = load_pyarrow().types
    if not (types.is_list(kind) or types.is_large_list(kind)):
        return False
    inside = kind.value_type
    return _is_bytes(inside) or (types.is_struct(inside) and any(_is_bytes(field.type) for field in inside))


def _is_label(kind: pa.DataType) -> bool:
    types = load_pyarrow().types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return _is_number(kind) or types.is_string(kind) or types.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    types = load_pyarrow().types
    return types.is_integer(kind) or types.is_boolean(kind)
