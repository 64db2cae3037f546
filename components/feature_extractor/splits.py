"""List the pictures of a split of the examples, and decode some of them through the Transform graph."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from common.features import PATH
from trainer.data import READ_BATCH, list_records, parse_examples, read_examples, read_records
from trainer.preprocessing import to_levels

PixelGraph = Callable[[tf.Tensor], tf.Tensor]

MIN_PICTURES = 50  # with fewer held-out pictures the floor is as high as the distances


class Split:
    """The pictures of one split of an `examples` artifact; none for a split without files.

    Attributes:
        labels: The label of each picture in file order, object [n] of str; empty for none.
    """

    def __init__(self, uri: str, name: str):
        try:
            self._files = list_records([os.path.join(uri, f"Split-{name}", "*")])
        except FileNotFoundError:
            self._files = []
        batches = read_examples(self._files).as_numpy_iterator() if self._files else ()
        names = [label.decode("utf-8", "replace") for _, labels in batches for label in labels]
        self.labels = np.array(names, object)

    def __len__(self) -> int:
        return len(self.labels)

    def decode(self, chosen: np.ndarray, graph: PixelGraph) -> Iterator[np.ndarray]:
        """Yield the chosen pictures at the model's size, uint8 [<= READ_BATCH, h, w, c].

        Args:
            chosen: Indices, int [m], ascending.
            graph: Function from bytes, string [n], to pixels, float32 [n, h, w, c] in [0, 1].
        """
        if not len(chosen):
            return
        batches = self._records(chosen).map(
            lambda examples: to_levels(graph(parse_examples(examples)[0])), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        yield from batches.prefetch(2).as_numpy_iterator()

    def paths(self, chosen: np.ndarray) -> list[str]:
        """Return the paths of the chosen pictures, int [m], ascending; empty strings for examples without paths."""
        features = {PATH: tf.io.FixedLenFeature([], tf.string, "")}
        batches = self._records(chosen).map(lambda examples: tf.io.parse_example(examples, features)[PATH])
        return [path.decode("utf-8", "replace") for batch in batches.as_numpy_iterator() for path in batch]

    def _records(self, chosen: np.ndarray) -> tf.data.Dataset:
        """Return batches of serialized examples, string [<= READ_BATCH], in the order of `chosen`."""
        wanted = np.zeros(len(self), bool)
        wanted[chosen] = True
        chosen_records = (
            read_records(self._files).enumerate().filter(lambda i, _: tf.gather(wanted, i)).map(lambda _, record: record)
        )
        return chosen_records.batch(READ_BATCH)


def why_too_few(held_out: Split, train: Split, name: str) -> str | None:
    """Return why new pictures cannot be compared with the held-out split of this name; None if there are enough pictures."""
    if min(len(held_out), len(train)) >= MIN_PICTURES:
        return None
    few = f"{len(held_out)} {name}" if len(held_out) < MIN_PICTURES else f"{len(train)} training"
    return f"there are only {few} pictures; at least {MIN_PICTURES} are needed"


def choose(indices: np.ndarray | int, limit: int, seed: int) -> np.ndarray:
    """Return at most `limit` random ones of the indices, or of range(indices), ascending. Files may be sorted by label."""
    return np.sort(np.random.default_rng(seed).permutation(indices)[:limit])
