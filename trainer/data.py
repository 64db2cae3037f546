"""From TFRecords to batches of pixels: images are decoded once through the Transform graph, then kept as levels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from common.features import ENCODED, LABEL
from common.progress import report_progress
from trainer.preprocessing import PIXELS, level_type, scale, to_levels
from trainer.replication import Place

BLOCK_BYTES = 2 << 20  # pixels passed on at once; each time costs some Python, which a fast model would wait for
READ_BATCH = 128  # images decoded at once; more take gigabytes if images are large


def list_records(patterns: Sequence[str]) -> list[str]:
    """Return the TFRecord files that match, sorted.

    Raises:
        FileNotFoundError: No file matches.
    """
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    if not files:
        raise FileNotFoundError(f"no examples match {', '.join(patterns)}")
    return files


def parse_examples(serialised: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return image bytes and labels, each string [n], of serialized tf.Examples, string [n]. A missing label is empty."""
    features = {ENCODED: tf.io.FixedLenFeature([], tf.string), LABEL: tf.io.FixedLenFeature([], tf.string, "")}
    parsed = tf.io.parse_example(serialised, features)
    return parsed[ENCODED], parsed[LABEL]


def read_examples(files: Sequence[str]) -> tf.data.Dataset:
    """Return batches of image bytes and labels, each string [<= READ_BATCH], in the order of the files."""
    return read_records(files).batch(READ_BATCH).map(parse_examples)


def read_records(files: Sequence[str]) -> tf.data.Dataset:
    """Return the records of TFRecord files, string [], in the order of the files. Files whose names end in .gz are compressed.

    Raises:
        ValueError: Some of the files are compressed and others are not.
    """
    packed = {path.endswith(".gz") for path in files}
    if len(packed) > 1:
        raise ValueError("TFRecord files are either all packed or none")
    return tf.data.TFRecordDataset(list(files), "GZIP" if packed == {True} else None, buffer_size=8 << 20)


def label_indices(names: tf.Tensor, known: Sequence[str]) -> tf.Tensor:
    """Return the indices of names, string [n], in the list of known labels: int32 [n], -1 for others.

    Example:
        >>> label_indices(tf.constant(["dog", "cat", "cow"]), ["cat", "dog"]).numpy()
        array([ 1,  0, -1], dtype=int32)
    """
    if not known:
        return tf.fill([tf.shape(names)[0]], -1)
    equal = tf.equal(names[:, tf.newaxis], tf.constant(list(known))[tf.newaxis])
    return tf.where(tf.reduce_any(equal, axis=1), tf.argmax(equal, axis=1, output_type=tf.int32), -1)


def pixel_graph(tft_output: tft.TFTransformOutput) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the Transform graph as a callable: string [n] of encoded images -> float32 [n, h, w, c] in [0, 1]."""
    layer = tft_output.transform_features_layer()
    # The layer is already a graph: AutoGraph would spend seconds on converting Keras' own code.
    call = tf.autograph.experimental.do_not_convert(lambda encoded: layer({ENCODED: encoded[:, tf.newaxis]})[PIXELS])
    # An export of the graph has to keep what the graph was loaded from, such as tables. It must not keep the layer: that is a
    # model of Keras 2, which has its own way of saving and takes longer for that than everything else.
    call.resources = layer._saved_model_loader_tracked_dict["_imported"]
    return call


class Pictures:
    """One split's pixels, uint8 or uint16 [n, h, w, c], in memory or in a memory-mapped file; and int32 [n] labels, -1 for none."""

    def __init__(self, levels: np.ndarray, labels: np.ndarray | None = None):
        self.levels = levels
        self.labels = np.full(len(levels), -1, np.int32) if labels is None else labels

    def __len__(self) -> int:
        return len(self.levels)

    @classmethod
    def decode(
        cls,
        name: str,
        patterns: Sequence[str],
        tft_output: tft.TFTransformOutput,
        folder: Path,
        known_labels: Sequence[str] = (),
        memory_megabytes: float = 0.0,
        depth: int = 8,
    ) -> Pictures:
        """Decode every image of a split through the Transform graph, in the order of the files.

        Args:
            name: The split's name, for the progress display and the file.
            patterns: TFRecord files of the split.
            tft_output: The Transform graph.
            folder: Folder for the pixels.
            known_labels: The known labels. Images with other labels count as unlabeled.
            memory_megabytes: Limit up to which pixels are kept in memory. Beyond it they are kept on disk and read as needed.
            depth: Bits of a level of the graph, 8 or 16.

        Raises:
            FileNotFoundError: No file matches.
        """
        graph = pixel_graph(tft_output)
        batches = read_examples(list_records(patterns)).map(
            lambda encoded, names: (to_levels(graph(encoded), depth), label_indices(names, known_labels)),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        path, count, shape, labels = folder / f"{name}.pixels", 0, (), []
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            for levels, indices in batches.prefetch(2).as_numpy_iterator():
                out.write(levels.tobytes())
                labels.append(indices)
                count, shape = count + len(levels), levels.shape[1:]
                report_progress(f"decoding {name}", done=count)
        kind = level_type(depth).as_numpy_dtype
        if path.stat().st_size > memory_megabytes * 1e6:
            return cls(np.memmap(path, kind, "r", shape=(count, *shape)), np.concatenate(labels))
        kept = np.fromfile(path, kind).reshape(count, *shape)
        path.unlink()
        return cls(kept, np.concatenate(labels))

    @property
    def white(self) -> float:
        """Return the highest level."""
        return float(np.iinfo(self.levels.dtype).max)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the standard deviation of each value, each float32 [h, w, c] in [0, 1]."""
        total, squares = np.zeros((2, *self.levels.shape[1:]), np.int64)
        for start in range(0, len(self), 4096):
            block = self.levels[start : start + 4096]
            total += block.sum(axis=0, dtype=np.int64)
            squares += np.square(block, dtype=np.int64).sum(axis=0)
        mean = total / len(self)
        deviation = np.sqrt(np.maximum(squares / len(self) - np.square(mean), 0.0))
        return (mean / self.white).astype(np.float32), (deviation / self.white).astype(np.float32)

    def some(self, amount: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return at most `amount` random images, float32 [<= amount, h, w, c] in [0, 1], and their labels, by the seed."""
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self))[:amount])
        return scale(self.levels[chosen]).numpy(), self.labels[chosen]

    def in_order(self, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield batches in order: levels [<= batch_size, h, w, c] and labels, int32 [<= batch_size]."""
        for start in range(0, len(self), batch_size):
            batch = slice(start, start + batch_size)
            yield np.ascontiguousarray(self.levels[batch]), self.labels[batch]

    def shuffled(self, batch_size: int, seed: int, first_epoch: int = 0, place: Place = Place()) -> tf.data.Dataset:
        """Return endless batches for training, from `first_epoch` on. Each epoch is a new permutation of all images, by the seed.

        Args:
            batch_size: Images per batch of all replicas.
            seed: Seed of the permutations.
            first_epoch: The first epoch, from 0.
            place: This process's place among the workers that share the batches.

        Returns:
            Levels [<= batch_size, h, w, c], labels, int32 [<= batch_size], and the places of the images in the batch of all
            replicas, int32 [<= batch_size]. There are `ceil(n / batch_size)` batches per epoch. If replicas share them, each
            batch becomes one part for each replica of this worker, in their order. A part may be empty.
        """
        block = batch_size * max(1, BLOCK_BYTES // (batch_size * self.levels[0].nbytes))

        def blocks() -> Iterator[tuple[np.ndarray, ...]]:
            for epoch in itertools.count(first_epoch):
                order = np.random.default_rng([seed, epoch]).permutation(len(self))
                for start in range(0, len(self), block):
                    chosen = order[start : start + block]
                    # Sorted, for faster reads from disk.
                    batches = [np.sort(chosen[i : i + batch_size]) for i in range(0, len(chosen), batch_size)]
                    parts = [part for batch in batches for part in place.replica_shares(len(batch))]
                    ends = np.cumsum([0, *(part.stop - part.start for part in parts)])
                    rows = np.concatenate([batch[place.share(len(batch))] for batch in batches])
                    places = np.concatenate([np.arange(part.start, part.stop) for part in parts])
                    yield self.levels[rows], self.labels[rows], places.astype(np.int32), ends

        spec = (
            tf.TensorSpec([None, *self.levels.shape[1:]], tf.as_dtype(self.levels.dtype)),
            *[tf.TensorSpec([None], kind) for kind in (tf.int32, tf.int32, tf.int64)],
        )

        def split(levels: tf.Tensor, labels: tf.Tensor, places: tf.Tensor, ends: tf.Tensor) -> tf.data.Dataset:
            cut = lambda start, end: tuple(values[start:end] for values in (levels, labels, places))  # noqa: E731
            return tf.data.Dataset.from_tensor_slices((ends[:-1], ends[1:])).map(cut)

        batches = tf.data.Dataset.from_generator(blocks, output_signature=spec).flat_map(split)
        # Otherwise every step would ask all workers whether one of them has run out of images.
        return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)).prefetch(4)
