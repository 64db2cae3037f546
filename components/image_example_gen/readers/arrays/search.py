"""Find pictures in array files: IDX, NumPy's .npy and .npz, MATLAB's .mat, and HDF5."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Rejected
from components.image_example_gen.readers.arrays.array import ArrayFile, check_size_across, reason_of, shortened
from components.image_example_gen.readers.arrays.hdf5 import inspect_hdf5, is_hdf5
from components.image_example_gen.readers.arrays.idx import inspect_idx
from components.image_example_gen.readers.arrays.labels import LabelArray, find_splits
from components.image_example_gen.readers.arrays.layout import has_planes
from components.image_example_gen.readers.arrays.levels import Levels, Seen, levels_of, look, needs_look
from components.image_example_gen.readers.arrays.mat import inspect_mat
from components.image_example_gen.readers.arrays.names import file_key, is_array, is_idx, is_idx_images, split_of_array
from components.image_example_gen.readers.arrays.npy import inspect_npy, inspect_npz
from components.image_example_gen.readers.arrays.pictures import ArrayContainer, ArrayPictures, FilePictures, first_pictures
from components.image_example_gen.readers.arrays.selection import (
    Candidates,
    Picked,
    candidates,
    pick_labels,
    pick_pictures,
    same_name,
    unused_notes,
)
from components.image_example_gen.storage.files import FoundFile, join, printable
from serving.picture_files import Refused, check_size

_LOOKED_AT, _LOOKED_AT_BYTES = 512, 64 << 20  # pictures whose levels are inspected before all are read


def find_arrays(folder: str, files: Sequence[FoundFile], config: DataConfig) -> list[ArrayContainer | Rejected]:
    """Return the arrays of pictures among `files`, with their labels, and the rejected files; sorted by path.

    Headers are read, and enough pixels to determine the white level. A fault rejects only its own file. Raise InputError if the
    configuration names an array or a column that does not exist.
    """
    search = _Search(folder, sorted((file for file in files if is_array(file.path)), key=lambda file: file.path), config)
    return sorted(search.run(), key=lambda found: (found.path, getattr(found, "name", "")))


@dataclass(frozen=True)
class _Search:
    """Inspect all array files together, because labels may be in another file than their pictures."""

    folder: str
    files: Sequence[FoundFile]
    config: DataConfig

    def run(self) -> Iterator[ArrayContainer | Rejected]:
        """Yield the results, in no order."""
        inspected = [_inspected(self.folder, file) for file in self.files]
        sound, copies = _without_copies([file for file in inspected if isinstance(file, ArrayFile)])
        items = [candidates(self.folder, file, self.config) for file in sound]
        self.check_names([one.file for one in items])
        labels = {file_key(one.file.path): one.file for one in reversed(items) if one.only_labels}
        broken = {file_key(file.path): file for file in inspected if isinstance(file, Rejected) and not is_idx_images(file.path)}
        yield from (file for file in inspected if isinstance(file, Rejected))
        used = set()
        for one in items:
            path = one.file.path
            if one.only_labels:
                continue
            beside = labels.get(file_key(path)) or self._labels_elsewhere(path, items, labels)
            damaged = broken.get(file_key(path))
            for item in self.pictures_of(one, beside, damaged):
                if isinstance(item, ArrayContainer) and path in copies:
                    item = replace(item, notes=(*item.notes, copies[path]))
                if isinstance(item, Rejected) or item.labels is None or item.labels.array.path != path:
                    used |= {beside.path} if beside else set()
                yield item
        for one in items:
            if one.only_labels and one.file.path not in used:
                yield Rejected(one.file.path, reasons.LABELS_ALONE, 0)

    def _labels_elsewhere(self, path: str, found: Sequence[Candidates], labels: dict[tuple, ArrayFile]) -> ArrayFile | None:
        """Return IDX labels in another folder, if they are the only ones without pictures of the same name beside them."""
        if not is_idx_images(path):
            return None
        with_pictures = {file_key(one.file.path) for one in found if is_idx_images(one.file.path)}
        prefix = file_key(path)[-1]
        alone = [file for key, file in labels.items() if key[0] == "idx" and key not in with_pictures and key[-1] == prefix]
        return alone[0] if len(alone) == 1 else None

    def pictures_of(self, found: Candidates, beside: ArrayFile | None, damaged: Rejected | None) -> list[ArrayContainer | Rejected]:
        """Return the arrays of pictures of one file, or why there are none."""
        path = found.file.path
        try:
            chosen = pick_pictures(found, self.config)
        except Refused as refused:
            return [Rejected(path, shortened(refused.reason))]
        if damaged is not None and damaged.path != path:
            reason = reasons.LABELS_UNUSABLE.format(printable(posixpath.basename(damaged.path)))
            return [Rejected(path, shortened(reason), sum(picked.layout.count for picked in chosen))]
        labels: list[LabelArray | Exception | None] = []
        for picked in chosen:
            try:
                labels.append(pick_labels(self.folder, picked, found, chosen, beside, self.config))
            except InputError:
                raise
            except Exception as error:
                labels.append(error)
        own = [find_splits(self.folder, found.file.arrays, picked.layout.count, self.config) for picked in chosen]
        used = [each for each in (*labels, *(array for array, _ in own)) if isinstance(each, LabelArray)]
        items: list[ArrayContainer | Rejected] = []
        for picked, each, (array, splits) in zip(chosen, labels, own, strict=True):
            try:
                if isinstance(each, Exception):
                    raise each
                notes = tuple(dict.fromkeys(unused_notes(picked, found, chosen, used, beside)))
                pictures = self.pictures(picked, each, notes)
                if array:
                    facts = splits.facts(printable(path), printable(array.array.name))
                    pictures = replace(pictures, splits=array, row_splits=splits.found, notes=pictures.notes + facts["notes"])
                items.append(pictures)
            except Exception as error:
                items.append(Rejected(path, reason_of(error), picked.layout.count))
        return items

    def pictures(self, picked: Picked, labels: LabelArray | None, notes: tuple[str, ...]) -> ArrayContainer:
        """Return one array of pictures with its labels."""
        array, layout = picked.array, picked.layout
        if layout.is_last(array):
            check_size_across(array, self.config.max_file_megabytes)
        title = printable(array.title)
        if labels is None:
            notes = (f"{title}: no labels are read", *notes)
        facts = (array.path, split_of_array(array.path, array.name), layout.count, array, layout, labels)
        if array.dtype.kind == "V":
            return FilePictures(*facts, notes=notes)
        pictures = ArrayPictures(*facts, picture_shape=layout.picture)
        if "*" in layout.axes:
            pictures, note = self.arranged(pictures)
            notes += note
        elif layout.axes in ("nchw", "hwcn") and not array.matlab:
            notes += (f"{title}: its axes are taken as [{', '.join(layout.axes)}]",)
        levels, note = self.levels(pictures)
        return replace(pictures, levels=levels, notes=notes + note)

    def arranged(self, pictures: ArrayPictures) -> tuple[ArrayPictures, tuple[str, ...]]:
        """Determine the order of axes of pictures stored as rows of numbers."""
        layout = pictures.layout
        for values in first_pictures(self.folder, pictures, _LOOKED_AT, _LOOKED_AT_BYTES):
            if not has_planes(values, layout.picture):
                break
            note = f"{printable(pictures.name)}: its rows are taken as one channel after the other"
            return replace(pictures, layout=replace(layout, inner="chw")), (note,)
        return pictures, ()

    def levels(self, pictures: ArrayPictures) -> tuple[Levels, tuple[str, ...]]:
        """Return the conversion of numbers to levels, and notes on it."""
        seen = Seen()
        if needs_look(pictures.array.dtype, self.config):
            with contextlib.suppress(Refused):  # too large to be read
                check_size(pictures.layout.picture[:2], self.config.max_megapixels)
                seen = look(first_pictures(self.folder, pictures, _LOOKED_AT, _LOOKED_AT_BYTES), _LOOKED_AT)
        return levels_of(pictures.array.dtype, seen, printable(pictures.name), self.config)

    def check_names(self, files: Sequence[ArrayFile]) -> None:
        """Raise if the configuration names an array that no file has."""
        arrays = [array for file in files for array in file.arrays if array.name]
        unread = {name for file in files for name, _ in file.unread}
        for field in ("array", "array_labels"):
            name = getattr(self.config, field)
            if name is None or not files or name in unread or any(same_name(array, name) for array in arrays):
                continue
            names = list(dict.fromkeys(array.name for array in arrays))
            there = ", ".join(names[:6]) + (" ..." if len(names) > 6 else "") or "none that have names"
            raise InputError(f"data.{field}={name}: no file has an array of that name; there are {shortened(there)}")


def _inspected(folder: str, file: FoundFile) -> ArrayFile | Rejected:
    """Return the content of a file's header, or why the file cannot be used."""
    try:
        if file.size == 0:
            raise Refused(reasons.EMPTY)
        return _inspect(folder, file)
    except EOFError:
        return Rejected(file.path, reasons.TRUNCATED.format(f" at byte {file.size:,}" if file.size > 0 else ""))
    except Exception as error:
        return Rejected(file.path, reason_of(error))


def _inspect(folder: str, file: FoundFile) -> ArrayFile:
    name = file.path.lower()
    if is_idx(file.path):
        return inspect_idx(folder, file)
    if name.endswith(".npy"):
        return inspect_npy(folder, file)
    if name.endswith(".npz"):
        return inspect_npz(folder, file)
    if name.endswith(".mat") and not is_hdf5(join(folder, file.path)):
        return inspect_mat(folder, file)
    return inspect_hdf5(folder, file)


def _without_copies(files: Sequence[ArrayFile]) -> tuple[list[ArrayFile], dict[str, str]]:
    """Drop compressed IDX files beside an uncompressed copy; return the rest, and notes for the kept files."""
    kept: dict[tuple, ArrayFile] = {}
    copies: dict[str, str] = {}
    for file in sorted(files, key=lambda file: (is_idx(file.path) and file.path.lower().endswith(".gz"), file.path)):
        key = (is_idx_images(file.path), *file_key(file.path)) if is_idx(file.path) else (file.path,)
        if key in kept:
            note = f"{printable(file.path)} is not read: {printable(posixpath.basename(kept[key].path))} is the same"
            copies[kept[key].path] = note
        else:
            kept[key] = file
    return sorted(kept.values(), key=lambda file: file.path), copies
