"""The training loop: one compiled function for many steps, under any tf.distribute strategy."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common.errors import InputError
from common.progress import report_progress
from trainer.accumulation import BatchGradients
from trainer.augmentation import augment
from trainer.checkpoint import Checkpoint, Course
from trainer.config import TrainingConfig
from trainer.corruption import corrupt_variously
from trainer.data import Pictures
from trainer.features.distance import FeatureDistance
from trainer.history import History
from trainer.optimizer import FusedAdam, GradientBound
from trainer.preprocessing import scale
from trainer.replication import Replication, draw_rows, drawing_for
from trainer.sampling import example_keys, keyed_normal
from trainer.schedules import WarmupCosine, kl_weight
from trainer.vae import UNLABELLED, VAE

LOGGER = logging.getLogger("darkroom.trainer")
CALL_SECONDS = 0.25  # target time of one compiled call; progress and Ctrl-C are handled between calls
LABELS_HIDDEN = 0.1  # share of labels hidden from a conditional model, so that it can encode unlabeled images as well
MAX_GRADIENT = 4.0  # initial bound of the norm, nats per value: 10 times the usual norm for a Bernoulli, twice for a mixture
EVAL_BATCH = 250  # maximum number of images evaluated at once: more are no faster
EVAL_NUMBERS = 1 << 23  # values in the largest layer, over all images evaluated at once: more take gigabytes


def eval_batch(vae: VAE) -> int:
    """Return the number of images to evaluate at once."""
    return min(EVAL_BATCH, vae.judged_at_once(EVAL_NUMBERS))


class Figures(NamedTuple):
    """Means over images, in nats per image."""

    reconstruction: float
    kl: float

    def as_dict(self, beta: float | None = None) -> dict[str, float]:
        """Return both terms, the ELBO, and the loss if a KL weight is given."""
        figures = {"elbo": -(self.reconstruction + self.kl), "reconstruction": self.reconstruction, "kl": self.kl}
        return figures if beta is None else {"loss": self.reconstruction + beta * self.kl, **figures}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a training, of which the model has the weights of `best_epoch`.

    Attributes:
        epochs: Number of epochs trained.
        best_epoch: The epoch with the highest held-out ELBO.
        seconds: Total time.
        images_per_second: Median over the epochs, training steps only.
        resumed_from: The last epoch of the interrupted training that was resumed. 0 if none was.
    """

    epochs: int
    best_epoch: int
    seconds: float
    images_per_second: float
    resumed_from: int = 0


class Loop:
    """Train a VAE.

    Keras 3's own `fit` is not used: it does not run under every strategy, and its Python code per batch costs more than a small
    model's step.

    Args:
        vae: The model, created under `strategy.scope()`.
        train: Training images.
        held_out: Images that decide when to stop and which weights are kept.
        config: The training configuration.
        strategy: The strategy that the replicas run under.
        distance: Distance between images and the decoder's means. Required if `training.feature_weight` is above 0.

    Attributes:
        course: The progress of the training, complete after `fit`.
    """

    def __init__(
        self,
        vae: VAE,
        train: Pictures,
        held_out: Pictures,
        config: TrainingConfig,
        strategy: tf.distribute.Strategy,
        distance: FeatureDistance | None = None,
    ):
        self.vae, self.train, self.config, self.strategy = vae, train, config, strategy
        self.steps_per_epoch = math.ceil(len(train) / config.batch_size)
        self.total_steps = total = self.steps_per_epoch * config.epochs
        self.replication = Replication(strategy)
        self.place = self.replication.place
        with strategy.scope():
            self.learning_rate = WarmupCosine(config.learning_rate, total, max(1, int(config.warmup_share * total)))
            self.bound = GradientBound(MAX_GRADIENT * math.prod(vae.image_shape))
            self.optimizer = FusedAdam(self.learning_rate, config.weight_average, self.bound)
            self.optimizer.build(vae.trainable_variables)
            self.gradients = BatchGradients(vae, config, self.place.replicas, distance)
        mine = self.place.share(len(held_out))
        self.held_out = Pictures(held_out.levels[mine], held_out.labels[mine])
        self.held_out_noise = np.concatenate(
            [
                np.zeros([0, vae.latent_dim], np.float32),
                *(keyed_normal(example_keys(levels), (vae.latent_dim,)) for levels, _ in self.held_out.in_order(EVAL_BATCH)),
            ]
        )
        self.course = Course()
        self._steps = tf.function(self._many_steps, jit_compile=False)
        self._sums = tf.function(self._sums_of_terms, reduce_retracing=True, autograph=False)

    def fit(self, history: History | None, checkpoint: Checkpoint | None = None) -> Outcome:
        """Train until the last epoch, or until the held-out ELBO has not risen for `patience` epochs. Keep the best weights.

        Args:
            history: Gets a line per epoch. None for no history.
            checkpoint: Checkpoint of the training, which resumes from it after an interruption. Only the chief of several workers
                reads and writes it.

        Raises:
            InputError: The loss is no longer a finite number.
        """
        course = self._resume(checkpoint, history)
        first, begin = course.epoch, time.perf_counter() - course.seconds
        batches = iter(self._dataset(first))
        while course.epoch < self.config.epochs and (course.epoch - course.best_epoch < self.config.patience or not course.epoch):
            self._train_epoch(batches, course, begin)
            if history:
                history.write(**course.lines[-1])
            if checkpoint and self.place.is_chief:
                checkpoint.save(course, [variable.numpy() for variable in self._changing()])
        self.course = course
        self.vae.set_weights(course.best_weights)
        speed = float(np.median(course.speeds))
        return Outcome(course.epoch, course.best_epoch, time.perf_counter() - begin, speed, first)

    def _train_epoch(self, batches: Iterator[Any], course: Course, begin: float) -> None:
        """Train for one epoch and add its figures to the course."""
        course.epoch += 1
        train, beta, speed = self._epoch(batches, course.epoch)
        with self.optimizer.averaged(self.vae.trainable_variables):
            held_out = self.evaluate()
            elbo = held_out.as_dict()["elbo"]
            best_weights = self.vae.get_weights() if elbo > course.best_elbo else None
        if not math.isfinite(train.reconstruction + train.kl + held_out.reconstruction + held_out.kl):
            raise InputError(f"training diverged in epoch {course.epoch}: the loss is not a number; lower training.learning_rate")
        course.speeds.append(speed)
        course.seconds = time.perf_counter() - begin
        line = {"epoch": course.epoch, "seconds": course.seconds, "images_per_second": speed}
        line |= {"learning_rate": float(self.learning_rate(self._last_step())), "beta": beta}
        course.lines.append({**line, "train": train.as_dict(beta), "eval": held_out.as_dict()})
        if best_weights is not None:
            course.best_elbo, course.best_epoch, course.best_weights = elbo, course.epoch, best_weights

    def _resume(self, checkpoint: Checkpoint | None, history: History | None) -> Course:
        """Load the checkpoint, and restore all variables and the history. Return a new course if there is no checkpoint."""
        course = self._restored(checkpoint) if checkpoint else None
        if course is None:
            return Course()
        if history:
            for line in course.lines:
                history.write(**line)
        LOGGER.info("training goes on after epoch %d of an earlier run, which did not end", course.epoch)
        return course

    def _restored(self, checkpoint: Checkpoint) -> Course | None:
        """Restore all variables from the chief's checkpoint, and return its course. Return None if there is none."""
        variables = self._changing()
        saved = checkpoint.load([variable.numpy() for variable in variables]) if self.place.is_chief else None
        arrays = None if saved is None else [saved[0].to_array(), *saved[1], *saved[0].best_weights]
        shared = self.replication.share_from_chief(arrays)
        if shared is None:
            return None
        for variable, value in zip(variables, shared[1:]):
            variable.assign(value)
        return Course.from_array(shared[0], shared[1 + len(variables) :])

    def _changing(self) -> list[tf.Variable | keras.Variable]:
        """Return all variables that training changes: the weights, the optimizer's state, and the usual norm of the gradient."""
        return [*self.vae.weights, *self.optimizer.variables, self.bound.usual]

    def evaluate(self) -> Figures:
        """Return the ELBO's terms on the held-out images. Noise comes from each image's own key, so figures are repeatable."""
        sums, done = np.zeros(2), 0
        for levels, labels in self.held_out.in_order(eval_batch(self.vae)):
            sums += self._sums(levels, labels, self.held_out_noise[done : done + len(levels)]).numpy()
            done += len(levels)
        reconstruction, kl, count = self.replication.sum(np.array([*sums, done]))
        return Figures(reconstruction / count, kl / count)

    def _sums_of_terms(self, levels: tf.Tensor, labels: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Return the sums of both terms over images, float32 [2], nats."""
        terms = self.vae.elbo_terms(self.vae.observe(levels), noise, labels)
        return tf.stack([tf.reduce_sum(terms.reconstruction), tf.reduce_sum(terms.kl)])

    def _dataset(self, first_epoch: int) -> Any:
        """Return batches for `strategy.run`: each replica gets its part."""
        if self.place.replicas == 1:
            return self.train.shuffled(self.config.batch_size, self.config.seed, first_epoch)
        return self.strategy.distribute_datasets_from_function(
            lambda _: self.train.shuffled(self.config.batch_size, self.config.seed, first_epoch, self.place)
        )

    def _epoch(self, batches: Iterator[Any], epoch: int) -> tuple[Figures, float, float]:
        """Train for one epoch. Return its mean terms, the KL weight at its end, and images per second."""
        sums, done, chunk = np.zeros(2), 0, 1
        begin = time.perf_counter()
        while done < self.steps_per_epoch:
            steps = min(chunk, self.steps_per_epoch - done)
            called = time.perf_counter()
            sums += self._steps(batches, tf.constant(steps)).numpy()
            # All workers have to make the same number of steps in a call.
            (seconds,) = self.replication.sum(np.array([time.perf_counter() - called])) / self.place.workers
            done += steps
            chunk = max(1, min(2 * chunk, int(steps * CALL_SECONDS / seconds)))
            pictures = min(done * self.config.batch_size, len(self.train))
            figures = {"epoch": epoch, "loss": sums.sum() / pictures, "images/s": pictures / (time.perf_counter() - begin)}
            taken = (epoch - 1) * self.steps_per_epoch + done
            report_progress("training", done=taken, total=self.total_steps, unit="steps", **figures)
        beta = float(kl_weight(self._last_step(), self.config, self.total_steps))
        return Figures(*(sums / len(self.train))), beta, len(self.train) / (time.perf_counter() - begin)

    def _last_step(self) -> int:
        """Return the number of the last step taken, from 0."""
        return int(self.optimizer.iterations.numpy()) - 1

    def _many_steps(self, batches: Iterator[Any], steps: tf.Tensor) -> tf.Tensor:
        """Make `steps` steps. Return the sums of both terms over all images of them, float32 [2], nats."""
        # AutoGraph converts only this loop. Converting everything that a step calls, Keras included, takes seconds for no benefit.
        step = tf.autograph.experimental.do_not_convert(self._step)
        sums = tf.zeros([2])
        for _ in tf.range(steps):
            per_replica = self.strategy.run(step, args=(next(batches),))
            sums += self.strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)
        return sums

    def _step(self, batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Make one replica's step on levels [m, h, w, c], labels [m] and the images' places in the batch of all replicas [m].

        Return the sums of both terms, float32 [2], nats.
        """
        levels, labels, places = batch
        step = tf.cast(self.optimizer.iterations.value, tf.int32)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seeds = tf.stack([self.config.seed, step])
        beta = kl_weight(step, self.config, self.total_steps)
        # XLA draws other numbers from the same seed. Random draws stay outside, so that XLA changes only the speed.
        together = self.place.replicas > 1
        with drawing_for(places, self.config.batch_size) if together else nullcontext():
            drawn = self._draw(levels, labels, tf.random.experimental.stateless_fold_in(seeds, 0))
        own_seed = tf.random.experimental.stateless_fold_in(seeds, replica)
        sums, gradients = self.gradients(*drawn, tf.random.experimental.stateless_fold_in(own_seed, 1), beta)
        self.optimizer.apply(gradients, self.vae.trainable_variables)
        return sums

    def _draw(self, levels: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return a batch for training: images, the encoder's input, labels, and noise for the codes."""
        count = tf.shape(levels)[0]
        code_seed, pixel_seed, label_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        augmentation_seed = tf.random.experimental.stateless_fold_in(seed, 2)
        x = scale(augment(levels, self.config.augmentation, augmentation_seed, self.config.shift_pixels, self.config.jitter))
        if self.vae.binarised:
            x = tf.cast(draw_rows(tf.random.stateless_uniform, tf.shape(x), pixel_seed) < x, tf.float32)
        corrupted = corrupt_variously(x, self.config.corruption, self.config.corruption_level, pixel_seed)
        if self.vae.labels:
            hidden = draw_rows(tf.random.stateless_uniform, [count], label_seed) < LABELS_HIDDEN
            labels = tf.where(hidden, UNLABELLED, labels)
        return x, corrupted, labels, draw_rows(tf.random.stateless_normal, [count, self.vae.latent_dim], code_seed)
