"""Trains the optimal Gaussian on one device and on two replicas; run by test_gaussian.py in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.trainer.likelihoods.shared import grey, make

STEPS, BATCH = 7, 4  # of 9 pictures: each third batch has one, and the second replica none


def train(strategy: tf.distribute.Strategy) -> dict:
    """A few steps as the training loop takes them, on constant parameters.

    Args:
        strategy: Where replicas run.

    Returns:
        The sum of log-probabilities over the steps, each replica's log sigma, and the parameters in the end.
    """
    with strategy.scope():
        likelihood = make("gaussian", sigma="optimal")
        likelihood.initial_bias(np.full((3, 3, 1), 0.5), np.full((3, 3, 1), 0.3))
        parameters = keras.Variable(tf.zeros([1, 3, 3, 1]))
        optimizer = keras.optimizers.SGD(1e-2)
        optimizer.build([parameters])
    pictures = tf.data.Dataset.from_tensor_slices(grey(9, 3, 3, 1)).batch(BATCH).repeat()
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    batches = iter(strategy.experimental_distribute_dataset(pictures.with_options(options)))

    def step(x: tf.Tensor) -> tf.Tensor:
        value = parameters.value
        with tf.GradientTape() as tape:
            outputs = tf.repeat(tf.convert_to_tensor(value), tf.shape(x)[0], axis=0)
            log_prob = likelihood.log_prob(x, outputs, training=True)
            loss = -tf.reduce_sum(log_prob) / BATCH
        optimizer.apply(tape.gradient(loss, [value]), [parameters])
        return tf.reduce_sum(log_prob)

    @tf.function
    def steps(batches, count: tf.Tensor) -> tf.Tensor:
        total = 0.0
        for _ in tf.range(count):
            total += strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(step, args=(next(batches),)), axis=None)
        return total

    total = float(steps(batches, tf.constant(STEPS)))
    (stored,) = likelihood.weights
    copies = getattr(stored.value, "values", [stored])
    return {
        "log_prob": total,
        "log_sigmas": [float(copy.numpy()) for copy in copies],
        "parameters": np.asarray(parameters).ravel().tolist(),
    }


if __name__ == "__main__":
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    found = {"mirrored": train(tf.distribute.MirroredStrategy()), "one_device": train(tf.distribute.get_strategy())}
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
