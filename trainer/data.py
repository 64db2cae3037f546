"""From TFRecords to batches of pixels: decoded once through the Transform graph, then kept as bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from trainer.preprocessing import ENCODED, PIXELS, to_levels
from trainer.progress import report_progress

READ_BATCH = 128  # pictures decoded at once; more takes gigabytes where pictures are large


def list_records(patterns: Sequence[str]) -> list[str]:
    """The TFRecord files that match, sorted.

    Raises:
        FileNotFoundError: No file matches.
    """
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    if not files:
        raise FileNotFoundError(f"no examples match {', '.join(patterns)}")
    return files


def read_encoded(files: Sequence[str]) -> tf.data.Dataset:
    """Batches of the pictures' bytes, string [<= READ_BATCH], in the order of the files."""
    feature = {ENCODED: tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(list(files), compression_type="GZIP", buffer_size=8 << 20)
    return records.batch(READ_BATCH).map(lambda batch: tf.io.parse_example(batch, feature)[ENCODED])


def pixel_graph(tft_output: tft.TFTransformOutput) -> Callable[[tf.Tensor], tf.Tensor]:
    """The Transform graph as a callable: string [n] of encoded pictures -> float32 [n, h, w, c] in [0, 1]."""
    layer = tft_output.transform_features_layer()
    call = lambda encoded: layer({ENCODED: encoded[:, tf.newaxis]})[PIXELS]  # noqa: E731
    call.layer = layer  # whoever exports the graph has to keep hold of it
    return call


class Pictures:
    """One split's pixels, uint8 [n, h, w, c], decoded once and kept in a file that is mapped into memory.

    The page cache is the budget: pixels that fit stay in memory, others are read from disk as they are needed.

    Args:
        levels: The mapped array.
    """

    def __init__(self, levels: np.ndarray):
        self.levels = levels

    def __len__(self) -> int:
        return len(self.levels)

    @classmethod
    def decode(cls, name: str, patterns: Sequence[str], tft_output: tft.TFTransformOutput, folder: Path) -> Pictures:
        """Decodes every picture of a split through the Transform graph.

        Args:
            name: The split's name, for the progress shown and the file.
            patterns: Of its TFRecord files.
            tft_output: The Transform graph.
            folder: Where the pixels are kept.

        Returns:
            The split's pictures, in the order of the files.

        Raises:
            FileNotFoundError: No file matches.
        """
        graph = pixel_graph(tft_output)
        batches = read_encoded(list_records(patterns)).map(
            lambda encoded: to_levels(graph(encoded)), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        path, count, shape = folder / f"{name}.pixels", 0, ()
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            for batch in batches.prefetch(2):
                levels = batch.numpy()
                out.write(levels.tobytes())
                count, shape = count + len(levels), levels.shape[1:]
                report_progress(f"decoding {name}", done=count)
        return cls(np.memmap(path, np.uint8, "r", shape=(count, *shape)))

    def mean(self) -> np.ndarray:
        """The mean picture, float32 [h, w, c] in [0, 1]."""
        total = np.zeros(self.levels.shape[1:], np.float64)
        for start in range(0, len(self), 4096):
            total += self.levels[start : start + 4096].sum(axis=0, dtype=np.int64)
        return (total / (255.0 * len(self))).astype(np.float32)

    def in_order(self, batch_size: int) -> Iterator[np.ndarray]:
        """Batches of uint8 [<= batch_size, h, w, c] in order."""
        for start in range(0, len(self), batch_size):
            yield np.ascontiguousarray(self.levels[start : start + batch_size])

    def shuffled(self, batch_size: int, seed: int) -> tf.data.Dataset:
        """Endless batches for training: each epoch a new permutation, each picture exactly once in an epoch.

        Args:
            batch_size: Pictures per batch; the last of an epoch may have fewer.
            seed: Of the permutations.

        Returns:
            uint8 [<= batch_size, h, w, c]; `ceil(n / batch_size)` batches an epoch.
        """

        def batches() -> Iterator[np.ndarray]:
            for epoch in itertools.count():
                order = np.random.default_rng([seed, epoch]).permutation(len(self))
                for start in range(0, len(self), batch_size):
                    yield self.levels[np.sort(order[start : start + batch_size])]  # sorted: kinder to the disk

        spec = tf.TensorSpec([None, *self.levels.shape[1:]], tf.uint8)
        return tf.data.Dataset.from_generator(batches, output_signature=spec).prefetch(4)
