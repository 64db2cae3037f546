"""A process with two logical CPUs, which have to be set before TensorFlow starts: what replicas do is compared here.

`python -m tests.trainer.replicas FOLDER` writes what it found to FOLDER/found.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.trainer import tiny
from trainer.loop import get_strategy
from trainer.losses import ElboTerms
from trainer.schedules import WarmupCosine
from trainer.vae import VAE

STEPS = 20


class Noiseless(VAE):
    """A VAE whose codes are the posteriors' means: without noise, replicas together do what one device does."""

    def elbo_terms(self, x: tf.Tensor, noise: tf.Tensor) -> ElboTerms:
        return super().elbo_terms(x, tf.zeros_like(noise))


class Telltale(VAE):
    """A VAE whose reconstruction term is the first replica's noise, and whose KL divergence is the second's."""

    def elbo_terms(self, x: tf.Tensor, noise: tf.Tensor) -> ElboTerms:
        nothing = 0.0 * super().elbo_terms(x, noise).elbo
        second = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32)
        return ElboTerms(nothing + (1.0 - second) * noise[:, 0], nothing + second * noise[:, 0])


def adam_weights(strategy: tf.distribute.Strategy) -> list[np.ndarray]:
    """Weights after `STEPS` steps of Adam on gradients that come and go, each replica bringing its share of them."""
    rng = np.random.default_rng(0)
    with strategy.scope():
        variables = [keras.Variable(rng.standard_normal(shape), dtype="float32") for shape in ((5, 3), (3,), ())]
        optimizer = keras.optimizers.Adam(WarmupCosine(1e-2, STEPS, 4))
        optimizer.build(variables)
    share = 1.0 / strategy.num_replicas_in_sync

    def update(gradients: list[tf.Tensor]) -> None:
        optimizer.apply([share * gradient for gradient in gradients], variables)

    step = tf.function(lambda gradients: strategy.run(update, args=(gradients,)))
    for size in np.geomspace(1e-4, 10.0, STEPS):
        step([tf.constant(size * rng.standard_normal(v.shape), tf.float32) for v in variables])
    return [np.asarray(variable) for variable in variables]


def main(folder: Path) -> None:
    """Runs what is compared.

    Args:
        folder: Where to work.
    """
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # One mirrored strategy for all: a second one's collective operations would get the first one's numbers.
    mirrored, alone = get_strategy("mirrored"), get_strategy("one_device")
    across = [a - b for a, b in zip(adam_weights(mirrored), adam_weights(alone))]
    found = {
        "replicas": {"mirrored": mirrored.num_replicas_in_sync, "one_device": alone.num_replicas_in_sync},
        "adam_across": max(float(np.abs(a).max()) for a in across),
        "history": {},
        "noiseless": {},
    }
    for name, strategy in (("mirrored", mirrored), ("one_device", alone)):
        fitted = tiny.fit(folder / name, strategy=strategy)
        found["history"][name] = fitted.history
        found["noiseless"][name] = tiny.fit(folder / name, strategy=strategy, vae_class=Noiseless).history
        if strategy is mirrored:
            copies = [[copy.numpy() for copy in v.value.values] for v in fitted.vae.trainable_variables]
            found["copies_differ"] = max(float(np.abs(a - b).max()) for a, b in copies)
    found["noise"] = []  # sums of two steps of each of two seeds: both replicas' parts
    for seed in (0, 1):
        options = {"seed": seed, "batch_size": 96, "epochs": 2}
        history = tiny.fit(folder, tiny.bars(96), strategy=mirrored, vae_class=Telltale, **options).history
        found["noise"] += [line["train"][term] for line in history for term in ("reconstruction", "kl")]
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
