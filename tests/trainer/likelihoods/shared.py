"""What the tests of the likelihoods share."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.likelihoods import Likelihood, get_likelihood

SEED = np.array([3, 4], np.int32)  # no tensor: one would keep replicas.py from dividing the device


def make(likelihood: str, channels: int = 1, **model: object) -> Likelihood:
    """The likelihood of a configuration with these fields."""
    return get_likelihood(ModelConfig(likelihood=likelihood, **model), channels)


def normal(*shape: int, spread: float = 1.0, seed: int = 0) -> np.ndarray:
    """Draws of N(0, spread^2), float32 of that shape: what a decoder might give."""
    return np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)


def grey(*shape: int, seed: int = 1) -> np.ndarray:
    """Pictures of noise, float32 multiples of 1/255, a quarter of the values being 0 and a quarter 255."""
    levels = np.clip(np.random.default_rng(seed).integers(-256, 512, shape), 0, 255)
    return (levels / 255).astype(np.float32)


def levels() -> np.ndarray:
    """The 256 grey pictures of one pixel, float32 [256, 1, 1, 1]."""
    return np.arange(256, dtype=np.float32).reshape(-1, 1, 1, 1) / np.float32(255)


def repeated(parameters: np.ndarray, count: int) -> tf.Tensor:
    """The same output for `count` pictures: [h, w, k] -> float32 [count, h, w, k]."""
    return tf.repeat(tf.constant(parameters[np.newaxis], tf.float32), count, axis=0)


def start(likelihood: Likelihood, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The initial bias as a decoder gives it, float32 [h, w, k]."""
    return likelihood.initial_bias(mean, deviation).reshape(*mean.shape[:2], likelihood.output_channels)
