"""A density of codes by flow matching: noise is carried to codes along a learned velocity (Lipman et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from trainer.checkpoint import Checkpoint, Course
from trainer.networks.dropout import Dropout, dropping
from trainer.optimizer import FusedAdam
from trainer.progress import report_progress
from trainer.schedules import WarmupCosine

WIDTHS = (128, 1024)  # of the velocity's layers: four times the codes' dimensions, within these
LAYERS = 4
CONDITION = 128  # numbers that time and label are told by
FREQUENCIES = 32
DROPOUT = 0.1
BATCH = 256
LEARNING_RATE = 1e-3
AVERAGE = 0.999  # decay of the running means of the weights, which are what is kept
LABELS_HIDDEN = 0.1  # share of the labels that it does not see, so that it can draw codes of any label as well
UPDATES_A_CALL = 25  # in one compiled call: progress is shown, and Ctrl-C heard, between calls
EVERY = 200  # updates between two looks at the held-out loss
PATIENCE = 5  # looks without a lower one after which it stops: what is learned from then on are the codes by heart
DRAWS = 8  # times and draws of noise for each held-out code: always the same, so that losses can be compared
SHRINKAGE = 0.01  # of the codes' covariance to its mean variance: a direction without variance would be divided by


@dataclass(frozen=True)
class FlowSettings:
    """How a flow is fitted, and drawn from.

    Attributes:
        updates: Updates of the velocity's weights at the most.
        steps: Steps of the solver.
        seed: Of weights, order, and noise.
    """

    updates: int
    steps: int
    seed: int = 0


class Flow:
    """Codes by a learned velocity v(u, t), from noise at t = 0 to codes at t = 1, in coordinates u in which codes have mean 0 and
    covariance 1.

    The path from noise u_0 to a code u_1 is the straight line (1 - t) u_0 + t u_1, whose velocity u_1 - u_0 the network learns to
    tell from a point of it (Lipman et al. 2023, eq. 22 and 23, with sigma_min = 0). Where codes are normal, the mean velocity is
    (2t - 1) / (t^2 + (1 - t)^2) u: the network is what comes on top, and starts at 0. So the untrained density is the normal one
    with the codes' own mean and covariance.

    Args:
        mean: Of the codes, float32 [d].
        factor: float32 [d, d]: codes are mean + factor u.
        labels: How many labels there are; 0 for a model that knows none.
        settings: The seed, and the steps of the solver.
    """

    def __init__(self, mean: np.ndarray, factor: np.ndarray, labels: int, settings: FlowSettings):
        self.labels, self.settings = labels, settings
        self.mean, self.factor = tf.constant(mean, tf.float32), tf.constant(factor, tf.float32)
        self.network = _build(len(mean), labels, settings.seed)

    @property
    def variables(self) -> list[tf.Variable]:
        """What an exported model has to hold."""
        return [variable.value for variable in self.network.variables]

    @classmethod
    def fit(
        cls,
        codes: np.ndarray,
        held_out: np.ndarray,
        settings: FlowSettings,
        labels: tuple[np.ndarray, np.ndarray] | None = None,
        known: int = 0,
        checkpoint: Checkpoint | None = None,
    ) -> Flow:
        """Fits a flow to codes, for as long as that helps codes that it is not fitted to.

        Args:
            codes: Samples of the aggregate posterior, float [n, d].
            held_out: The same of held-out pictures, float [m, d].
            settings: How long, and the seed.
            labels: The labels of both, int [n] and int [m] from 0, below 0 for none.
            known: How many labels there are; 0 for a model that knows none.
            checkpoint: Where it leaves how far it has come, and an earlier one that was killed has left it.

        Returns:
            The flow, with the weights of the lowest held-out loss.
        """
        codes, held_out = np.asarray(codes, np.float64), np.asarray(held_out, np.float64)
        mean, factor = _normal(codes)
        flow = cls(mean, factor, known, settings)
        inverse = np.linalg.inv(factor)
        white = [((part - mean) @ inverse.T).astype(np.float32) for part in (codes, held_out)]
        shares = [None, None] if labels is None or not known else [_shares(part, known) for part in labels]
        _Fit(flow, (white[0], shares[0]), (white[1], shares[1])).run(checkpoint)
        return flow

    def velocity(self, u: tf.Tensor, t: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """v(u, t): float32 [n, d], times float32 [n, 1] in [0, 1], and shares of labels, float32 [n, labels] -> float32 [n, d]."""
        inputs = [u, t]
        if self.labels:
            inputs.append(tf.zeros([tf.shape(u)[0], self.labels]) if labels is None else labels)
        return (2 * t - 1) / (tf.square(t) + tf.square(1 - t)) * u + self.network(inputs)

    def loss(self, u: tf.Tensor, noise: tf.Tensor, t: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The squared error of the velocity, mean over dimensions: float32 [n] (Lipman et al. 2023, eq. 23).

        Args:
            u: Codes of mean 0 and covariance 1, float32 [n, d].
            noise: Draws of N(0, 1), float32 [n, d].
            t: float32 [n, 1] in [0, 1].
            labels: Shares of labels, float32 [n, labels].
        """
        error = self.velocity((1 - t) * noise + t * u, t, labels) - (u - noise)
        return tf.reduce_mean(tf.square(error), axis=1)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Codes, float32 [n, d], of draws of N(0, 1), float32 [n, d], by Heun's method in equal steps: the noise decides all.

        Args:
            noise: Where the paths begin.
            seed: Not needed; as other densities take it.
            labels: Shares of labels, float32 [n, labels].
        """
        steps = self.settings.steps
        at = lambda step: tf.fill([tf.shape(noise)[0], 1], tf.cast(step, tf.float32) / steps)

        def advance(step: tf.Tensor, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            first = self.velocity(u, at(step), labels)
            second = self.velocity(u + first / steps, at(step + 1), labels)
            return step + 1, u + (first + second) / (2 * steps)

        start = tf.constant(0), tf.convert_to_tensor(noise)
        _, u = tf.while_loop(lambda step, _: step < steps, advance, start, parallel_iterations=1)
        return self.mean + tf.matmul(u, self.factor, transpose_b=True)


class _Fit:
    """The training of a flow's velocity.

    Args:
        flow: The flow.
        train: Codes of mean 0 and covariance 1, float32 [n, d], and shares of labels, float32 [n, labels] or None.
        held_out: The same, of held-out pictures.
    """

    def __init__(self, flow: Flow, train: tuple[np.ndarray, np.ndarray | None], held_out: tuple[np.ndarray, np.ndarray | None]):
        self.flow, self.settings = flow, flow.settings
        self.codes, self.shares = (None if part is None else tf.constant(part) for part in train)
        self.held_out = held_out
        warmup = min(100, max(1, self.settings.updates // 10))
        self.optimizer = FusedAdam(WarmupCosine(LEARNING_RATE, self.settings.updates, warmup), average=AVERAGE)
        self.optimizer.build(flow.network.trainable_variables)
        self._updates = tf.function(self._many_updates, autograph=False)
        self._loss = tf.function(flow.loss, reduce_retracing=True, autograph=False)

    def run(self, checkpoint: Checkpoint | None) -> None:
        """Trains it, and leaves the flow with the best weights."""
        course = self._resume(checkpoint)
        while course.epoch < self.settings.updates and course.epoch - course.best_epoch < PATIENCE * EVERY:
            for count in _calls(course.epoch, self.settings.updates):
                loss = float(self._updates(tf.constant(count)))
                course.epoch += count
                figures = {"loss": loss, **({"held-out loss": -course.best_elbo} if course.best_weights else {})}
                report_progress("fitting the flow", done=course.epoch, total=self.settings.updates, unit="updates", **figures)
            held_out = self._held_out_loss()
            if -held_out > course.best_elbo:
                weights = [average.numpy() for average in self.optimizer.averages]
                course.best_elbo, course.best_epoch, course.best_weights = -held_out, course.epoch, weights
            if checkpoint:
                checkpoint.save(course, [variable.numpy() for variable in self._changing()])
        for variable, value in zip(self.flow.network.trainable_variables, course.best_weights):
            variable.assign(value)

    def _changing(self) -> list:
        return [*self.flow.network.trainable_variables, *self.optimizer.variables]

    def _resume(self, checkpoint: Checkpoint | None) -> Course:
        found = checkpoint.load([variable.numpy() for variable in self._changing()]) if checkpoint else None
        if found is None:
            return Course()
        for variable, value in zip(self._changing(), found[1]):
            variable.assign(value)
        return found[0]

    def _many_updates(self, count: tf.Tensor) -> tf.Tensor:
        """`count` updates; the mean loss of them, float32 []."""
        step = lambda i, total: (i + 1, total + self._update())
        _, total = tf.while_loop(lambda i, _: i < count, step, (tf.constant(0), tf.constant(0.0)), parallel_iterations=1)
        return total / tf.cast(count, tf.float32)

    def _update(self) -> tf.Tensor:
        done = tf.cast(self.optimizer.iterations.value, tf.int32)
        seeds = tf.unstack(tf.random.experimental.stateless_split(tf.stack([self.settings.seed, done]), 5))
        chosen = tf.random.stateless_uniform([BATCH], seeds[0], maxval=len(self.codes), dtype=tf.int32)
        u, noise = tf.gather(self.codes, chosen), tf.random.stateless_normal([BATCH, self.codes.shape[1]], seeds[1])
        # One time in each of as many equal parts: losses of early and late times differ far more than those of codes.
        t = (tf.range(BATCH, dtype=tf.float32) + tf.random.stateless_uniform([BATCH], seeds[2]))[:, tf.newaxis] / BATCH
        labels = None
        if self.shares is not None:
            seen = tf.random.stateless_uniform([BATCH, 1], seeds[3]) >= LABELS_HIDDEN
            labels = tf.where(seen, tf.gather(self.shares, chosen), 0.0)
        variables = self.flow.network.trainable_variables
        raw = [variable.value for variable in variables]
        with tf.GradientTape() as tape, dropping(seeds[4]):
            loss = tf.reduce_mean(self.flow.loss(u, noise, t, labels))
        self.optimizer.apply(tape.gradient(loss, raw), variables)
        return loss

    def _held_out_loss(self) -> float:
        """The mean loss of the held-out codes by the running means of the weights, with the same times and noise every time."""
        variables = self.flow.network.trainable_variables
        kept = [variable.numpy() for variable in variables]
        for variable, average in zip(variables, self.optimizer.averages):
            variable.assign(average)
        losses = [self._loss(*batch).numpy() for batch in self._held_out_batches()]
        for variable, value in zip(variables, kept):
            variable.assign(value)
        return float(np.concatenate(losses).mean(dtype=np.float64))

    def _held_out_batches(self) -> Iterator[tuple[tf.Tensor, ...]]:
        codes, shares = self.held_out
        for i in range(DRAWS):
            rng = np.random.default_rng([self.settings.seed, i])
            noise = rng.standard_normal(codes.shape, np.float32)
            t = ((rng.permutation(len(codes)) + rng.random(len(codes))) / len(codes)).astype(np.float32)[:, np.newaxis]
            for start in range(0, len(codes), BATCH):
                part = slice(start, start + BATCH)
                yield codes[part], noise[part], t[part], None if shares is None else shares[part]


def _calls(done: int, most: int) -> Iterator[int]:
    """Updates of each compiled call until the next look at the held-out loss."""
    for start in range(done, min(done + EVERY, most), UPDATES_A_CALL):
        yield min(UPDATES_A_CALL, most - start)


def _normal(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of codes, float64 [n, d], and a factor of their covariance, [d, d], shrunk a little to its mean variance."""
    mean = codes.mean(axis=0)
    centred = codes - mean
    covariance = centred.T @ centred / len(codes)
    # Fewer codes than dimensions say little of most directions.
    share = min(1.0, SHRINKAGE + codes.shape[1] / (10 * len(codes)))
    variance = max(float(np.trace(covariance)) / codes.shape[1], 1e-6)
    values, vectors = np.linalg.eigh((1 - share) * covariance + share * variance * np.eye(codes.shape[1]))
    return mean, vectors * np.sqrt(np.maximum(values, 1e-9))


def _shares(labels: np.ndarray, known: int) -> np.ndarray:
    """Labels, int [n] from 0, below 0 for none, as shares, float32 [n, known]."""
    return (labels[:, np.newaxis] == np.arange(known)).astype(np.float32)


class Waves(keras.layers.Layer):
    """Times, [n, 1] in [0, 1], as sines and cosines of rising frequencies: [n, 2 * FREQUENCIES]."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """[n, 1] -> [n, 2 * FREQUENCIES]."""
        angles = inputs * (math.pi * np.exp(np.linspace(0, math.log(64), FREQUENCIES))).astype(np.float32)
        return keras.ops.concatenate([keras.ops.sin(angles), keras.ops.cos(angles)], axis=1)


def _build(dim: int, labels: int, seed: int) -> keras.Model:
    """The network of a velocity: codes [n, dim], times [n, 1] and shares of labels -> [n, dim], all zeros at first."""
    width = int(np.clip(4 * dim, *WIDTHS))
    seeds = iter(np.random.SeedSequence([seed, dim]).generate_state(2 * LAYERS + 6))
    start = lambda spread=1.0: keras.initializers.VarianceScaling(spread, seed=int(next(seeds)))
    dense = lambda units, name, spread=1.0: keras.layers.Dense(units, kernel_initializer=start(spread), name=name)
    u, t = keras.Input((dim,), name="u"), keras.Input((1,), name="t")
    label = [keras.Input((labels,), name="label")] if labels else []
    told = keras.layers.Activation("silu")(dense(CONDITION, "time")(Waves(name="waves")(t)))
    told = dense(CONDITION, "told")(told)
    if labels:
        told = keras.layers.Add()([told, dense(CONDITION, "told_label")(label[0])])
    told = keras.layers.Activation("silu")(told)
    x = dense(width, "first")(u)
    for i in range(1, LAYERS + 1):
        y = keras.layers.LayerNormalization(name=f"norm_{i}")(x)
        y = keras.layers.Add()([y, dense(width, f"told_{i}")(told)])
        y = Dropout(DROPOUT, name=f"dropout_{i}")(keras.layers.Activation("silu")(y))
        x = keras.layers.Add()([x, dense(width, f"layer_{i}", 1 / LAYERS)(y)])
    x = keras.layers.Activation("silu")(keras.layers.LayerNormalization(name="norm")(x))
    return keras.Model([u, t, *label], keras.layers.Dense(dim, kernel_initializer="zeros", name="last")(x), name="velocity")
