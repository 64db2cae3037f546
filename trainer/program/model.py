"""Write a trained model's decoder and density of codes as a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from serving.explorer.program import PROGRAM, WEIGHTS
from trainer.config import GenerationConfig
from trainer.flow import Flow
from trainer.priors import Mixture, VampPrior
from trainer.program.graph import network_program
from trainer.program.weights import Weights
from trainer.vae import ROW_NUMBERS, VAE

SCHEMA = 1
TRIED = 200  # codes on which half precision is tried
ALLOWED = 0.5  # levels of 255 by which pixels may change there: half of what the page promises


def write_program(
    vae: VAE,
    generation: GenerationConfig,
    density: Mixture | Flow | None,
    labels: Mapping[str, float] | None,
    folder: Path,
    precision: str | None = None,
) -> None:
    """Write `program/program.json` and `program/weights.bin` into the folder of an exported model.

    Pictures of the program differ by at most one level of 255 from those of `serving_default`. Matrices are of half precision if
    that suffices. It never does for `generation.pixels: mode`: the last digits can decide which component of a pixel is the most
    likely one. For other models it is tried on some codes.

    Args:
        vae: The trained model.
        generation: How images are generated.
        density: Density to draw codes from in place of the prior, if any.
        labels: Labels of a conditional model, with each label's number or share of the training images. None for other models.
        folder: The exported model.
        precision: Type of the decoder's matrices, `float16` or `float32`. None for the smaller one that suffices.

    Raises:
        UnknownLayer: A network has a layer that no operation computes.
    """
    shown_mode = generation.pixels == "mode" and vae.config.likelihood == "discretized_logistic_mixture"
    matrices = precision or ("float16" if not shown_mode and _halves_suffice(vae) else "float32")
    weights = Weights()
    pixels: dict[str, Any] = {"likelihood": vae.config.likelihood, "show": "mode" if shown_mode else "mean"}
    if vae.config.likelihood == "discretized_logistic_mixture":
        pixels["mixtures"] = vae.config.mixtures
    program = {
        "schema": SCHEMA,
        "image_shape": list(vae.image_shape),
        "latent_dim": vae.latent_dim,
        "labels": list(labels or {}),
        "label_shares": [float(share) for share in (labels or {}).values()],
        "sampled": generation.pixels == "sample",
        "pixels": pixels,
        "decoder": network_program(vae.decoder, weights, matrices),
        "label_units": _label_units(vae, weights),
        "density": _density(vae, density, weights),
    }
    (folder / PROGRAM).parent.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(weights.to_bytes())
    (folder / PROGRAM).write_text(json.dumps({**program, "tensors": weights.entries}) + "\n", encoding="utf-8")


def _halves_suffice(vae: VAE) -> bool:
    """Return whether pictures change by less than a level if the decoder's matrices are rounded to half precision."""
    codes = np.random.default_rng(0).standard_normal((TRIED, vae.latent_dim)).astype(np.float32)
    labels = tf.range(TRIED) % vae.labels if vae.labels else None
    matrices = [weight for weight in vae.decoder.weights if len(weight.shape) > 1]
    values = [weight.numpy() for weight in matrices]
    if any(np.abs(value).max(initial=0) > np.finfo(np.float16).max for value in values):
        return False  # infinite as float16
    expected = _pixels(vae, codes, labels)
    try:
        for weight, value in zip(matrices, values):
            weight.assign(value.astype(np.float16).astype(np.float32))
        found = _pixels(vae, codes, labels)
    finally:
        for weight, value in zip(matrices, values):
            weight.assign(value)
    return float(np.abs(found - expected).max()) < ALLOWED / 255


def _pixels(vae: VAE, codes: np.ndarray, labels: tf.Tensor | None) -> np.ndarray:
    """Return E[x|z] of codes, with labels int32 [n] for a conditional model: float32 [n, h, w, c]."""
    at_once = min(len(codes), vae.judged_at_once(ROW_NUMBERS))
    parts = [slice(start, start + at_once) for start in range(0, len(codes), at_once)]
    return np.concatenate([vae.decode_mean(codes[part], None if labels is None else labels[part]).numpy() for part in parts])


def _label_units(vae: VAE, weights: Weights) -> dict[str, Any] | None:
    if vae.label_units is None:
        return None
    shift, log_scale = vae.label_units.by_label()
    return {"mean": weights.add(shift.numpy()), "log_scale": weights.add(log_scale.numpy())}


def _density(vae: VAE, density: Mixture | Flow | None, weights: Weights) -> dict[str, Any]:
    """Return the density that `generate` draws from."""
    if isinstance(density, Flow):
        units = {"mean": weights.add(density.mean.numpy()), "deviation": weights.add(density.deviation.numpy())}
        network = network_program(density.network, weights, "float16")  # its codes move by less than a thousandth of their spread
        return {"kind": "flow", "steps": density.settings.steps, **units, "network": network}
    if isinstance(density, Mixture):
        parts: dict[str, Any] = {"weights": density.weights, "means": density.means, "factors": density.factors}
        return {
            "kind": "mixture",
            **{name: weights.add(part.numpy()) for name, part in parts.items()},
            **_by_label(density, weights),
        }
    if isinstance(vae.prior, VampPrior):
        means, log_variances = (part.numpy() for part in vae.prior.components())
        by_label = {} if not vae.labels else {"by_label": weights.add(vae.prior.weights_of(tf.eye(vae.labels)).numpy())}
        return {"kind": "posteriors", "means": weights.add(means), "log_variances": weights.add(log_variances), **by_label}
    return {"kind": "normal"}


def _by_label(density: Mixture, weights: Weights) -> dict[str, Any]:
    return {} if density.by_label is None else {"by_label": weights.add(np.asarray(density.by_label))}
