"""Divide the work of a training among the replicas of a tf.distribute strategy, and exchange numbers between its workers.

A worker is a process. It has one replica for each of its devices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

# The places of a replica's images in the batch of all replicas, and the size of that batch. None if there is one replica.
_PLACES: ContextVar[tuple[tf.Tensor, int] | None] = ContextVar("places", default=None)


def get_strategy(name: str) -> tf.distribute.Strategy:
    """Return the tf.distribute strategy that the configuration names.

    `multi_worker` reads the variable TF_CONFIG, and has to be made before TensorFlow computes anything.
    """
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


@dataclass(frozen=True)
class Place:
    """This process's place among the workers of a strategy.

    Attributes:
        worker: This process's number, from 0. Worker 0 is the chief.
        workers: Number of workers.
        local_replicas: Number of replicas of each worker.
    """

    worker: int = 0
    workers: int = 1
    local_replicas: int = 1

    @property
    def replicas(self) -> int:
        """Return the number of replicas of all workers."""
        return self.workers * self.local_replicas

    @property
    def is_chief(self) -> bool:
        """Return whether this process writes what a training leaves."""
        return self.worker == 0

    def share(self, count: int) -> slice:
        """Return the part of `count` images in a row that this worker processes.

        Shares of all workers cover the row. Those of all replicas differ by at most one image.

        Example:
            >>> [Place(worker, workers=3).share(8) for worker in range(3)]
            [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
        """
        return slice(self.replica_shares(count)[0].start, self.replica_shares(count)[-1].stop)

    def replica_shares(self, count: int) -> list[slice]:
        """Return the part of `count` images in a row that each of this worker's replicas processes. A part may be empty."""
        first = self.worker * self.local_replicas
        bounds = [count * replica // self.replicas for replica in range(first, first + self.local_replicas + 1)]
        return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


class Replication:
    """The workers of a strategy, which exchange numbers. `place` is this process's."""

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy, worker, workers = strategy, 0, 1
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            worker, workers = int(resolver.task_id or 0), max(1, len(resolver.cluster_spec().as_dict().get("worker", ())))
        self.place = Place(worker, workers, strategy.num_replicas_in_sync // workers)
        self._add = tf.function(self._sum, reduce_retracing=True, autograph=False)

    def sum(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the sums of numbers over all workers, of the same shape and type. All workers call it, and get equal bits."""
        values = np.asarray(values)
        return values if self.place.workers == 1 else self._add(values).numpy()

    def share_from_chief(self, arrays: Sequence[np.ndarray] | None) -> list[np.ndarray] | None:
        """Return the chief's arrays, or None if it has none. All workers call it; those of others are ignored.

        Booleans, and numbers of less than four bytes, come back as wider ones.
        """
        if self.place.workers == 1:
            return None if arrays is None else list(arrays)
        mine = [np.asarray(array) for array in arrays or ()] if self.place.is_chief else []
        found, count = self.sum(np.array([int(self.place.is_chief and arrays is not None), len(mine)], np.int32))
        if not found:
            return None
        return [self._array_from_chief(mine[i] if self.place.is_chief else None) for i in range(count)]

    def _array_from_chief(self, array: np.ndarray | None) -> np.ndarray:
        kinds, axes = (np.dtype("float32"), np.dtype("int64"), np.dtype("int32"), np.dtype("float64")), 8
        header = np.zeros(2 + axes, np.int32)
        if array is not None:
            if array.dtype not in kinds:
                array = array.astype(np.int32)
            header[:] = [kinds.index(array.dtype), array.ndim, *array.shape, *[0] * (axes - array.ndim)]
        kind, ndim, *shape = self.sum(header)
        return self.sum(np.zeros(shape[:ndim], kinds[kind]) if array is None else array)

    def _sum(self, values: tf.Tensor) -> tf.Tensor:
        """Add up one value of each worker: that of its first replica."""

        def of_replica(value: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            first = tf.equal(tf.cast(context.replica_id_in_sync_group, tf.int32) % self.place.local_replicas, 0)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, value, tf.zeros_like(value)))

        return self.strategy.experimental_local_results(self.strategy.run(of_replica, args=(values,)))[0]


@contextmanager
def drawing_for(places: tf.Tensor, batch_size: int) -> Iterator[None]:
    """Make `draw_rows` in this context return a replica's rows of the draws for the batch of all replicas.

    So what is drawn for an image does not depend on the number of replicas.

    Args:
        places: The images' places in that batch, int32 [n].
        batch_size: Its largest size.
    """
    token = _PLACES.set((places, batch_size))
    try:
        yield
    finally:
        _PLACES.reset(token)


def draw_rows(draw: Callable[..., tf.Tensor], shape: Any, seed: tf.Tensor, *options: Any, axis: int = 0) -> tf.Tensor:
    """Return random numbers for each image: `draw(shape, seed, *options)`, or a part of the numbers for a larger batch.

    Args:
        draw: A stateless generator of TensorFlow.
        shape: Shape of the result, int32 [k].
        seed: int [2].
        options: Further arguments of `draw`.
        axis: The axis of the images.
    """
    places = _PLACES.get()
    if places is None:
        return draw(shape, seed, *options)
    whole = tf.tensor_scatter_nd_update(tf.convert_to_tensor(shape, tf.int32), [[axis]], [places[1]])
    return tf.gather(draw(whole, seed, *options), places[0], axis=axis)
