"""Descriptions beside a model for people and tools: its card, shape and figures, and the layers of its networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from trainer.config import TrainerConfig
from trainer.vae import VAE


def describe_model(vae: VAE, config: TrainerConfig, labels: list[str], pictures: dict[str, int]) -> dict[str, Any]:
    """Return the content of `model.json`: what a program needs to know about the model."""
    return {
        "schema": 1,
        "protocol": config.protocol(),
        "title": config.title,
        "image_shape": list(vae.image_shape),
        "latent_dim": vae.latent_dim,
        "network": config.model.network,
        "likelihood": config.model.likelihood,
        "binarised": vae.binarised,
        "prior": config.model.prior,
        "density": config.generation.density,
        "conditional": config.model.conditional,
        "labels": labels,
        "seed": config.training.seed,
        "preprocessing": dataclasses.asdict(config.preprocessing),
        "picture_files": config.picture_files.to_dict(),
        "parameters": {
            "encoder": sum(net.count_params() for net in (vae.encoder, vae.lower_encoder) if net is not None),
            "decoder": vae.decoder.count_params(),
        },
        "pictures": pictures,
    }


def describe_networks(vae: VAE) -> dict[str, list[dict[str, Any]]]:
    """Return the content of `networks.json`: the layers of encoder and decoder in order, for drawings and summaries.

    The layers of a lower level's encoder follow those of the upper level's, without its inputs, which the upper level's layers
    include.
    """
    lower = [] if vae.lower_encoder is None else _layers(vae.lower_encoder)
    lower = [{**layer, "name": f"lower_{layer['name']}"} for layer in lower if layer["kind"] != "InputLayer"]
    return {"encoder": _layers(vae.encoder) + lower, "decoder": _layers(vae.decoder)}


def _layers(network: keras.Model) -> list[dict[str, Any]]:
    return [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "output_shape": [int(size) for size in layer.output.shape[1:]],
            "parameters": layer.count_params(),
            "detail": _detail(layer.get_config()),
        }
        for layer in network.layers
    ]


def _detail(config: dict[str, Any]) -> str:
    """Return units or filters, kernel, stride and activation of a layer, if it has them."""
    parts = [f"{config[key]} {key}" for key in ("units", "filters") if key in config]
    if "kernel_size" in config:
        parts.append("x".join(map(str, config["kernel_size"])))
    if config.get("strides") and max(np.ravel(config["strides"])) > 1:
        parts.append(f"stride {max(np.ravel(config['strides']))}")
    if config.get("activation") not in (None, "linear"):
        parts.append(str(config["activation"]))
    return ", ".join(parts)


DENSITIES = {
    "prior": "it",
    "mixture": "a Gaussian mixture fitted to the aggregate posterior",
    "flow": "a flow fitted to samples of the aggregate posterior",
}


def model_card(description: dict[str, Any], metrics: dict[str, Any], signatures: Sequence[str]) -> str:
    """Return the content of `model_card.md`: what a person needs to know about the model."""
    height, width, channels = description["image_shape"]
    figures, code, compression = metrics["eval"], metrics["code"], metrics["compression"]
    has_bits = figures["bits_per_dimension"] is not None
    bits_head, rule = (" | bits per dimension", "---|") if has_bits else ("", "")
    bits = f" | {figures['bits_per_dimension']:.3f}" if has_bits else ""
    pictures, parameters = description["pictures"], description["parameters"]
    labels = ", ".join(description["labels"][:20]) + (" ..." if len(description["labels"]) > 20 else "")
    return f"""# {description["title"]}: a variational autoencoder

The model generates {"grey" if channels == 1 else "RGB"} pictures of {width}x{height} pixels that are like its training pictures. It also measures how unusual
a picture is.

| | |
|---|---|
| network | {description["network"]}, {parameters["encoder"]:,} + {parameters["decoder"]:,} parameters (encoder, decoder) |
| latent dimensions | {description["latent_dim"]} |
| likelihood | {description["likelihood"]}{" of pictures made black and white" if description["binarised"] else ""} |
| prior | {description["prior"].replace("_", " ")}; new codes come from {DENSITIES[description["density"]]} |
| trained on | {pictures["train"]:,} pictures; {pictures["eval"]:,} held-out pictures decided when to stop |
| labels | {labels or "none"} ({"seen" if description["conditional"] else "not seen"} by the model) |
| training | {metrics["epochs"]} epochs, best {metrics["best_epoch"]}, {metrics["seconds"]:.0f} s, seed {description["seed"]} |

Figures on the held-out pictures, in nats per picture. The noise is drawn from each picture's own key:

| ELBO | reconstruction term | KL divergence | importance-weighted bound (K = {figures["importance_samples"]}){bits_head} |
|---|---|---|---|{rule}
| {figures["elbo"]:.2f} | {figures["reconstruction"]:.2f} | {figures["kl"]:.2f} | {figures["importance_weighted"]:.2f}{bits} |

{code["active_units"]} of {code["latent_dim"]} latent dimensions are active: their posterior means have a variance above 0.01. A reconstruction has a PSNR
of {metrics["rebuilt"]["psnr"]:.1f} dB to its original. A code rounded to the model's precision takes {compression["bits_per_picture"]:.0f} bits and gives
{compression["psnr"]:.1f} dB.

## Use

The model has the signatures {", ".join(f"`{name}`" for name in signatures)}.
It reads every file through the pixel graph that it was trained with.

## Limits

The model knows only its training pictures and has their biases. It reconstructs a picture of another kind as the nearest thing that
it knows. A high ELBO does not prove that a picture is genuine. Generated pictures may resemble training pictures.
"""
