"""Gradients of the training loss over a batch, computed in parts if the whole batch would take too much memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from trainer.config import TrainingConfig
from trainer.features.distance import FeatureDistance
from trainer.likelihoods.base import batch_fit
from trainer.losses import vae_loss
from trainer.networks.dropout import dropping
from trainer.vae import VAE

MAX_NUMBERS = 1 << 26  # values in all layers, for the images of a part; about 600 MB with gradients and the likelihood's values


class BatchGradients:
    """Gradients of the loss in all weights, and the sums of both of its terms, over a replica's batch.

    The sums over parts are those of the whole batch, up to rounding. `free_bits` and the optimal sigma of a Gaussian depend on the
    whole batch. They are computed first, in a pass without gradients. Dropout draws for each part.

    Args:
        vae: The model.
        config: The training configuration.
        replicas: Number of replicas that share a batch.
        distance: Distance between images and the decoder's means. Required if `feature_weight` is above 0.

    Raises:
        ValueError: `feature_weight` is above 0, but no distance is given.
    """

    def __init__(self, vae: VAE, config: TrainingConfig, replicas: int = 1, distance: FeatureDistance | None = None):
        if config.feature_weight and distance is None:
            raise ValueError("training.feature_weight is above 0, and no distance of features is given")
        self.vae, self.config, self.distance, self._replicas = vae, config, distance, replicas
        batch = math.ceil(config.batch_size / replicas)
        parts = config.accumulate or math.ceil(batch / self._trained_at_once())
        self.part = math.ceil(batch / parts)
        self._in_parts = self.part < batch
        self._asks_whole_batch = config.free_bits > 0 or vae.likelihood.fits_batches

    def __call__(
        self, x: tf.Tensor, corrupted: tf.Tensor, labels: tf.Tensor, noise: tf.Tensor, drop_seed: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return both terms, summed over the images, float32 [2], nats; and the gradients, one for each trainable weight.

        Args:
            x: Images, float32 [n, h, w, c] in [0, 1].
            corrupted: The encoder's input, of the same shape.
            labels: int32 [n].
            noise: Draws of N(0, 1) for the codes, float32 [n, latent_dim].
            drop_seed: Seed of dropout, int32 [2].
            beta: Weight of the KL divergence, [].
        """
        pictures = (x, corrupted, labels, noise)
        if not self._in_parts:
            return self._compiled(self._of_batch)(pictures, drop_seed, beta)
        paid, fit = self._whole_batch(pictures, drop_seed) if self._asks_whole_batch else (None, None)
        compute = self._compiled(self._of_part)
        zeros = [tf.zeros([2]), *(tf.zeros(variable.shape) for variable in self.vae.trainable_variables)]
        sums, *gradients = self._added_up(lambda part, seed: compute(part, seed, beta, paid, fit), zeros, pictures, drop_seed)
        return sums, gradients

    def _added_up(
        self, of_part: Callable[..., list[tf.Tensor]], zeros: list[tf.Tensor], pictures: tuple[tf.Tensor, ...], drop_seed: tf.Tensor
    ) -> list[tf.Tensor]:
        """Return the sums over all parts of the results of `of_part`, which is called for one part at a time."""
        count = tf.shape(pictures[0])[0]

        def add(first: tf.Tensor, totals: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
            part = tuple(values[first : first + self.part] for values in pictures)
            results = of_part(part, tf.random.experimental.stateless_fold_in(drop_seed, first))
            return first + self.part, [total + value for total, value in zip(totals, results, strict=True)]

        _, totals = tf.while_loop(lambda first, _: first < count, add, (tf.constant(0), zeros), parallel_iterations=1)
        return totals

    def _of_batch(
        self, pictures: tuple[tf.Tensor, ...], drop_seed: tf.Tensor, beta: tf.Tensor, paid: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Compute sums and gradients; see `__call__`. `paid` is that of `vae_loss`."""
        x, corrupted, labels, noise = pictures
        variables = [v.value for v in self.vae.trainable_variables]
        with tf.GradientTape() as tape, dropping(drop_seed):
            terms = self.vae.elbo_terms(x, noise, labels, corrupted, training=True)
            if paid is None and self._replicas > 1 and self.config.free_bits:
                paid = self._paid(tf.reduce_sum(terms.kl_per_dimension, axis=0), tf.shape(x)[0])
            loss = vae_loss(terms, beta, self.config.free_bits, paid)
            if self.config.feature_weight:
                distances = self.distance(x, self.vae.likelihood.mean(terms.parameters))
                loss += self.config.feature_weight * math.prod(self.vae.image_shape) * tf.reduce_sum(distances)
            # Divided by the size of the global batch, not of this replica's share: the sum over replicas is then the mean.
            # The smaller last batch of an epoch weighs less, in proportion to its number of images.
            loss /= self.config.batch_size
        sums = tf.stack([tf.reduce_sum(terms.reconstruction), tf.reduce_sum(terms.kl)])
        return sums, tape.gradient(loss, variables)

    def _trained_at_once(self) -> int:
        """Return how many images have at most `MAX_NUMBERS` values in all layers, including those of the features."""
        alone = self.vae.trained_at_once(MAX_NUMBERS)
        if not self.config.feature_weight:
            return alone
        # If n images reach the limit in the model alone and m in the features alone, 1 / (1/n + 1/m) reach it in both together.
        features = max(1, MAX_NUMBERS // self.distance.numbers(*self.vae.image_shape[:2]))
        return max(1, alone * features // (alone + features))

    def _of_part(
        self, part: tuple[tf.Tensor, ...], seed: tf.Tensor, beta: tf.Tensor, paid: tf.Tensor | None, fit: tf.Tensor | None
    ) -> list[tf.Tensor]:
        """Return the results of `_of_batch` as one list."""
        with batch_fit(fit):
            sums, gradients = self._of_batch(part, seed, beta, paid)
        variables = self.vae.trainable_variables
        return [sums, *(tf.zeros(v.shape) if g is None else g for g, v in zip(gradients, variables, strict=True))]

    def _whole_batch(self, pictures: tuple[tf.Tensor, ...], drop_seed: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """Return `paid` as `vae_loss` takes it, and the likelihood's fit to the batch. Each is None if it is not used."""
        likelihood = self.vae.likelihood

        def of_part(part: tuple[tf.Tensor, ...], seed: tf.Tensor) -> list[tf.Tensor]:
            x, corrupted, labels, noise = part
            with dropping(seed):
                terms = self.vae.elbo_terms(x, noise, labels, corrupted)
            return [tf.reduce_sum(terms.kl_per_dimension, axis=0), likelihood.batch_sums(x, terms.parameters)]

        zeros = [tf.zeros([self.vae.latent_dim]), tf.zeros([likelihood.batch_numbers])]
        kl, sums = self._added_up(of_part, zeros, pictures, drop_seed)
        paid = self._paid(kl, tf.shape(pictures[0])[0]) if self.config.free_bits else None
        return paid, likelihood.fit_batch(sums) if likelihood.fits_batches else None

    def _paid(self, kl: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Return which dimensions pay for their KL divergence, given its sum over this replica's images, float32 [d]: bool [d]."""
        sums = tf.concat([tf.stop_gradient(kl), [tf.cast(count, tf.float32)]], axis=0)
        if self._replicas > 1:
            sums = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, sums)
        return sums[:-1] >= self.config.free_bits * sums[-1]

    def _compiled(self, function: Callable) -> Callable:
        return tf.function(function, jit_compile=True, autograph=False) if self.config.jit_compile else function
