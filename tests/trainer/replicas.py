"""A process with two logical CPUs, which have to be set before TensorFlow starts: what replicas do is compared here.

`python -m tests.trainer.replicas FOLDER plain|variants` writes what it found to FOLDER/found.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.trainer import tiny
from trainer.data import Pictures
from trainer.losses import ElboTerms
from trainer.optimizer import FusedAdam
from trainer.replication import get_strategy
from trainer.schedules import WarmupCosine
from trainer.vae import VAE, Sample

STEPS = 20
OPTIMAL_SIGMA = {"likelihood": "gaussian", "sigma": "optimal"}
MODELS = {  # and how they are trained
    "plain": {"plain": ({}, {})},
    "variants": {
        "two levels, vampprior": ({**tiny.HIERARCHICAL, **tiny.VAMPPRIOR}, {}),
        "optimal sigma": (OPTIMAL_SIGMA, {}),
        "optimal sigma, in parts": (OPTIMAL_SIGMA, {"accumulate": 3}),
        "features, in parts": ({}, {"feature_weight": 0.3, "accumulate": 3}),
    },
}


class Noiseless(VAE):
    """A VAE whose codes are the posteriors' means: without noise, replicas together do what one device does."""

    def sample_posterior(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor | None = None) -> Sample:
        return super().sample_posterior(x, tf.zeros_like(noise), labels)


class Telltale(VAE):
    """A VAE whose reconstruction term is the first replica's figure, and whose KL divergence is the second's."""

    def tell(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor, corrupted: tf.Tensor) -> tf.Tensor:
        """The figure, float32 [n]: of the code's noise."""
        return noise[:, 0]

    def elbo_terms(
        self,
        x: tf.Tensor,
        noise: tf.Tensor,
        labels: tf.Tensor | None = None,
        corrupted: tf.Tensor | None = None,
        training: bool = False,
    ) -> ElboTerms:
        terms = self.tell(x, noise, labels, x if corrupted is None else corrupted)
        terms += 0.0 * super().elbo_terms(x, noise, labels).elbo
        second = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32)
        return ElboTerms((1.0 - second) * terms, second * terms[:, tf.newaxis])


class TellsCorruption(Telltale):
    """The same with the spoilt share of the pictures."""

    def tell(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor, corrupted: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.cast(x != corrupted, tf.float32), axis=[1, 2, 3])


class TellsBinarisation(Telltale):
    """The same with the share of white pixels."""

    def tell(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor, corrupted: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(x, axis=[1, 2, 3])


class TellsLabels(Telltale):
    """The same with the labels that are hidden, each at a place of its own in the batch."""

    def tell(self, x: tf.Tensor, noise: tf.Tensor, labels: tf.Tensor, corrupted: tf.Tensor) -> tf.Tensor:
        places = tf.sqrt(tf.cast(tf.range(1, tf.shape(x)[0] + 1), tf.float32))
        return places * tf.cast(labels < 0, tf.float32)


# What is random in a step beside the order of pictures, by the model and the options that make it show.
RANDOM = {
    "plain": {"noise": (Telltale, {}, {})},
    "variants": {
        "noise of another seed": (Telltale, {}, {"seed": 1}),
        "corruption": (TellsCorruption, {}, {"corruption": "masking"}),
        "binarisation": (TellsBinarisation, {"binarisation": "dynamic"}, {}),
        "hidden labels": (TellsLabels, tiny.CONDITIONAL, {}),
    },
}


def adam_weights(strategy: tf.distribute.Strategy) -> list[np.ndarray]:
    """Weights and their running means after `STEPS` steps of Adam on gradients that come and go, each replica bringing its
    share of them."""
    rng = np.random.default_rng(0)
    with strategy.scope():
        variables = [keras.Variable(rng.standard_normal(shape), dtype="float32") for shape in ((5, 3), (3,), ())]
        optimizer = FusedAdam(WarmupCosine(1e-2, STEPS, 4), average=0.5)
        optimizer.build(variables)
    share = 1.0 / strategy.num_replicas_in_sync

    def update(gradients: list[tf.Tensor]) -> None:
        optimizer.apply([share * gradient for gradient in gradients], variables)

    step = tf.function(lambda gradients: strategy.run(update, args=(gradients,)))
    for size in np.geomspace(1e-4, 10.0, STEPS):
        step([tf.constant(size * rng.standard_normal(v.shape), tf.float32) for v in variables])
    return [variable.numpy() for variable in (*variables, *optimizer.averages)]


def main(folder: Path, what: str) -> None:
    """Runs what is compared.

    Args:
        folder: Where to work.
        what: `plain`, or `variants` for all other kinds of models and of noise, which takes longer.
    """
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # One mirrored strategy for all: a second one's collective operations would get the first one's numbers.
    mirrored, alone = get_strategy("mirrored"), get_strategy("one_device")
    found = {
        "replicas": {"mirrored": mirrored.num_replicas_in_sync, "one_device": alone.num_replicas_in_sync},
        "history": {"one_device": tiny.fit(folder / "history", strategy=alone).history},
        "copies_differ": 0.0,
        "noiseless": {"mirrored": {}, "one_device": {}},
        "random": {},
    }
    if what == "plain":
        across = [a - b for a, b in zip(adam_weights(mirrored), adam_weights(alone))]
        found["adam_across"] = max(float(np.abs(a).max()) for a in across)
    else:
        found["history"]["mirrored"] = tiny.fit(folder / "history", strategy=mirrored).history
    for kind, (model, training) in MODELS[what].items():
        for name, strategy in (("mirrored", mirrored), ("one_device", alone)):
            fitted = tiny.fit(folder / name, None, None, strategy, Noiseless, model, epochs=2, **training)
            found["noiseless"][name][kind] = fitted.history
            if strategy is mirrored:
                copies = [[copy.numpy() for copy in v.value.values] for v in fitted.vae.trainable_variables]
                differ = max(float(np.abs(a - b).max()) for a, b in copies)
                found["copies_differ"] = max(found["copies_differ"], differ)
    # Sums of two steps, both replicas' parts; pictures are all alike, so that nothing else differs.
    alike = Pictures(np.repeat(tiny.bars(1), 96, axis=0), np.zeros(96, np.int32))
    for kind, (vae_class, model, training) in RANDOM[what].items():
        options = {"batch_size": 96, "epochs": 2, **training}
        history = tiny.fit(folder, alike, alike, mirrored, vae_class, model, **options).history
        found["random"][kind] = [line["train"][term] for line in history for term in ("reconstruction", "kl")]
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
