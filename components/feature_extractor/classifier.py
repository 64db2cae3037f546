"""A small classifier whose penultimate layer gives features.

Inception's features, made for photographs, mean little on other pictures. The accepted substitute is the Frechet distance on the
features of a classifier trained on the data themselves. It need not be a good classifier, but the same for all models: small, fast,
and with the same weights from the same pictures and seed on one machine.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from common.progress import report_progress
from trainer.features.network import FeatureNetwork, read_weights
from trainer.preprocessing import scale

DIMENSIONS = 64
LARGEST = 32  # pixels; larger pictures are shrunk to it: coarse shape suffices, and it is faster
BATCH = 128
EPOCHS = 30
STEPS = (200, 1400)  # minimum and maximum number of steps; 1,400 are 3 epochs of 60,000 pictures
LEARNING_RATE = 2e-3


class Classifier(FeatureNetwork):
    """A trained classifier; its features are not negative."""

    def predict(self, levels: np.ndarray) -> np.ndarray:
        """Return the most likely label's index, int64 [n], of pictures uint8 [n, h, w, c] of any size."""
        return self.features_and_labels(levels)[1]

    def features_and_labels(self, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return features, float32 [n, DIMENSIONS], and likeliest labels, int64 [n], of pictures uint8 [n, h, w, c] of any size."""
        features, logits = self._answers(levels)
        return features, logits.argmax(axis=1)

    @classmethod
    def from_bytes(cls, content: bytes, shape: tuple[int, int, int]) -> Classifier:
        """Return the classifier for pictures of `shape` from weights written by `to_bytes`."""
        weights = read_weights(content)
        network = _build(shape, len(weights[-1]), seed=0)
        network.set_weights(weights)
        return cls(network, shape)


def train(levels: np.ndarray, labels: np.ndarray, seed: int) -> Classifier:
    """Train a classifier.

    Args:
        levels: Pictures, uint8 [n, h, w, c], no side above `LARGEST`.
        labels: int32 [n], from 0 to the number of labels - 1.
        seed: Seed of the weights and the order of pictures.
    """
    network = _build(levels.shape[1:], int(labels.max()) + 1, seed)
    steps = int(np.clip(EPOCHS * len(levels) // BATCH, *STEPS))
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=LEARNING_RATE, warmup_steps=steps // 20)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)

    @tf.function(reduce_retracing=True, autograph=False)
    def step(pictures: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = network(scale(pictures), training=True)[1]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables))
        return loss

    done, epoch = 0, 0
    while done < steps:
        order = np.random.default_rng([seed, epoch]).permutation(len(levels))
        for start in range(0, len(levels), BATCH):
            if done == steps:
                break
            batch = order[start : start + BATCH]
            loss = step(levels[batch], labels[batch])
            done += 1
            if done % 50 == 0 or done == steps:
                report_progress("classifier", done=done, total=steps, unit="steps", loss=float(loss))
        epoch += 1
    return Classifier(network, levels.shape[1:])


def _build(shape: tuple[int, int, int], labels: int, seed: int) -> keras.Model:
    initial = (keras.initializers.HeNormal(seed=1000 * seed + i) for i in range(4))
    picture = keras.Input(shape)
    x = picture
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, 2, "same", activation="relu", kernel_initializer=next(initial))(x)
    x = keras.layers.Flatten()(x)
    features = keras.layers.Dense(DIMENSIONS, activation="relu", kernel_initializer=next(initial))(x)
    return keras.Model(picture, [features, keras.layers.Dense(labels, kernel_initializer=next(initial))(features)])
