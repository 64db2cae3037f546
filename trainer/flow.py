"""A density of codes by flow matching: a learned velocity transports noise to codes (Lipman et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from common.progress import report_progress
from trainer.checkpoint import Checkpoint, Course
from trainer.networks.velocity import build_velocity
from trainer.optimizer import FusedAdam
from trainer.schedules import WarmupCosine

BATCH = 128
LEARNING_RATE = 3e-3
AVERAGE = 0.999  # decay of the running means of the weights; the means are kept
LABELS_HIDDEN = 0.1  # share of labels hidden in the fit, so that the flow can draw codes without a given label as well
UPDATES_A_CALL = 25  # updates in one compiled call; progress and Ctrl-C are handled between calls
EVERY = 100  # updates between two evaluations of the held-out loss
PATIENCE = 5  # evaluations without a lower held-out loss after which the fit stops; later it only memorizes codes
HELD_OUT = 2000  # paths of the held-out loss, always the same; more take longer than the updates between two evaluations
LEAST_DEVIATION = 1e-3  # lower bound for a dimension's deviation, which is divided by
DRAWS = 2000  # draws whose moments are compared with those of the codes; as much work as 125 updates
DRAWS_A_CALL = 250


@dataclass(frozen=True)
class FlowSettings:
    """How a flow is fitted and drawn from.

    Attributes:
        updates: Maximum number of updates of the velocity's weights.
        steps: Steps of the solver, from `GenerationConfig.steps`.
        seed: Seed of weights, order and noise.
        grid: Rows, columns and channels of a spatial network's codes. None for codes without places.
    """

    updates: int
    steps: int
    seed: int = 0
    grid: tuple[int, int, int] | None = None


class Flow:
    """A density of codes defined by a learned velocity v(u, t), from noise at t = 0 to codes at t = 1.

    Codes u are in units in which each dimension has mean 0 and deviation 1. The path from noise u_0 to a code u_1 is the straight
    line (1 - t) u_0 + t u_1. The network learns to predict its velocity u_1 - u_0 from a point on it (Lipman et al. 2023, eq. 22
    and 23, with sigma_min = 0). If u_1 is N(0, 1), the mean velocity is (2t - 1) / (t^2 + (1 - t)^2) u. The network is the
    difference from that, and starts at 0. So the untrained density is a normal one with the codes' means and deviations.

    A velocity is learned as a mean over all codes that a point may lead to. A network that has not learned to tell them apart draws
    codes too close to the mean: emoji's, after 4,000 updates, with 0.91 of the codes' deviation. So draws are scaled, dimension by
    dimension, to the codes' means and deviations.

    Args:
        mean: Mean of the codes, float32 [d].
        deviation: Standard deviations of the codes, float32 [d].
        labels: Number of labels; 0 for a model that is not conditional.
        settings: Seed, steps of the solver, and grid of the codes.
    """

    def __init__(self, mean: np.ndarray, deviation: np.ndarray, labels: int, settings: FlowSettings):
        self.labels, self.settings = labels, settings
        self.mean, self.deviation = tf.constant(mean, tf.float32), tf.constant(deviation, tf.float32)
        self.network = build_velocity(len(mean), settings.grid, labels, settings.seed)

    @property
    def variables(self) -> list[tf.Variable]:
        """Return the variables that an exported model has to hold."""
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
        """Fit a flow to codes until held-out codes no longer gain. The flow has the weights of the lowest held-out loss.

        Args:
            codes: Samples of the aggregate posterior of the training images, float [n, d].
            held_out: Samples of the aggregate posterior of the held-out images, float [m, d].
            settings: Length of the fit, and its seed.
            labels: Labels of both, int [n] and int [m] from 0, below 0 for none.
            known: Number of labels; 0 for a model that is not conditional.
            checkpoint: Checkpoint of the fit, which resumes from it after an interruption.
        """
        mean, deviation = codes.mean(axis=0), np.maximum(codes.std(axis=0), LEAST_DEVIATION)
        flow = cls(mean, deviation, known, settings)
        u = [((part - mean) / deviation).astype(np.float32) for part in (codes, held_out)]
        shares = [None, None] if labels is None or not known else [_shares(part, known) for part in labels]
        _Fit(flow, (u[0], shares[0]), (u[1], shares[1])).run(checkpoint)
        flow.match_moments(codes, shares[0])
        return flow

    def match_moments(self, codes: np.ndarray, shares: np.ndarray | None = None) -> None:
        """Scale and shift draws so that in each dimension they have the codes' mean and deviation.

        Args:
            codes: float [n, d].
            shares: Shares of the codes' labels, float32 [n, labels]; None for a model that is not conditional.
        """
        rng = np.random.default_rng(self.settings.seed)
        noise = rng.standard_normal((DRAWS, codes.shape[1]), np.float32)
        noise = (noise - noise.mean(axis=0)) / noise.std(axis=0)  # of noise with exact moments, those of draws vary far less
        chosen = np.resize(rng.permutation(len(codes)), DRAWS)
        draw, drawn = tf.function(self.draw, reduce_retracing=True, autograph=False), []
        for start in range(0, DRAWS, DRAWS_A_CALL):
            report_progress("matching the codes' moments", done=start, total=DRAWS, unit="draws")
            part = slice(start, start + DRAWS_A_CALL)
            labels = None if shares is None else tf.constant(shares[chosen[part]])
            drawn.append(draw(tf.constant(noise[part]), tf.constant([0, 0]), labels).numpy())
        every = np.concatenate(drawn)
        ratio = codes.std(axis=0) / np.maximum(every.std(axis=0), LEAST_DEVIATION)
        self.mean = tf.constant(codes.mean(axis=0) + ratio * (self.mean - every.mean(axis=0)), tf.float32)
        self.deviation = tf.constant(ratio * self.deviation, tf.float32)

    def velocity(self, u: tf.Tensor, t: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return v(u, t), float32 [n, d], of codes in the flow's units, times [n, 1] in [0, 1] and shares of labels [n, labels]."""
        inputs = [u, t]
        if self.labels:
            inputs.append(tf.zeros([tf.shape(u)[0], self.labels]) if labels is None else labels)
        return (2 * t - 1) / (tf.square(t) + tf.square(1 - t)) * u + self.network(inputs)

    def loss(self, u: tf.Tensor, noise: tf.Tensor, t: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return the squared error of the velocity, mean over dimensions: float32 [n] (Lipman et al. 2023, eq. 23).

        The arguments are those of `velocity`, and draws of N(0, 1), float32 [n, d].
        """
        error = self.velocity((1 - t) * noise + t * u, t, labels) - (u - noise)
        return tf.reduce_mean(tf.square(error), axis=1)

    def draw(self, noise: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return codes, float32 [n, d], by Heun's method in equal steps, from draws of N(0, 1) and shares of labels.

        The noise determines them. The seed is not used. Other densities take it.
        """
        steps = self.settings.steps
        at = lambda step: tf.fill([tf.shape(noise)[0], 1], tf.cast(step, tf.float32) / steps)  # noqa: E731

        def advance(step: tf.Tensor, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            first = self.velocity(u, at(step), labels)
            second = self.velocity(u + first / steps, at(step + 1), labels)
            return step + 1, u + (first + second) / (2 * steps)

        start = tf.constant(0), tf.convert_to_tensor(noise)
        _, u = tf.while_loop(lambda step, _: step < steps, advance, start, parallel_iterations=1)
        return self.mean + self.deviation * u


class _Fit:
    """The training of a flow's velocity, from codes in the flow's units [n, d] and shares of labels, and held-out ones."""

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
        """Train the velocity, and set the flow to the best weights."""
        course = (checkpoint.restore(self._changing()) if checkpoint else None) or Course()
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

    def _many_updates(self, count: tf.Tensor) -> tf.Tensor:
        """Make `count` updates and return their mean loss, float32 []."""
        step = lambda i, total: (i + 1, total + self._update())  # noqa: E731
        _, total = tf.while_loop(lambda i, _: i < count, step, (tf.constant(0), tf.constant(0.0)), parallel_iterations=1)
        return total / tf.cast(count, tf.float32)

    def _update(self) -> tf.Tensor:
        done = tf.cast(self.optimizer.iterations.value, tf.int32)
        seeds = tf.unstack(tf.random.experimental.stateless_split(tf.stack([self.settings.seed, done]), 4))
        chosen = tf.random.stateless_uniform([BATCH], seeds[0], maxval=len(self.codes), dtype=tf.int32)
        u, noise = tf.gather(self.codes, chosen), tf.random.stateless_normal([BATCH, self.codes.shape[1]], seeds[1])
        # One time in each of BATCH equal intervals: losses differ far more between early and late times than between codes.
        t = (tf.range(BATCH, dtype=tf.float32) + tf.random.stateless_uniform([BATCH], seeds[2]))[:, tf.newaxis] / BATCH
        labels = None
        if self.shares is not None:
            shown = tf.random.stateless_uniform([BATCH, 1], seeds[3]) >= LABELS_HIDDEN
            labels = tf.where(shown, tf.gather(self.shares, chosen), 0.0)
        variables = self.flow.network.trainable_variables
        raw = [variable.value for variable in variables]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.flow.loss(u, noise, t, labels))
        self.optimizer.apply(tape.gradient(loss, raw), variables)
        return loss

    def _held_out_loss(self) -> float:
        """Return the mean loss of the held-out codes for the running means of the weights, always with the same times and noise."""
        with self.optimizer.averaged(self.flow.network.trainable_variables):
            losses = [self._loss(*batch).numpy() for batch in self._held_out_batches()]
        return float(np.concatenate(losses).mean(dtype=np.float64))

    def _held_out_batches(self) -> Iterator[tuple[tf.Tensor, ...]]:
        codes, shares = (None if part is None else part[:HELD_OUT] for part in self.held_out)
        repeats = -(-HELD_OUT // len(codes))
        noise, t = [], []
        for i in range(repeats):
            rng = np.random.default_rng([self.settings.seed, i])
            noise.append(rng.standard_normal(codes.shape, np.float32))
            t.append(((rng.permutation(len(codes)) + rng.random(len(codes))) / len(codes)).astype(np.float32))
        u, shares = (None if part is None else np.concatenate([part] * repeats) for part in (codes, shares))
        noise, t = np.concatenate(noise), np.concatenate(t)[:, np.newaxis]
        for start in range(0, len(u), BATCH):
            part = slice(start, start + BATCH)
            yield u[part], noise[part], t[part], None if shares is None else shares[part]


def _calls(done: int, updates: int) -> Iterator[int]:
    """Yield the number of updates of each compiled call until the next evaluation of the held-out loss."""
    for start in range(done, min(done + EVERY, updates), UPDATES_A_CALL):
        yield min(UPDATES_A_CALL, updates - start)


def _shares(labels: np.ndarray, known: int) -> np.ndarray:
    """Convert labels, int [n] from 0, below 0 for none, to shares, float32 [n, known]."""
    return (labels[:, np.newaxis] == np.arange(known)).astype(np.float32)
