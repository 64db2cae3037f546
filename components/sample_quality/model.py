"""Query the exported model for many pictures, batch by batch, through its signatures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

BATCH = 250  # pictures per call: more takes gigabytes for large pictures
PRIOR = "generate_prior"


class Model:
    """An exported model.

    Args:
        folder: Folder of saved_model.pb.
    """

    def __init__(self, folder: str):
        self._folder = folder
        self._loaded = tf.saved_model.load(folder)  # its functions hold their variables by weak references only, so keep the object
        self._signatures = self._loaded.signatures

    def offers(self, signature: str) -> bool:
        """Return whether the model has a signature."""
        return signature in self._signatures

    @property
    def image_shape(self) -> tuple[int | None, ...]:
        """Height, width, channels of new pictures; None where the signature leaves them open."""
        return tuple(self._signatures["generate"].structured_outputs["images"].shape[1:])

    def generate(self, signature: str, count: int, seed: int) -> Iterator[np.ndarray]:
        """Yield `count` new pictures of any label in batches uint8 [<= BATCH, h, w, c]; the same for the same seed."""
        for start in range(0, count, BATCH):
            yield self._batch(signature, start, min(BATCH, count - start), seed)

    def pick(self, signature: str, wanted: Iterable[int], count: int, seed: int) -> dict[int, np.ndarray]:
        """Return some of the pictures that `generate` yields for the same arguments: uint8 [h, w, c] by index."""
        batches: dict[int, np.ndarray] = {}
        for start in {BATCH * (i // BATCH) for i in wanted}:
            batches[start] = self._batch(signature, start, min(BATCH, count - start), seed)
        return {i: batches[BATCH * (i // BATCH)][i % BATCH] for i in wanted}

    def _batch(self, signature: str, start: int, count: int, seed: int) -> np.ndarray:
        function = self._signatures[signature]
        unlabelled = {"label": tf.constant("")} if "label" in function.structured_input_signature[1] else {}
        # Derive the seed of each batch by hashing: with consecutive seeds, neighboring runs would draw the same pictures.
        (state,) = np.random.SeedSequence([seed, start]).generate_state(1, np.uint64)
        answer = function(
            count=tf.constant(count, tf.int64),
            seed=tf.constant(int(state >> np.uint64(1)), tf.int64),
            temperature=tf.constant(1.0),
            **unlabelled,
        )
        return answer["images"].numpy()

    def encode(self, levels: np.ndarray) -> np.ndarray:
        """Return the posterior means of pictures uint8 [n, h, w, c]: float32 [n, latent_dim]."""
        return self._signatures["encode"](image_bytes=_to_png(levels))["mean"].numpy()

    def reconstruct(self, levels: np.ndarray) -> np.ndarray:
        """Return the reconstructions of pictures uint8 [n, h, w, c], in the same shape and dtype."""
        return self._signatures["reconstruct"](image_bytes=_to_png(levels))["images"].numpy()

    def hash(self) -> str:
        """Return the SHA-256 of all weights."""
        digest = hashlib.sha256()
        for path in sorted(tf.io.gfile.glob(os.path.join(self._folder, "variables", "*.data-*"))):
            with tf.io.gfile.GFile(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


@tf.function(reduce_retracing=True, autograph=False)
def _to_png(levels: tf.Tensor) -> tf.Tensor:
    """Encode pictures uint8 [n, h, w, c] as files, string [n], which the pixel graph decodes to the same pixels."""
    return tf.map_fn(lambda one: tf.io.encode_png(one, compression=1), levels, fn_output_signature=tf.string)
