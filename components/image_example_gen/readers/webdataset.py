"""Read labels and splits beside their pictures in an archive, as in WebDataset: 000001.png, 000001.cls, 000001.json."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.names import is_picture
from components.image_example_gen.readers.own_labels import SPLIT_NAMES, OwnSplits, split_said
from components.image_example_gen.storage.archive_members import Member

_CLASS, _JSON = "cls", "json"
_ENDS = {"cls": _CLASS, "cls.txt": _CLASS, "json": _JSON}
_KEYS = ("label", "class", "cls", "class_name", "label_name")  # case is ignored
_MAX_BYTES = 1 << 20  # of a file with a label
_MAX_LETTERS = 200  # of a label: longer ones are captions
_LOOKED_INTO = 32  # JSON files inspected for labels
_MAX_PICTURES = 100  # of one sample that are held back until its label is found


@functools.lru_cache(4)  # called several times for one file
def key_of(name: str) -> tuple[str, str]:
    """Return the common key of a sample's files, and the rest of the name: a/1.left.png gives a/1, left.png."""
    folder, slash, base = name.rpartition("/")
    first, _, rest = base.partition(".")
    return f"{folder}{slash}{first}", rest.lower()


def kind_of(name: str) -> str:
    """Return the kind of a label file by its name; '' for other files."""
    return _ENDS.get(key_of(name)[1], "")


def read_beside(member: Member, names: Sequence[str]) -> tuple[str, str]:
    """Return the label, with the `names` of the labels 0, 1, 2 ..., and the split in a file of an archive; '' for none."""
    split = ""
    if member.open is None or member.size > _MAX_BYTES:
        return "", ""
    try:
        with member.open() as stream:
            text = stream.read(_MAX_BYTES).decode("utf-8-sig").strip()
        label, split = _in_json(json.loads(text)) if kind_of(member.name) == _JSON else (text, "")
    except Exception:  # parsers raise many types of errors on arbitrary bytes
        return "", ""
    if not 0 < len(label) <= _MAX_LETTERS or not label.isprintable():
        return "", split
    number = int(label) if label.isascii() and label.isdigit() else -1
    return (names[number] if 0 <= number < len(names) else label), split


def _in_json(values: object) -> tuple[str, str]:
    if not isinstance(values, dict):
        return "", ""
    values = {key.casefold(): value for key, value in values.items()} | values
    result = (values[key] for key in _KEYS if key in values)
    label = next((str(value).strip() for value in result if isinstance(value, (str, int)) and not isinstance(value, bool)), "")
    splits = {key: values[key] for key in SPLIT_NAMES if isinstance(values.get(key), str)}
    return label, next((split for split in splits.values() if split_said(split)), splits.get(SPLIT_NAMES[0], ""))


class LabelSurvey:
    """Find the kinds of files in an archive that hold labels, or splits, of the pictures beside them."""

    def __init__(self) -> None:
        self._key = ""
        self._beside: set[str] = set()  # kinds, and "picture", of the current sample
        self._looked_into = 0
        self._used: set[str] = set()
        self.unused = 0  # class files without a picture of the same name
        self._classes = 0  # class files of the current sample
        self._split = ""  # split of the current sample
        self._say_splits = False  # whether any inspected file has a split: then all files are inspected
        self.splits = OwnSplits()

    def add(self, member: Member) -> None:
        """Add a file that is not rejected."""
        key, _ = key_of(member.name)
        if key != self._key:
            self._close()
            self._key = key
        kind = kind_of(member.name)
        if is_picture(member.name):
            self._beside.add("picture")
        elif kind == _CLASS:
            self._classes += 1
            self._beside.add(kind)
        elif kind and (self._looked_into < _LOOKED_INTO or self._say_splits):
            self._looked_into += 1
            label, split = read_beside(member, ())
            self._say_splits |= split != ""
            self._split = split or self._split
            if label:
                self._beside.add(kind)

    def used(self) -> frozenset[str]:
        """Return the kinds of files that labels are taken from."""
        self._close()
        return frozenset(self._used)

    def _close(self) -> None:
        if "picture" in self._beside:
            self._used |= self._beside - {"picture"}
            self.splits.add([self._split])
        else:
            self.unused += self._classes
        self._beside, self._classes, self._split = set(), 0, ""


@dataclass
class Sample:
    """Hold back the pictures of a sample until it ends, because its label may follow them."""

    kinds: Collection[str]  # the kinds of files that labels are taken from; if empty, no picture waits for a label
    names: Sequence[str]  # of the labels 0, 1, 2 ...
    max_bytes: float  # maximum number of bytes to hold back
    says_splits: bool = False  # whether JSON files beside pictures contain their splits
    _key: str = ""
    _split: str | None = None
    _labels: dict[str, str] = field(default_factory=dict)
    _held: list[Encoded | Rejected] = field(default_factory=list)
    _bytes: int = 0

    def enter(self, member: Member) -> Iterator[Encoded | Rejected]:
        """Add a file's name, and its label if it holds one; yield the pictures of the sample that ends before it."""
        if not self._waits or member.refused:
            return
        key, _ = key_of(member.name)
        if key != self._key:
            yield from self.release()
            self._key, self._labels, self._split = key, {}, None
        kind = kind_of(member.name)
        if kind in self.kinds or (self.says_splits and kind == _JSON):
            label, split = read_beside(member, self.names)
            if kind in self.kinds:
                self._labels[kind] = label
            if self.says_splits:
                self._split = split_said(split) or self._split

    def hold(self, item: Encoded | Rejected) -> Iterator[Encoded | Rejected]:
        """Add a picture of the current sample; yield pictures that are not held back."""
        self._held.append(item)
        self._bytes += len(item.data) if isinstance(item, Encoded) else 0
        if not self._waits or len(self._held) > _MAX_PICTURES or self._bytes > self.max_bytes:
            yield from self.release()

    def release(self) -> Iterator[Encoded | Rejected]:
        """Yield the held pictures, with the label and the split that were found."""
        held, self._held, self._bytes = self._held, [], 0
        label = self._labels.get(_CLASS) or self._labels.get(_JSON)
        for item in held:
            if isinstance(item, Encoded) and (label or self._split):
                item = replace(item, label=label or item.label, split=self._split or item.split)
            yield item

    @property
    def _waits(self) -> bool:
        return bool(self.kinds) or self.says_splits
