"""The similarity of a reconstructed image to its original.

Images are float [n, h, w, c] in [0, 1]. Figures are per image, [n].
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

SSIM_WINDOW = 11  # pixels; this and the next two: Wang et al. 2004, section III-C
SSIM_SIGMA = 1.5
SSIM_K = (0.01, 0.03)
PSNR_LIMIT = 100.0  # dB; of equal images, whose infinite ratio would make every mean infinite


def mse(original: np.ndarray | tf.Tensor, rebuilt: np.ndarray | tf.Tensor) -> np.ndarray:
    """Return the mean squared error, float64 [n] in [0, 1]."""
    difference = np.asarray(original, np.float64) - np.asarray(rebuilt, np.float64)
    return np.square(difference).reshape(len(difference), -1).mean(axis=1)


def psnr(original: np.ndarray | tf.Tensor, rebuilt: np.ndarray | tf.Tensor) -> np.ndarray:
    """Return the peak signal-to-noise ratio 10 log10(1 / MSE), with a peak of 1: float64 [n], dB, at most `PSNR_LIMIT`.

    Example:
        >>> psnr(np.zeros([1, 2, 2, 1], np.float32), np.full([1, 2, 2, 1], 0.1, np.float32)).round(2)
        array([20.])
    """
    return -10 * np.log10(np.maximum(mse(original, rebuilt), 10 ** (-PSNR_LIMIT / 10)))


def ssim(original: np.ndarray | tf.Tensor, rebuilt: np.ndarray | tf.Tensor) -> np.ndarray:
    """Return the structural similarity (Wang et al. 2004, eq. 13), mean over windows and channels: float32 [n], 1 for equal images.

    The Gaussian window has 11 pixels, or the largest odd number that fits into a smaller image. Figures of images of different
    sizes below 11 cannot be compared.
    """
    original, rebuilt = (tf.convert_to_tensor(picture, tf.float32) for picture in (original, rebuilt))
    smallest = min(SSIM_WINDOW, *original.shape[1:3])
    window = smallest - (1 - smallest % 2)
    k1, k2 = SSIM_K
    return tf.image.ssim(original, rebuilt, 1.0, filter_size=window, filter_sigma=SSIM_SIGMA, k1=k1, k2=k2).numpy()
