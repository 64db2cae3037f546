"""Query the exported model for many pictures, batch by batch, through its signatures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from serving.saved_model import SavedModel

BATCH = 250  # pictures per call: more takes gigabytes for large pictures
PRIOR = "generate_prior"


class Model(SavedModel):
    """An exported model.

    Args:
        folder: Folder of saved_model.pb, in any file system.

    Raises:
        InputError: The model cannot be loaded.
        tf.errors.OpError: saved_model.pb cannot be read.
    """

    def __init__(self, folder: str):
        super().__init__(folder, tf.io.gfile.GFile)

    @property
    def image_shape(self) -> tuple[int | None, ...]:
        """Height, width, channels of new pictures; None where the signature leaves them open."""
        return self.shape("generate", "images")[1:]

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
        unlabelled = {"label": b""} if self.offers(signature, "label") else {}
        # Derive the seed of each batch by hashing: with consecutive seeds, neighboring runs would draw the same pictures.
        (state,) = np.random.SeedSequence([seed, start]).generate_state(1, np.uint64)
        return self.call(signature, count=count, seed=int(state >> np.uint64(1)), temperature=1.0, **unlabelled)["images"]

    def encode(self, levels: np.ndarray) -> np.ndarray:
        """Return the posterior means of pictures uint8 [n, h, w, c]: float32 [n, latent_dim]."""
        return self.call("encode", image_bytes=_to_png(levels))["mean"]

    def reconstruct(self, levels: np.ndarray) -> np.ndarray:
        """Return the reconstructions of pictures uint8 [n, h, w, c], in the same shape and dtype."""
        return self.call("reconstruct", image_bytes=_to_png(levels))["images"]

    def hash(self) -> str:
        """Return the SHA-256 of all weights."""
        digest = hashlib.sha256()
        for path in sorted(tf.io.gfile.glob(os.path.join(self.folder, "variables", "*.data-*"))):
            with tf.io.gfile.GFile(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


def _to_png(levels: np.ndarray) -> list[bytes]:
    """Encode pictures uint8 [n, h, w, c] as files, which the pixel graph decodes to the same pixels."""
    return [tf.io.encode_png(one, compression=1).numpy() for one in levels]
