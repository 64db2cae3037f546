"""A distance between images by a network's features: it compares edges and textures, not only colors as pixels do."""

from __future__ import annotations

import logging
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from trainer.checkpoint import Checkpoint, Course
from trainer.data import Pictures
from trainer.features import self_supervised
from trainer.features.network import shrink, smaller_shape
from trainer.features.self_supervised import SelfSupervised
from trainer.preprocessing import scale, to_levels

LOGGER = logging.getLogger("darkroom.trainer")
LEARNED_FROM = 5_000  # training images: 585 steps, a minute on two cores at 32x32
# Added to the training's seed: FeatureExtractor's network judges the pictures, and must not be the one trained against.
OWN_SEED = 104_729
SCALED_BY = 500  # training images that set the scale of each layer; its variance varies little with the choice


class Convolution(NamedTuple):
    """One convolution of the network, followed by a ReLU."""

    kernel: np.ndarray  # float32 [3, 3, inputs, filters]
    bias: np.ndarray  # float32 [filters]
    stride: int  # of rows and columns
    variance: float  # mean variance of the filters' outputs over training images and places


class FeatureDistance:
    """The squared distance between the feature maps of images (Johnson et al. 2016, eq. 2), differentiable in both.

    The maps are those of all convolutions of a self-supervised network. Each layer is scaled by the variance of its maps over some
    training images, uint8 [n, h, w, c]. The weights are constants: they are not part of the model or of any distribution strategy.
    Images are compared at their own size, even if the network learned from smaller ones.
    """

    def __init__(self, network: SelfSupervised, levels: np.ndarray):
        self.convolutions: list[Convolution] = []
        for kernel, bias, stride in network.convolutions():
            self.convolutions.append(Convolution(kernel, bias, stride, 1.0))
            last = [self.maps(scale(tf.constant(levels[at : at + 100])))[-1].numpy() for at in range(0, len(levels), 100)]
            variance = float(np.concatenate(last).var(axis=(0, 1, 2)).mean())
            self.convolutions[-1] = Convolution(kernel, bias, stride, variance if variance > 1e-12 else 1.0)

    @classmethod
    def of_convolutions(cls, convolutions: list[Convolution]) -> FeatureDistance:
        """Return the distance by the convolutions of another one, scales included."""
        distance = cls.__new__(cls)
        distance.convolutions = convolutions
        return distance

    def __call__(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Return the mean over layers of the mean squared difference of their maps, as a share of their variance.

        Images are float32 [n, h, w, c] in [0, 1]. The result is float32 [n]: 0 for equal images, about 2 for unrelated ones.
        """
        pairs = zip(self.convolutions, self.maps(x), self.maps(y), strict=True)
        distances = [tf.reduce_mean(tf.math.squared_difference(a, b), axis=[1, 2, 3]) / layer.variance for layer, a, b in pairs]
        return tf.add_n(distances) / len(distances)

    def maps(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Return each layer's feature maps, float32 [n, rows, columns, filters], of images float32 [n, h, w, c] in [0, 1]."""
        maps, x = [], 2.0 * x - 1.0
        for layer in self.convolutions:
            x = tf.nn.relu(tf.nn.conv2d(x, layer.kernel, layer.stride, "SAME") + layer.bias)
            maps.append(x)
        return maps

    def numbers(self, height: int, width: int) -> int:
        """Return the number of values of the maps of two images. It determines memory in training."""
        total = 0
        for layer in self.convolutions:
            height, width = math.ceil(height / layer.stride), math.ceil(width / layer.stride)
            total += height * width * len(layer.bias)
        return 2 * total


def learn_distance(pictures: Pictures, seed: int, checkpoint: Checkpoint | None = None) -> FeatureDistance:
    """Learn features from some of the training images, which may have any size, and return the distance by them.

    Args:
        pictures: The training images.
        seed: Seed of the choice of images and, plus `OWN_SEED`, of the network. It determines the distance up to rounding.
        checkpoint: Keeps the network for a resumed training. If it were learned again, it would differ by rounding.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pictures))[:LEARNED_FROM])
    small = smaller_shape(pictures.levels.shape[1:], self_supervised.LARGEST)
    blocks = [to_levels(scale(pictures.levels[chosen[at : at + 100]])) for at in range(0, len(chosen), 100)]
    levels = np.concatenate([shrink(block, small).numpy() for block in blocks])
    network = SelfSupervised.untrained(small)
    kept = checkpoint.load(network.weights()) if checkpoint else None
    if kept is None:
        network = self_supervised.train(levels, seed + OWN_SEED)
        if checkpoint:
            checkpoint.save(Course(), network.weights())
    else:
        network.set_weights(kept[1])
        LOGGER.info("features are those of an earlier run, which did not end")
    return FeatureDistance(network, levels[:: math.ceil(len(levels) / SCALED_BY)])
