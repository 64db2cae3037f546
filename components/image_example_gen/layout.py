"""Interpret the folders of pictures: their splits and labels. One rule for folders, archives and manifests."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from common.errors import InputError
from components.image_example_gen.names import ending
from components.image_example_gen.splits import split_in_name, split_named
from components.image_example_gen.storage.files import printable

_DEPTHS = 64  # folders from the top that are searched for names of splits; a deeper one stops the run
_KEPT = 200  # distinct names kept per depth; each picture may have its own folder


def composed(text: str) -> str:
    """Return text in Unicode form NFC: file systems differ in the form that they store."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@dataclass(frozen=True)
class Labels:
    """The rule for a picture file's label and split by its path."""

    depth: int | None = None  # number of folders above the one that names the split; None if none does, so that all are labels
    dropped: int = 0  # number of leading folders of a path to ignore, because all pictures are in them
    repeated: bool = False  # whether the split's folder holds a folder of the same name, which is ignored too (seg_train/seg_train)
    named: tuple[tuple[str, str], ...] = ()  # the folders that name splits, with their splits
    pattern: str | None = None  # see `DataConfig.label_pattern`
    skipped: int = 0  # number of leading folders of a path that belong to a span and are ignored

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return None if self.pattern is None else re.compile(self.pattern)

    @cached_property
    def _splits(self) -> dict[str, str]:
        return dict(self.named)

    def inside(self, path: str) -> str:
        """Return a path without the span's folders."""
        return "/".join(path.split("/")[self.skipped :]) if self.skipped else path

    def of(self, path: str) -> tuple[str, str | None]:
        """Return the label ('' for none) and the split (None for none) of a path relative to the folder of pictures."""
        path = self.inside(path)
        label, split = self._of_folders(path.split("/")[:-1])
        if self._pattern is None:
            return composed(label), split
        match = self._pattern.search(path)
        if match is None:
            return "", split
        groups = match.groupdict()
        label = groups["label"] if "label" in groups else ("" if "split" in groups and len(match.groups()) == 1 else match[1])
        return composed(label or ""), split_named(groups.get("split") or "") or split

    def _of_folders(self, folders: list[str]) -> tuple[str, str | None]:
        if self.depth is None or len(folders) <= self.depth:
            return "/".join(folders[self.dropped :]), None
        split = self._splits.get(folders[self.depth])
        if split is None:
            return "/".join(folders[self.dropped :]), None
        below = self.depth + 1
        if self.repeated and folders[below : below + 1] == [folders[self.depth]]:
            below += 1
        return "/".join(folders[self.dropped : self.depth] + folders[below:]), split


@dataclass
class _Depth:
    """The folders at one depth."""

    # pictures by folder name, whatever the folders above; names beyond the limit are counted in `others`
    names: Counter[str] = field(default_factory=Counter)
    others: int = 0
    above: set[str] = field(default_factory=set)  # the parent folders, at most two: enough to know whether there is only one
    # some folders that directly contain pictures and whose path ends just above this depth
    ended: set[str] = field(default_factory=set)
    repeated: int = 0  # pictures in a folder with the same name as its parent


class Layout:
    """Collect the paths of all pictures in bounded memory, and then decide which folders are splits and which are labels."""

    def __init__(self) -> None:
        self.pictures = 0
        self._depths = [_Depth()]
        self._folder, self._pending = "", 0
        self._too_deep = ""

    def add(self, path: str, pictures: int = 1) -> None:
        """Add a picture, or a container file, by its path; fastest if pictures of one folder are consecutive."""
        folder = path.rpartition("/")[0]
        if folder != self._folder:
            self._flush()
            self._folder = folder
        self._pending += pictures

    def labels(self, splits: str, where: str, labelled: bool = True, unwrap: bool = False) -> Labels:
        """Decide which folders are splits.

        Args:
            splits: `DataConfig.splits`.
            where: The parent of the pictures, for the message.
            labelled: Whether labels come from these folders. If they do not, a folder that may be the split train is no error:
                pictures outside all splits are used for training as well.
            unwrap: Whether to ignore a single folder around all pictures also without splits, as is common in archives.

        Raises:
            InputError: A folder may or may not be a split.
        """
        self._flush()
        ended: set[str] = set()  # above the current depth
        for depth, result in enumerate(self._depths):
            if splits == "labels" or not result.names:
                break
            ended |= result.ended
            named = _named(result.names)
            if not named:
                continue
            others = [name for name in result.names if name not in named]
            wrapped = len(result.above) == 1
            clear = not others and not result.others and (_lie_above(result, ended) if wrapped else not ended)
            if not clear and splits != "folders":
                if splits == "auto" and (labelled or set(named.values()) != {"train"}):
                    raise InputError(_ambiguous(where, named, others))
                continue
            below = self._depth(depth + 1)
            repeated = bool(below.repeated) and below.repeated == sum(below.names.values()) + below.others
            return Labels(depth, depth if wrapped else 0, repeated, tuple(sorted(named.items())))
        if self._too_deep and splits in ("auto", "folders"):
            raise InputError(
                f"a folder {self._too_deep[:40]!r} lies more than {_DEPTHS} folders deep, which is too deep for a split: "
                "give a folder further down, or set data.splits=labels"
            )
        return Labels(dropped=1 if unwrap and self._wrapped() else 0)

    def splits(self, labels: Labels) -> Counter[str | None]:
        """Return the number of pictures in the folders of each split; None for those in none."""
        self._flush()
        named = dict(labels.named)
        result = Counter[str | None]()
        if labels.depth is not None:
            for name, count in self._depth(labels.depth).names.items():
                result[named.get(name)] += count
        result[None] += self.pictures - result.total()
        return +result

    def strays(self, labels: Labels) -> int:
        """Return the number of pictures outside the folders of splits."""
        return 0 if labels.depth is None else self.splits(labels)[None]

    def wrapper(self, labels: Labels) -> str:
        """Return the folders around all pictures above those of the splits; '' for none."""
        return next(iter(self._depth(labels.depth).above), "") if labels.depth and labels.dropped else ""

    def _depth(self, depth: int) -> _Depth:
        return self._depths[depth] if depth < len(self._depths) else _Depth()

    def _wrapped(self) -> bool:
        first = self._depths[0]
        return len(first.names) == 1 and not first.ended and not first.others

    def _flush(self) -> None:
        count, self._pending = self._pending, 0
        if not count:
            return
        self.pictures += count
        parts = self._folder.split("/") if self._folder else []
        if len(parts) > _DEPTHS:
            self._too_deep = self._too_deep or next((name for name in parts[_DEPTHS:] if split_named(name)), "")
            parts = parts[:_DEPTHS]
        while len(self._depths) <= len(parts):
            self._depths.append(_Depth())
        ended = self._depths[len(parts)].ended
        if len(ended) < _KEPT:
            ended.add("/".join(parts))
        for depth, name in enumerate(parts):
            result = self._depths[depth]
            if len(result.above) < 2:
                result.above.add("/".join(parts[:depth]))
            if name in result.names or len(result.names) < _KEPT or split_named(name):
                result.names[name] += count
            else:
                result.others += count
            if depth and name == parts[depth - 1]:
                result.repeated += count


def merged(labels: Labels) -> str:
    """Return a note on folders of one split whose names say more, such as cats_train and dogs_train; or ''."""
    loose: dict[str, list[str]] = {}
    for name, split in labels.named:
        if not split_named(name):
            loose.setdefault(split, []).append(name)
    for split, names in loose.items():
        if len(names) > 1:
            both = " and ".join(printable(name)[:40] for name in names[:2])
            return f"{both} are both {split}, and their names say no label: data.label_pattern takes one from them"
    return ""


def _named(names: Counter[str]) -> dict[str, str]:
    """Return the folders with names of splits: the whole name, or one of its words if most folders have one and splits differ."""
    exact = {name: split for name in names if (split := split_named(name))}
    loose = {name: split for name in names if (split := split_in_name(name))} | exact
    return loose if len(set(loose.values())) > 1 and 2 * len(loose) >= len(names) else exact


def _lie_above(found: _Depth, ended: set[str]) -> bool:
    """Return whether pictures that end above a depth are beside its folders or above: not in a folder that may be a label."""
    (above,) = found.above
    return all(f"{above}/".startswith(f"{folder}/") or not folder for folder in ended)


def _ambiguous(where: str, named: dict[str, str], others: list[str]) -> str:
    first, count = min(named), len(others)
    shown = ", ".join(printable(name)[:12] for name in sorted(others)[:2])
    beside = f"beside {shown}{' ...' if count > 2 else ''}" if others else "beside other pictures"
    return (
        f"the folder {first[:20]!r} in {ending(where, 36)} may be a split or a label, {beside}: "
        "set data.splits=folders (it is a split) or data.splits=labels"
    )
