"""The exported model, asked for many pictures: batch by batch, through its signatures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

BATCH = 250  # pictures at once: more takes gigabytes where pictures are large
PRIOR = "generate_prior"


class Model:
    """An exported model.

    Args:
        folder: Where saved_model.pb lies.
    """

    def __init__(self, folder: str):
        self._folder = folder
        self._loaded = tf.saved_model.load(folder)  # its functions hold their variables weakly: it must outlive them
        self._signatures = self._loaded.signatures

    def offers(self, signature: str) -> bool:
        """Whether the model has a signature."""
        return signature in self._signatures

    @property
    def image_shape(self) -> tuple[int | None, ...]:
        """Height, width, channels of new pictures, None where the signature does not say."""
        return tuple(self._signatures["generate"].structured_outputs["images"].shape[1:])

    def generate(self, signature: str, count: int, seed: int) -> Iterator[np.ndarray]:
        """New pictures of any label, uint8 [<= BATCH, h, w, c] until there are `count`; the same for the same seed."""
        for start in range(0, count, BATCH):
            yield self._batch(signature, start, min(BATCH, count - start), seed)

    def pick(self, signature: str, wanted: Iterable[int], count: int, seed: int) -> dict[int, np.ndarray]:
        """Some of the pictures that `generate` gives for the same arguments: uint8 [h, w, c] by their number."""
        batches: dict[int, np.ndarray] = {}
        for start in {BATCH * (i // BATCH) for i in wanted}:
            batches[start] = self._batch(signature, start, min(BATCH, count - start), seed)
        return {i: batches[BATCH * (i // BATCH)][i % BATCH] for i in wanted}

    def _batch(self, signature: str, start: int, count: int, seed: int) -> np.ndarray:
        function = self._signatures[signature]
        unlabelled = {"label": tf.constant("")} if "label" in function.structured_input_signature[1] else {}
        # A seed for each batch: those that follow each other would give neighbours of a run the same pictures.
        (state,) = np.random.SeedSequence([seed, start]).generate_state(1, np.uint64)
        answer = function(
            count=tf.constant(count, tf.int64),
            seed=tf.constant(int(state >> np.uint64(1)), tf.int64),
            temperature=tf.constant(1.0),
            **unlabelled,
        )
        return answer["images"].numpy()

    def encode(self, levels: np.ndarray) -> np.ndarray:
        """Means of the codes of pictures uint8 [n, h, w, c]: float32 [n, latent_dim]."""
        return self._signatures["encode"](image_bytes=_to_png(levels))["mean"].numpy()

    def reconstruct(self, levels: np.ndarray) -> np.ndarray:
        """What the model makes of pictures uint8 [n, h, w, c]: the same shape and type."""
        return self._signatures["reconstruct"](image_bytes=_to_png(levels))["images"].numpy()

    def hash(self) -> str:
        """SHA-256 of all weights."""
        digest = hashlib.sha256()
        for path in sorted(tf.io.gfile.glob(os.path.join(self._folder, "variables", "*.data-*"))):
            with tf.io.gfile.GFile(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


@tf.function(reduce_retracing=True, autograph=False)
def _to_png(levels: tf.Tensor) -> tf.Tensor:
    """Pictures uint8 [n, h, w, c] as files, string [n]: the pixel graph gives the same pixels back."""
    return tf.map_fn(lambda one: tf.io.encode_png(one, compression=1), levels, fn_output_signature=tf.string)
