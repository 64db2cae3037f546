"""Read the ingested pictures: the summary, samples by label, and a representative choice of held-out pictures."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from common import features
from components.report.data import DataSet, Samples, to_int
from components.report.drawing.pictures import shrink
from components.report.sources.files import read_json, read_json_lines
from trainer.config import PreprocessingConfig
from trainer.preprocessing import level_decoder

HELD_OUT_SPLITS = ("eval", "test")
MAX_LABELS = 12
SAMPLES_PER_LABEL = 12
SAMPLES_UNLABELED = 48
MAX_READ = 6_000  # training pictures searched for samples
MAX_REJECTS = 20
VIEWED_AT_ONCE = 64


@dataclass(frozen=True)
class Picture:
    """An ingested picture: the bytes of its file, and its label."""

    encoded: bytes
    label: str


class View:
    """Convert originals to the model's input with the pixel graph's own function."""

    def __init__(self, config: PreprocessingConfig):
        self.shape = config.image_shape
        self._decode = level_decoder(config)

    def __call__(self, pictures: list[Picture], longest: int | None = None) -> np.ndarray:
        """Return pictures as uint8 [n, h, w, c] of the model's shape, or shrunk until neither side is above `longest`."""
        shown = []
        for i in range(0, len(pictures), VIEWED_AT_ONCE):
            batch = self._decode(tf.constant([p.encoded for p in pictures[i : i + VIEWED_AT_ONCE]])).numpy()
            shown += list(batch) if longest is None else [shrink(picture, longest) for picture in batch]
        return np.stack(shown) if shown else np.zeros((0, *self.shape), np.uint8)


def read_data_set(uri: str, view: View) -> DataSet:
    """Read the `examples` artifact at `uri`: its summary, with samples at the model's size."""
    summary = read_json(uri, "summary.json")
    rejects = read_json_lines(uri, "rejects.jsonl", MAX_REJECTS)
    data = DataSet(
        pictures={str(split): int(n) for split, n in summary.get("pictures", {}).items()},
        labels={str(split): dict(counts) for split, counts in summary.get("labels", {}).items()},
        rejected=to_int(summary.get("rejected")) or 0,
        rejects_by_reason=dict(summary.get("rejects_by_reason", {})),
        rejects=[(str(line.get("path", "")), str(line.get("reason", ""))) for line in rejects],
        formats=dict(summary.get("formats", {})),
        sizes=dict(summary.get("sizes", {})),
    )
    data.samples.extend(_samples(uri, data, view))
    return data


def read_held_out(uri: str, limit: int) -> list[Picture]:
    """Return at most `limit` pictures of the held-out splits, evenly spaced over them."""
    total = sum(1 for split in HELD_OUT_SPLITS for _ in _records(uri, split))
    step = max(1.0, total / limit)
    chosen: list[Picture] = []
    position = 0
    for split in HELD_OUT_SPLITS:
        for record in _records(uri, split):
            if position >= len(chosen) * step and len(chosen) < limit:
                chosen.append(_parse(record))
            position += 1
    return chosen


def read_evenly(uri: str, split: str, total: int, limit: int) -> list[Picture]:
    """Return at most `limit` of the `total` pictures of a split, evenly spaced over them."""
    step = max(1.0, total / limit)
    chosen: list[Picture] = []
    for position, record in enumerate(_records(uri, split)):
        if len(chosen) == limit:
            break
        if position >= len(chosen) * step:
            chosen.append(_parse(record))
    return chosen


def varied(pictures: list[Picture], amount: int, seed: int) -> list[int]:
    """Return indices of `amount` pictures, in turn from each label; the same seed gives the same choice."""
    order = np.random.default_rng(seed).permutation(len(pictures))
    by_label: dict[str, list[int]] = {}
    for i in order:
        by_label.setdefault(pictures[i].label, []).append(int(i))
    queues = [by_label[label] for label in sorted(by_label)]
    if len(queues) > amount:  # more labels than places: do not always take the first ones alphabetically
        queues = [queues[i] for i in sorted(np.random.default_rng(seed).permutation(len(queues))[:amount])]
    turns = itertools.zip_longest(*map(reversed, queues))
    return [i for turn in turns for i in turn if i is not None][:amount]


def _samples(uri: str, data: DataSet, view: View) -> list[Samples]:
    """Return the first pictures of each of the most common labels in the training split, else in the first nonempty split."""
    split = next((s for s in ("train", *HELD_OUT_SPLITS) if data.pictures.get(s) or _files(uri, s)), "train")
    wanted = list(data.label_counts())[:MAX_LABELS]
    by_label: dict[str, list[Picture]] = {label: [] for label in wanted or [""]}
    limit = SAMPLES_PER_LABEL if wanted else SAMPLES_UNLABELED
    for i, record in enumerate(_records(uri, split)):
        picture = _parse(record)
        kept = by_label.get(picture.label if wanted else "")
        if kept is not None and len(kept) < limit:
            kept.append(picture)
        if i >= MAX_READ or all(len(pictures) >= limit for pictures in by_label.values()):
            break
    return [Samples(label, view(pictures)) for label, pictures in by_label.items() if pictures]


def matching_pictures(uri: str, matches: Callable[[Mapping[str, tf.train.Feature]], bool], limit: int) -> list[Picture]:
    """Return the first pictures of the `examples` artifact at `uri` whose features match, over all splits in turn."""
    pictures: list[Picture] = []
    for split in ("train", *HELD_OUT_SPLITS):
        for record in _records(uri, split):
            if len(pictures) == limit:
                return pictures
            if matches(tf.train.Example.FromString(record).features.feature):
                pictures.append(_parse(record))
    return pictures


def _files(uri: str, split: str) -> list[str]:
    return sorted(tf.io.gfile.glob(os.path.join(uri, f"Split-{split}", "*")))


def _records(uri: str, split: str) -> Iterator[bytes]:
    """Yield the serialized examples of a split in file order; none if the split does not exist."""
    for path in _files(uri, split):
        compression = "GZIP" if path.endswith(".gz") else ""
        yield from tf.data.TFRecordDataset(path, compression_type=compression, buffer_size=1 << 20).as_numpy_iterator()


def _parse(record: bytes) -> Picture:
    example = tf.train.Example.FromString(record).features.feature
    label = example[features.LABEL].bytes_list.value if features.LABEL in example else ()
    return Picture(example[features.ENCODED].bytes_list.value[0], label[0].decode("utf-8", "replace") if label else "")
