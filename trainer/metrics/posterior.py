"""The information that the latent code holds about an image: the decomposition of the KL divergence.

Means and log-variances of q(z|x) are float [n, d], one row per image. Figures are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

ACTIVE = 0.01  # variance of the posterior mean above which a dimension is active (Burda et al. 2016)
MAX_PICTURES = 5_000  # work grows with the square
BLOCK_BYTES = 64 << 20

LogPrior = Callable[[np.ndarray], np.ndarray]


class CodeInformation(NamedTuple):
    """KL(q(z|x) || p(z)), mean over images, and its two parts (Hoffman and Johnson 2016).

    Attributes:
        kl: The sum of both parts, nats.
        mutual_information: I(x; z), nats: the information of a code about which image it is of. It is at most log(`pictures`).
        marginal_kl: KL(q(z) || p(z)), nats: the difference between all codes together and the prior of new codes.
        pictures: N, the number of images.
    """

    kl: float
    mutual_information: float
    marginal_kl: float
    pictures: int


def kl_per_dimension(mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """Return KL(q(z_j|x) || N(0, 1)) of each dimension j, mean over images: float64 [d], nats, at least 0.

    See Kingma and Welling 2014, appendix B.
    """
    mean, log_variance = _wide(mean, log_variance)
    # expm1, because exp(v) - 1 - v of a small v would be rounding error of either sign.
    return 0.5 * (mean**2 + np.expm1(log_variance) - log_variance).mean(axis=0)


def active_units(mean: np.ndarray, threshold: float = ACTIVE) -> int:
    """Return the number of dimensions whose posterior mean has a variance above the threshold (Burda et al. 2016).

    Example:
        >>> active_units(np.array([[-1.0, 0.0], [1.0, 0.01]]))
        1
    """
    return int(np.count_nonzero(np.var(np.asarray(mean, np.float64), axis=0) > threshold))


def code_information(
    mean: np.ndarray, log_variance: np.ndarray, seed: int = 0, log_prior: LogPrior | None = None, max_pictures: int = MAX_PICTURES
) -> CodeInformation:
    """Decompose the KL divergence, with one draw z_n of q(z|x_n) for each image (Hoffman and Johnson 2016).

    I(x; z) is estimated by the mean of log q(z_n|x_n) - log q(z_n), where q(z) is the mixture of all N posteriors. Each term is at
    most log N, and so is the mean. If the mean comes close to log N, N is too small to measure more. The KL divergence from a
    standard normal prior is exact; from another prior it is estimated with the same draws. The marginal KL is the difference.

    Args:
        mean: float [n, d].
        log_variance: float [n, d].
        seed: Seed of the draws and of the choice of images.
        log_prior: log p(z), float32 [m, d] -> [m], nats; None for the standard normal prior.
        max_pictures: Maximum number of images. If there are more, this many are chosen.

    Raises:
        ValueError: There are no images.
    """
    mean, log_variance = _wide(mean, log_variance)
    if not len(mean):
        raise ValueError("there is no picture to measure the code by")
    if len(mean) > max_pictures:
        chosen = np.random.default_rng(seed).permutation(len(mean))[:max_pictures]
        mean, log_variance = mean[chosen], log_variance[chosen]
    noise = tf.random.stateless_normal(mean.shape, seed=[seed, 0]).numpy()
    z = mean + np.exp(0.5 * log_variance) * noise
    log_own = -0.5 * (math.log(2 * math.pi) + log_variance + noise.astype(np.float64) ** 2).sum(axis=1)
    information = float((log_own - log_aggregate(z, mean, log_variance)).mean())
    if log_prior is None:
        kl = float(kl_per_dimension(mean, log_variance).sum())
    else:
        kl = float((log_own - np.asarray(log_prior(z.astype(np.float32)), np.float64)).mean())
    return CodeInformation(kl, information, kl - information, len(mean))


def log_aggregate(z: np.ndarray, mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """Return log q(z) of codes, float [m, d]: float64 [m], nats.

    q(z) = 1/N sum_n q(z|x_n). The posteriors' means and log-variances are float [N, d]. Blocks limit memory.
    """
    z, mean, log_variance = _wide(z, mean, log_variance)
    precision = np.exp(-log_variance)
    constant = (math.log(2 * math.pi) + log_variance + mean**2 * precision).sum(axis=1)
    # (z - mean)^2 * precision, multiplied out: matrix products, and no [m, N, d] in memory. It cancels, so float64.
    weights = np.concatenate([precision, -2 * mean * precision], axis=1).T
    rows = max(1, BLOCK_BYTES // (8 * len(mean)))
    result = np.empty(len(z))
    for start in range(0, len(z), rows):
        block = z[start : start + rows]
        logits = -0.5 * (np.concatenate([block**2, block], axis=1) @ weights + constant)
        largest = logits.max(axis=1)
        result[start : start + rows] = largest + np.log(np.exp(logits - largest[:, None]).mean(axis=1))
    return result


def _wide(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(array, np.float64) for array in arrays)
