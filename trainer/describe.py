"""Descriptions beside a model for people and tools: its card, shape and figures, and the layers of its networks."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

from trainer.config import TrainerConfig
from trainer.loop import Outcome
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


def model_card(description: dict[str, Any], metrics: dict[str, Any], outcome: Outcome) -> str:
    """Return the content of `model_card.md`: what a person needs to know about the model."""
    height, width, channels = description["image_shape"]
    figures, code = metrics["eval"], metrics["code"]
    has_bits = figures["bits_per_dimension"] is not None
    bits_head = " | bits per dimension" if has_bits else ""
    bits = f" | {figures['bits_per_dimension']:.3f}" if has_bits else ""
    pictures, parameters = description["pictures"], description["parameters"]
    labels = ", ".join(description["labels"][:20]) + (" ..." if len(description["labels"]) > 20 else "")
    colours = "grey" if channels == 1 else "RGB"
    return f"""# {description["title"]}: a variational autoencoder

It makes new {colours} pictures of {width}x{height} like those it was trained on, and says how unlike them another picture is.

| | |
|---|---|
| network | {description["network"]}, {parameters["encoder"]:,} + {parameters["decoder"]:,} parameters (encoder, decoder) |
| latent dimensions | {description["latent_dim"]} |
| likelihood | {description["likelihood"]}{" of pictures made black and white" if description["binarised"] else ""} |
| prior | {description["prior"].replace("_", " ")}; new codes come from {_density(description)} |
| trained on | {pictures["train"]:,} pictures; {pictures["eval"]:,} others decided when to stop |
| labels | {labels or "none"} ({"seen" if description["conditional"] else "not seen"} by the model) |
| training | {outcome.epochs} epochs, best {outcome.best_epoch}, {outcome.seconds:.0f} s, seed {description["seed"]} |

Figures on the held-out pictures, in nats per picture (noise from each picture's own key):

| ELBO | reconstruction term | KL divergence | importance-weighted bound (K = {figures["importance_samples"]}){bits_head} |
|---|---|---|---|{"---|" if bits_head else ""}
| {figures["elbo"]:.2f} | {figures["reconstruction"]:.2f} | {figures["kl"]:.2f} | {figures["importance_weighted"]:.2f}{bits} |

{code["active_units"]} of {code["latent_dim"]} latent dimensions are used (variance of the posterior mean above 0.01). A rebuilt
picture has a PSNR of {metrics["rebuilt"]["psnr"]:.1f} dB to its original; a code rounded to the model's precision takes
{metrics["compression"]["bits_per_picture"]:.0f} bits and gives {metrics["compression"]["psnr"]:.1f} dB.

## Use

The signatures are {_signatures(description)}.
Any file that the model is given goes through the pixel graph that it was trained with.

## Limits

It knows the pictures that it was trained on and nothing else: their biases are its biases, and a picture of another kind is
rebuilt as the nearest thing that it knows. A high ELBO is no proof that a picture is genuine. Generated pictures may resemble
training pictures.
"""


def _signatures(description: dict[str, Any]) -> str:
    names = ["serving_default", "generate", "generate_png"]
    names += ["generate_prior"] if description["density"] != "prior" else []
    names += ["decode_label", "encode_label"] if description["conditional"] else []
    names += ["encode", "reconstruct", "interpolate", "score", "evaluate"]
    return f"{', '.join(f'`{name}`' for name in names[:-1])} and `{names[-1]}`"


def _density(description: dict[str, Any]) -> str:
    return {
        "prior": "it",
        "mixture": "a Gaussian mixture fitted to the aggregate posterior",
        "flow": "a flow that was fitted to samples of the aggregate posterior",
    }[description["density"]]
