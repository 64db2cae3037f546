"""Schedules over the course of training: the learning rate and the weight of the KL divergence."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from trainer.config import TrainingConfig


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly to `peak`, then falls to 0 along a cosine (Loshchilov and Hutter 2017, eq. 5).

    Example:
        >>> rate = WarmupCosine(0.001, 100, 10)
        >>> [round(float(rate(step)), 6) for step in (0, 9, 55, 100)]
        [0.0001, 0.001, 0.0005, 0.0]
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int):
        self.peak, self.total_steps, self.warmup_steps = peak, total_steps, warmup_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the learning rate at a step: integer [] -> float32 []."""
        step = tf.cast(step, tf.float32)
        rising = (step + 1.0) / max(self.warmup_steps, 1)
        progress = (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)
        falling = 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(progress, 0.0, 1.0)))
        return self.peak * tf.where(step < self.warmup_steps, rising, falling)

    def get_config(self) -> dict[str, float]:
        return {"peak": self.peak, "total_steps": self.total_steps, "warmup_steps": self.warmup_steps}


def kl_weight(step: tf.Tensor, config: TrainingConfig, total_steps: int) -> tf.Tensor:
    """Return the weight of the KL divergence at a step, integer [] from 0, of a training of `total_steps`: float32 [].

    The weight rises linearly from 0 to `beta`, once at the start of training (Sonderby et al. 2016, section 2.3) or at the start
    of each cycle (Fu et al. 2019, eq. 6). It then stays at `beta`.
    """
    cycles = config.kl_cycles if config.kl_warmup == "cyclical" else 1
    cycle_steps = max(1.0, total_steps / cycles)
    within = tf.math.floormod(tf.cast(step, tf.float32), cycle_steps)
    return config.beta * tf.minimum(1.0, (within + 1.0) / max(1.0, config.kl_warmup_share * cycle_steps))
