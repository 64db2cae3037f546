"""Features of images, learned without labels, that are sensitive to blur, noise and structure as well as to content.

A small network learns three tasks at once: to recognize which distortion was applied to an image (blur, noise, shuffled patches,
a blend of two), how far it was turned (Gidaris et al. 2018), and which two of many crops are of one image (contrastive
learning, Chen et al. 2020). All three tasks are solved from the features. The features do not depend on any evaluated model.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from common.progress import report_progress
from trainer.features import distortions
from trainer.features.network import FeatureNetwork, read_weights
from trainer.preprocessing import scale

DIMENSIONS = 64
LARGEST = 64  # pixels; larger images are shrunk to it
BATCH = 128
EPOCHS = 15
STEPS = (100, 800)  # minimum and maximum, whatever the epochs come to
LEARNING_RATE = 2e-3
TEMPERATURE = 0.2  # of the contrastive loss
PROJECTION = (128, 64)  # two more layers between features and contrastive loss, so that features keep more (Chen et al. 2020)
SCALED_BY = 5_000  # training images that determine the scale of the features
LAYERS = {  # filters and strides of the 3x3 convolutions, by the maximum of the images' longer side
    8: ((32, 2), (64, 1), (64, 2)),
    32: ((32, 2), (64, 2), (64, 1), (128, 2)),
    LARGEST: ((16, 2), (32, 2), (64, 2), (128, 2)),
}
INDISTINCT = ("shuffled patches", "blended")  # distortions after which nobody could tell how far the image was turned


class SelfSupervised(FeatureNetwork):
    """A trained network. Its features have a variance of 1 over the training images, mean over dimensions."""

    @classmethod
    def from_bytes(cls, content: bytes, shape: tuple[int, int, int]) -> SelfSupervised:
        """Return the network for images of `shape` with the weights that `to_bytes` wrote."""
        made = cls.untrained(shape)
        made.set_weights(read_weights(content))
        return made

    @classmethod
    def untrained(cls, shape: tuple[int, int, int]) -> SelfSupervised:
        """Return an untrained network for images of `shape`.

        Example:
            >>> SelfSupervised.untrained((8, 8, 1)).features(np.zeros((2, 8, 8, 1), np.uint8)).shape
            (2, 64)
        """
        return cls(_build(shape, seed=0), shape)

    def convolutions(self) -> list[tuple[np.ndarray, np.ndarray, int]]:
        """Return kernel, float32 [3, 3, inputs, filters], bias, float32 [filters], and stride of each convolution, in order.

        Each one pads its input with zeros to the same size, and is followed by a ReLU. The input of the first one is in [-1, 1].
        """
        layers = [layer for layer in self._network.layers if isinstance(layer, keras.layers.Conv2D)]
        return [(*layer.get_weights(), layer.strides[0]) for layer in layers]


def train(levels: np.ndarray, seed: int) -> SelfSupervised:
    """Train the network on images, uint8 [n, h, w, c], and return it.

    No side is above `LARGEST`. The seed determines weights, order and distortions.
    """
    network = _build(levels.shape[1:], seed)
    heads = _Heads(seed)
    variables = network.trainable_variables + heads.variables
    steps = int(np.clip(EPOCHS * len(levels) // BATCH, *STEPS))
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=LEARNING_RATE, warmup_steps=steps // 20)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(variables)

    @tf.function(reduce_retracing=True, autograph=False)
    def step(batch: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        seeds = tf.random.experimental.stateless_split([seed, number], 3)
        pictures = scale(batch)
        turned, turns = distortions.turn(pictures)
        distorted, kinds = distortions.distort(turned, seeds[0])
        views = [distortions.view(pictures[: BATCH // 2], view_seed) for view_seed in (seeds[1], seeds[2])]
        with tf.GradientTape() as tape:
            features = network(tf.concat([distorted, *views], axis=0), training=True)
            loss = heads.loss(features, kinds, turns)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    for done, batch in enumerate(_batches(len(levels), steps, seed), 1):
        loss = step(levels[batch], tf.constant(done, tf.int32))
        if done % 25 == 0 or done == steps:
            report_progress("features", done=done, total=steps, unit="steps", loss=float(loss))
    _scale(network, levels, seed)
    return SelfSupervised(network, levels.shape[1:])


class _Heads:
    """Output layers of the three tasks: one linear layer each for kinds and turns, and two layers for the contrast of views."""

    def __init__(self, seed: int):
        initial = (keras.initializers.GlorotUniform(seed=1000 * seed + 100 + i) for i in range(4))
        layer = lambda units, activation=None: keras.layers.Dense(units, activation, kernel_initializer=next(initial))  # noqa: E731
        self._kinds, self._turns = layer(len(distortions.KINDS)), layer(distortions.TURNS)
        self._projection = keras.Sequential([keras.Input([DIMENSIONS]), layer(PROJECTION[0], "relu"), layer(PROJECTION[1])])
        for head in (self._kinds, self._turns):
            head.build([None, DIMENSIONS])
        self.variables = [v for head in (self._kinds, self._turns, self._projection) for v in head.trainable_variables]

    def loss(self, features: tf.Tensor, kinds: np.ndarray, turns: np.ndarray) -> tf.Tensor:
        """Return the sum of the three mean cross-entropies.

        The features, float32 [2 * BATCH, DIMENSIONS], are of the distorted images, the first views and the second views.
        """
        distorted, *views = tf.split(features, [BATCH, BATCH // 2, BATCH // 2])
        distinct = np.flatnonzero([distortions.KINDS[kind] not in INDISTINCT for kind in kinds])
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
        recognized = tf.reduce_mean(entropy(kinds, self._kinds(distorted)))
        turned = tf.reduce_mean(entropy(turns[distinct], self._turns(tf.gather(distorted, distinct))))
        return recognized + turned + contrastive_loss(*(self._projection(part) for part in views))


def contrastive_loss(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return the normalized temperature-scaled cross-entropy (Chen et al. 2020, eq. 1) of the projections of two views of n images.

    The projections are float32 [n, p]. The loss is float32 [], nats; log(2 n - 1) if all projections are equal.
    """
    projections = tf.math.l2_normalize(tf.concat([first, second], axis=0), axis=1)
    n = first.shape[0]
    similarity = tf.matmul(projections, projections, transpose_b=True) / TEMPERATURE
    similarity = tf.linalg.set_diag(similarity, tf.fill([2 * n], similarity.dtype.min))  # no view is compared with itself
    partner = np.concatenate([np.arange(n, 2 * n), np.arange(n)])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(partner, similarity))


def _batches(pictures: int, steps: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the indices of `steps` batches, each int64 [BATCH]. Numbers of uses of any two images differ by at most one."""
    rng, waiting = np.random.default_rng(seed), np.zeros(0, np.int64)
    for _ in range(steps):
        while len(waiting) < BATCH:
            waiting = np.concatenate([waiting, rng.permutation(pictures)])
        yield waiting[:BATCH]
        waiting = waiting[BATCH:]


def _scale(network: keras.Model, levels: np.ndarray, seed: int) -> None:
    """Change the last layer so that the features have mean 0 and, over all dimensions, a mean variance of 1."""
    chosen = np.random.default_rng(seed).permutation(len(levels))[:SCALED_BY]
    kept = SelfSupervised(network, levels.shape[1:])
    features = np.concatenate([kept.features(levels[chosen[i : i + 500]]) for i in range(0, len(chosen), 500)])
    deviation = float(np.sqrt(features.var(axis=0).mean())) or 1.0
    weights, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([weights / deviation, (bias - features.mean(axis=0)) / deviation])


def _build(shape: tuple[int, int, int], seed: int) -> keras.Model:
    initial = (keras.initializers.HeNormal(seed=1000 * seed + i) for i in range(6))
    longest = max(shape[:2])
    layers = next(layout for side, layout in LAYERS.items() if longest <= side)
    picture = keras.Input(shape)
    x = keras.layers.Rescaling(2.0, -1.0)(picture)
    for filters, stride in layers:
        x = keras.layers.Conv2D(filters, 3, stride, "same", activation="relu", kernel_initializer=next(initial))(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(picture, keras.layers.Dense(DIMENSIONS, kernel_initializer=next(initial))(x))
