"""Remove pictures with exactly equal pixels: one is kept, so that no picture is in two splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from common.features import PREFIX
from components.image_example_gen.splits import SPLITS
from components.image_example_gen.storage.files import join
from components.image_example_gen.writing.example import Row
from components.image_example_gen.writing.ingest import DIGESTS, RECORDS, RecordWriters
from components.image_example_gen.writing.tally import Tally

_PRECEDENCE = np.array([SPLITS.index(split) for split in ("test", "eval", "train")]).argsort()  # of indices in SPLITS
Place = tuple[int, str]  # a unit and a split: one file of examples


@dataclass(frozen=True)
class Duplicates:
    """Examples that are equal to another one."""

    dropped: dict[Place, dict[int, int]]  # by file, the positions of examples to leave out, each with the number of its picture
    kept: dict[Place, dict[int, int]]  # by file, the positions of examples to keep, with the same numbers

    def __len__(self) -> int:
        return sum(map(len, self.dropped.values()))


def find_duplicates(folder: str, units: int) -> Duplicates:
    """Find duplicates by the hashes that the workers of `units` units wrote; memory is about forty bytes per picture.

    Of several, the one in test is kept, because test figures are compared with published ones. The next choices are the one in
    eval, and then the first.
    """
    parts = [_load(join(folder, DIGESTS.format(unit))) for unit in range(units)]
    ends = np.cumsum([len(splits) for _, splits in parts])
    hashes, splits = (np.concatenate(column) for column in zip(*parts))
    del parts
    hashes = hashes.view(np.uint64)
    order = np.lexsort((_PRECEDENCE[splits], hashes[:, 1], hashes[:, 0]))  # stable: then in the order of the units
    same = np.zeros(len(order), bool)
    same[1:] = (hashes[order[1:]] == hashes[order[:-1]]).all(axis=1)
    picture = np.cumsum(~same)  # a number for each distinct picture
    first = np.zeros(len(order), bool)
    first[:-1] = same[1:] & ~same[:-1]
    result: tuple[dict, dict] = defaultdict(dict), defaultdict(dict)
    for which, places in zip((same, first), result):
        for index, number in zip(order[which].tolist(), picture[which].tolist()):
            unit = int(np.searchsorted(ends, index, side="right"))
            begin = int(ends[unit - 1]) if unit else 0
            position = int(np.count_nonzero(splits[begin:index] == splits[index]))
            places[unit, SPLITS[splits[index]]][position] = number
    return Duplicates(*map(dict, result))


def distinct_of(folder: str, units: int) -> int:
    """Return the number of distinct pictures by the workers' hashes."""
    hashes = np.concatenate([_load(join(folder, DIGESTS.format(unit)))[0] for unit in range(units)])
    return len(np.unique(hashes, axis=0))


def drop_duplicates(folder: str, distinct: str, duplicates: Duplicates, tallies: Sequence[Tally]) -> list[dict[str, str]]:
    """Write the workers' files without duplicates to the folder `distinct`, and subtract them from the counts of the units.

    Files without duplicates are not written there. The workers' own files stay as they are: a worker that its engine has given up
    may still write one of them again.

    Returns:
        Each removed picture as `{"path": ..., "kept": ...}`, sorted by path.
    """
    kept = {
        number: _path(record)
        for place, positions in duplicates.kept.items()
        for position, record in enumerate(_records(folder, place))
        if (number := positions.get(position)) is not None
    }
    listed = []
    tf.io.gfile.makedirs(distinct)
    for (unit, split), positions in duplicates.dropped.items():
        with RecordWriters(distinct, unit) as writers:
            for position, record in enumerate(_records(folder, (unit, split))):
                if position not in positions:
                    writers.write(split, record)
                    continue
                tallies[unit].add(split, _row(record), -1)
                tallies[unit].duplicates += 1
                listed.append({"path": _path(record), "kept": kept[positions[position]]})
    return sorted(listed, key=lambda line: line["path"])


def _load(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 16 bytes of the hashes of a unit's pictures, which is more than enough, and their splits."""
    with tf.io.gfile.GFile(path, "rb") as stream:
        result = np.load(stream, allow_pickle=False)
    return np.ascontiguousarray(result[:, :16]), result[:, 32].copy()


def _records(folder: str, place: Place) -> Iterator[bytes]:
    return tf.data.TFRecordDataset(join(folder, RECORDS.format(*place))).as_numpy_iterator()


def _path(record: bytes) -> str:
    return _value(tf.train.Example.FromString(record), "path")


def _row(record: bytes) -> Row:
    example = tf.train.Example.FromString(record)
    return Row(**{name: _value(example, name) for name in Row._fields})


def _value(example: tf.train.Example, name: str) -> object:
    feature = example.features.feature[f"{PREFIX}{name}"]
    (value,) = getattr(feature, feature.WhichOneof("kind")).value
    return value.decode() if isinstance(value, bytes) and name != "encoded" else value
