"""Power of the spatial frequencies of images: their sharpness, independent of their content.

Frequencies are in cycles per pixel. 0.5 is the highest along a row or a column. They are those of the discrete cosine transform
(type II), which continues an image by its mirror image. A Fourier transform would take the step from one border to the opposite
one for detail. Colors are split into luminance and two color differences, because noise and blur differ between them.
"""

from __future__ import annotations

import numpy as np

HIGH = 0.25  # cycles per pixel, half of the highest: a Gaussian blur of 1 pixel leaves less than 9 % of the power above it
EDGES = tuple(i / 16 for i in range(1, 9))  # of bands, cycles per pixel; the last band includes the corners, up to 0.71
QUANTIZATION = 1 / 12 / 255**2  # variance of rounding to 8 bits: power below it is not detail


def high_frequency_power(pictures: np.ndarray) -> np.ndarray:
    """Return the power of the frequencies of at least `HIGH` of each image, uint8 [n, h, w, c] -> float64 [n].

    It is the variance of the high-frequency part of an image, summed over luminance and color differences, for pixels in [0, 1].
    It is 0 if images are too small to have such frequencies.

    Example:
        >>> high_frequency_power(np.full([1, 8, 8, 1], 128, np.uint8)).round(3)
        array([0.])
    """
    power, frequencies = _power(_planes(pictures))
    return power[:, frequencies >= HIGH].sum(axis=(1, 2)) / frequencies.size


def pixel_statistics(pictures: np.ndarray) -> np.ndarray:
    """Return statistics of pixels that do not show the content of an image: brightness, contrast and power of frequency bands.

    Images are uint8 [n, h, w, c]. The result is float32 [n, statistics]. For luminance and for each color difference it has the
    mean, the logarithm of the variance, and the logarithm of the mean power in each band between `EDGES`. Bands that images of
    this size lack are left out.
    """
    planes = _planes(pictures)
    power, frequencies = _power(planes)
    bands, varying = np.digitize(frequencies, EDGES), frequencies > 0
    groups = [varying, *(varying & (bands == band) for band in np.unique(bands[varying]))]
    powers = [np.log(power[:, group].mean(axis=1) + QUANTIZATION) for group in groups if group.any()]
    return np.concatenate([planes.mean(axis=(1, 2)), *powers], axis=1).astype(np.float32)


def _planes(pictures: np.ndarray) -> np.ndarray:
    """Convert images uint8 [n, h, w, c] to float32 in [0, 1]; RGB to luminance Y (ITU-R BT.601), R - Y and B - Y."""
    pixels = np.asarray(pictures, np.float32) / 255
    if pixels.shape[-1] != 3:
        return pixels
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.stack([luma, pixels[..., 0] - luma, pixels[..., 2] - luma], axis=-1)


def _power(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return squared coefficients, float64 [n, h, w, c], and the radial frequency of each in cycles per pixel, float64 [h, w]."""
    from scipy.fft import dctn

    rows, columns = (np.arange(side) / (2 * side) for side in planes.shape[1:3])
    power = np.square(dctn(planes, axes=(1, 2), norm="ortho"), dtype=np.float64)
    return power, np.hypot(rows[:, np.newaxis], columns)
