"""How near a rebuilt picture is to its original, and what it costs to say so.

Pictures are float [n, h, w, c] in [0, 1]; figures are per picture, [n].
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

SSIM_WINDOW = 11  # pixels; Wang et al. 2004, section III-C, as the next two
SSIM_SIGMA = 1.5
SSIM_K = (0.01, 0.03)
PSNR_LIMIT = 100.0  # dB; of equal pictures, whose ratio is infinite and would make that of any mean


class RateDistortion(NamedTuple):
    """What a picture costs when its code is sent and then the picture given the code (Alemi et al. 2018).

    Attributes:
        rate: KL divergence, bits per picture: the code.
        distortion: -log2 p(x|z), bits per picture: the picture given its code.
        bits_per_pixel: Both together, over height x width. By bits-back coding that is the length of a compressed file
            (Townsend et al. 2019), if the likelihood is one of discrete values.
        bits_per_dimension: Both together, over height x width x channels.
    """

    rate: float
    distortion: float
    bits_per_pixel: float
    bits_per_dimension: float


def mse(original: np.ndarray | tf.Tensor, rebuilt: np.ndarray | tf.Tensor) -> np.ndarray:
    """Mean squared error.

    Args:
        original: float [n, h, w, c] in [0, 1].
        rebuilt: Likewise.

    Returns:
        float64 [n], in [0, 1].
    """
    difference = np.asarray(original, np.float64) - np.asarray(rebuilt, np.float64)
    return np.square(difference).reshape(len(difference), -1).mean(axis=1)


def psnr(original: np.ndarray | tf.Tensor, rebuilt: np.ndarray | tf.Tensor) -> np.ndarray:
    """Peak signal-to-noise ratio 10 log10(1 / MSE): the peak is 1.

    Args:
        original: float [n, h, w, c] in [0, 1].
        rebuilt: Likewise.

    Returns:
        float64 [n], dB, at most `PSNR_LIMIT`.
    """
    return -10 * np.log10(np.maximum(mse(original, rebuilt), 10 ** (-PSNR_LIMIT / 10)))


def ssim(original: np.ndarray | tf.Tensor, rebuilt: np.ndarray | tf.Tensor) -> np.ndarray:
    """Structural similarity (Wang et al. 2004, eq. 13), mean over windows and channels.

    The Gaussian window has 11 pixels, or the largest odd number that goes into a smaller picture: figures of pictures of
    different sizes below 11 are not to be compared.

    Args:
        original: float [n, h, w, c] in [0, 1].
        rebuilt: Likewise.

    Returns:
        float32 [n], at most 1, which equal pictures have.
    """
    original, rebuilt = (tf.convert_to_tensor(picture, tf.float32) for picture in (original, rebuilt))
    smallest = min(SSIM_WINDOW, *original.shape[1:3])
    window = smallest - (1 - smallest % 2)
    k1, k2 = SSIM_K
    return tf.image.ssim(original, rebuilt, 1.0, filter_size=window, filter_sigma=SSIM_SIGMA, k1=k1, k2=k2).numpy()


def rate_distortion(kl: float, reconstruction: float, image_shape: tuple[int, int, int]) -> RateDistortion:
    """The two terms of the negative ELBO as lengths of messages.

    Args:
        kl: KL(q(z|x) || p(z)), nats per picture.
        reconstruction: -log p(x|z), nats per picture.
        image_shape: Height, width, channels.

    Returns:
        In bits.
    """
    height, width, channels = image_shape
    rate, distortion = kl / math.log(2), reconstruction / math.log(2)
    pixel = (rate + distortion) / (height * width)
    return RateDistortion(rate, distortion, pixel, pixel / channels)
