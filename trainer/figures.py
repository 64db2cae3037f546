"""Figures of a trained model on held-out images: its bounds, its code, its reconstructions, and the cost of a code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import special

from common.progress import report_progress
from trainer.config import TrainingConfig
from trainer.corruption import corrupt
from trainer.data import Pictures
from trainer.loop import eval_batch
from trainer.metrics.pictures import mse, psnr, ssim
from trainer.metrics.posterior import active_units, code_information
from trainer.preprocessing import scale, to_levels
from trainer.sampling import example_keys, keyed_normal
from trainer.vae import VAE

BOUND_PICTURES = 1000  # held-out images for the gap between the importance-weighted bound and the ELBO
SHOWN_PICTURES = 12  # denoised images to save
REBUILT_PICTURES = 2000  # images that are reconstructed, denoised and compressed; the means of their figures vary little


def bounds(vae: VAE, held_out: Pictures, samples: int) -> tuple[dict[str, Any], np.ndarray]:
    """Return the ELBO, its terms and the importance-weighted bound, in nats per image. Noise comes from each image's key.

    The bound takes `samples` passes through the decoder. It is computed as the ELBO of all images plus the mean gap of about the
    first `BOUND_PICTURES` images. The gap varies far less between images than either.

    Returns:
        `elbo`, `reconstruction`, `kl`, `importance_weighted`, `importance_samples`, `pictures`, and `bits_per_dimension` of the
        importance-weighted bound (None if the likelihood has none); and the KL divergence of each latent dimension, float64 [d].
    """
    terms = tf.function(vae.elbo_terms, reduce_retracing=True, autograph=False)
    bound = tf.function(vae.importance_weighted, reduce_retracing=True, autograph=False)
    reconstruction, kl, gaps, done = 0.0, np.zeros(vae.latent_dim), [], 0
    for levels, labels in held_out.in_order(eval_batch(vae)):
        x, keys = vae.observe(levels), example_keys(levels)
        both = terms(x, keyed_normal(keys, (vae.latent_dim,)), labels)
        reconstruction += float(tf.reduce_sum(both.reconstruction))
        kl += tf.reduce_sum(both.kl_per_dimension, axis=0).numpy()
        if done < BOUND_PICTURES:
            gaps.append((bound(x, keyed_normal(keys, (samples, vae.latent_dim)), labels) - both.elbo).numpy())
        done += len(levels)
        report_progress("judging", done=done, total=len(held_out))
    reconstruction, kl = reconstruction / len(held_out), kl / len(held_out)
    elbo = -(reconstruction + kl.sum())
    importance_weighted = elbo + float(np.concatenate(gaps).mean())
    return {
        "elbo": elbo,
        "reconstruction": reconstruction,
        "kl": float(kl.sum()),
        "importance_weighted": importance_weighted,
        "importance_samples": samples,
        "bits_per_dimension": vae.likelihood.bits_per_dimension(-importance_weighted, int(np.prod(vae.image_shape))),
        "pictures": len(held_out),
    }, kl


def code_figures(vae: VAE, mean: np.ndarray, log_variance: np.ndarray) -> dict[str, Any]:
    """Return the active units, I(x; z) and the marginal KL, nats, from mean and log-variance of q(z|x), float32 [n, d]."""
    log_prior = (
        None if vae.config.prior == "standard_normal" else tf.function(vae.log_prior, reduce_retracing=True, autograph=False)
    )
    information = code_information(mean, log_variance, log_prior=log_prior)
    return {
        "active_units": active_units(mean),
        "latent_dim": vae.latent_dim,
        "mutual_information": information.mutual_information,
        "marginal_kl": information.marginal_kl,
        "pictures": information.pictures,
    }


def rebuilt_figures(x: np.ndarray, rebuilt: np.ndarray) -> dict[str, float]:
    """Return the mean MSE, PSNR (dB) and SSIM of reconstructions to their targets, each float32 [n, h, w, c] in [0, 1]."""
    return {
        "mse": float(mse(x, rebuilt).mean()),
        "psnr": float(psnr(x, rebuilt).mean()),
        "ssim": float(np.mean(ssim(x, rebuilt))),
        "pictures": len(x),
    }


def code_precision(mean: np.ndarray, log_variance: np.ndarray) -> dict[str, list[float]]:
    """Return the precision with which a code is worth storing, by dimension, from mean and log-variance of q(z|x), float32 [n, d].

    Rounding to steps of sqrt(12) sigma adds as much variance as the posterior has. Finer steps would store what the model does not
    know. Steps are per dimension, because a reader does not know an image's own posterior.

    Returns:
        `step`, and `centre` and `spread` of the Gaussian by which the codes are entropy-coded: each [d].
    """
    step = np.sqrt(12 * np.exp(log_variance.astype(np.float64)).mean(axis=0))
    return {
        "step": step.tolist(),
        "centre": mean.mean(axis=0).tolist(),
        "spread": np.maximum(mean.std(axis=0), 0.1 * step).tolist(),
    }


def code_bits(codes: np.ndarray, precision: dict[str, list[float]]) -> np.ndarray:
    """Return the lengths in bits [n] of entropy-coded codes, whole numbers of steps [n, d]."""
    step, centre, spread = (np.asarray(precision[name]) for name in ("step", "centre", "spread"))
    upper, lower = (((codes + side) * step - centre) / spread for side in (0.5, -0.5))
    # By symmetry always in the lower tail, where differences of the distribution function keep their digits.
    flipped = lower > 0
    upper, lower = np.where(flipped, -lower, upper), np.where(flipped, -upper, lower)
    return -np.log2(np.maximum(special.ndtr(upper) - special.ndtr(lower), 1e-300)).sum(axis=1)


def compression_figures(
    vae: VAE, x: np.ndarray, mean: np.ndarray, precision: dict[str, list[float]], labels: np.ndarray
) -> dict[str, float]:
    """Return rate and distortion of codes rounded to the model's precision: bits per image and per pixel, and PSNR (dB)."""
    codes = np.round(mean / np.asarray(precision["step"]))
    bits = float(code_bits(codes, precision).mean())
    rebuilt = decode_all(vae, (codes * np.asarray(precision["step"])).astype(np.float32), labels)
    height, width, _ = vae.image_shape
    return {"bits_per_picture": bits, "bits_per_pixel": bits / (height * width), "psnr": float(psnr(x, rebuilt).mean())}


def denoising_figures(vae: VAE, x: np.ndarray, labels: np.ndarray, config: TrainingConfig) -> dict[str, Any] | None:
    """Return the figures of corrupted and of denoised images against clean ones. Return None if training did not corrupt images."""
    if config.corruption == "none":
        return None
    spoilt = corrupt(tf.constant(x), config.corruption, config.corruption_level, tf.constant([0, 1])).numpy()
    rebuilt = decode_all(vae, encode_all(vae, spoilt, labels)[0], labels)
    before, after = rebuilt_figures(x, spoilt), rebuilt_figures(x, rebuilt)
    return {"corruption": config.corruption, "level": config.corruption_level, "spoilt": before, "denoised": after}


def save_denoising(vae: VAE, held_out: Pictures, config: TrainingConfig, figures: dict[str, Any], folder: Path) -> None:
    """Save a few corrupted images, their denoised versions, and the originals, for inspection.

    `denoising.npz` has uint8 [n, h, w, c] by `clean`, `spoilt`, `denoised`. `denoising.json` has the result of `denoising_figures`.
    """
    step = max(1, len(held_out) // SHOWN_PICTURES)
    some = Pictures(held_out.levels[::step][:SHOWN_PICTURES], held_out.labels[::step][:SHOWN_PICTURES])
    x = vae.observe(np.asarray(some.levels))
    spoilt = corrupt(x, config.corruption, config.corruption_level, tf.constant([0, 2]))
    denoised = vae.decode_mean(vae.encode(spoilt, some.labels)[0], some.labels)
    pictures = {"clean": to_levels(scale(some.levels)), "spoilt": to_levels(spoilt), "denoised": to_levels(denoised)}
    np.savez(folder / "denoising.npz", **{name: np.asarray(picture) for name, picture in pictures.items()})
    (folder / "denoising.json").write_text(json.dumps(figures), encoding="utf-8")


def encode_all(vae: VAE, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and log-variances of q(z|x), float32 [n, d], of images as the model sees them, float32 [n, h, w, c]."""
    encode = tf.function(vae.encode, reduce_retracing=True, autograph=False)
    size = eval_batch(vae)
    parts = [encode(x[at : at + size], labels[at : at + size]) for at in range(0, len(x), size)]
    return tuple(np.concatenate(values) for values in zip(*parts))


def decode_all(vae: VAE, z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return E[x|z], float32 [n, h, w, c] in [0, 1], of codes, float32 [n, d]."""
    decode = tf.function(vae.decode_mean, reduce_retracing=True, autograph=False)
    size = eval_batch(vae)
    return np.concatenate([decode(z[at : at + size], labels[at : at + size]) for at in range(0, len(z), size)])


def held_out_figures(vae: VAE, held_out: Pictures, config: TrainingConfig) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Return all figures of a trained model on images that it was not fitted to.

    Returns:
        Figures: `eval` (see `bounds`), `kl_per_dimension`, `code`, `rebuilt`, `compression`, and `denoising` (None if training did
        not corrupt images); and the precision of the codes (see `code_precision`).
    """
    figures, kl = bounds(vae, held_out, config.importance_samples)
    some = Pictures(held_out.levels[:REBUILT_PICTURES], held_out.labels[:REBUILT_PICTURES])
    x = np.concatenate([vae.observe(levels) for levels, _ in some.in_order(eval_batch(vae))])
    mean, log_variance = encode_all(vae, x, some.labels)
    precision = code_precision(mean, log_variance)
    # If images are binarized, a reconstruction is compared with the gray original.
    grey = scale(np.asarray(some.levels)).numpy()
    return {
        "eval": figures,
        "kl_per_dimension": kl.tolist(),
        "code": code_figures(vae, mean, log_variance),
        "rebuilt": rebuilt_figures(grey, decode_all(vae, mean, some.labels)),
        "compression": compression_figures(vae, grey, mean, precision, some.labels),
        "denoising": denoising_figures(vae, x, some.labels, config),
    }, precision
