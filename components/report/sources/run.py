"""Read the trainer's records: history, networks, KL per dimension; and the model's description."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from components.report.data import TERMS, Code, Denoising, Epoch, Figures, Layer, ModelFacts, Training
from components.report.sources.files import read_json, read_json_lines, to_float, to_int


def read_training(uri: str) -> Training:
    """Read the `model_run` artifact at `uri`."""
    networks = read_json(uri, "networks.json")
    kl = read_json(uri, "kl_per_dimension.json").get("kl")
    return Training(
        epochs=[epoch for line in read_json_lines(uri, "history.jsonl") if (epoch := _epoch(line)) is not None],
        encoder=[_layer(layer) for layer in networks.get("encoder", [])],
        decoder=[_layer(layer) for layer in networks.get("decoder", [])],
        kl_per_dimension=np.asarray(kl, np.float64) if kl else None,
        denoising=_denoising(uri),
    )


def _denoising(uri: str) -> Denoising | None:
    """Read the denoising examples that the trainer stored; see `trainer.figures.save_denoising`."""
    facts = read_json(uri, "denoising.json")
    if not facts:
        return None
    with tf.io.gfile.GFile(os.path.join(uri, "denoising.npz"), "rb") as file, np.load(file) as stored:
        pictures = {name: stored[key] for name, key in (("clean", "clean"), ("corrupted", "spoilt"), ("denoised", "denoised"))}
    return Denoising(
        corruption=str(facts.get("corruption", "")),
        level=to_float(facts.get("level")) or 0.0,
        **pictures,
        corrupted_psnr=to_float(facts.get("spoilt", {}).get("psnr")),
        denoised_psnr=to_float(facts.get("denoised", {}).get("psnr")),
    )


def _code(metrics: dict[str, Any]) -> Code:
    code, compression = metrics.get("code") or {}, metrics.get("compression") or {}
    return Code(
        active_units=to_int(code.get("active_units")),
        mutual_information=to_float(code.get("mutual_information")),
        marginal_kl=to_float(code.get("marginal_kl")),
        pictures=to_int(code.get("pictures")),
        bits=to_float(compression.get("bits_per_picture")),
        bits_per_pixel=to_float(compression.get("bits_per_pixel")),
        rounded_psnr=to_float(compression.get("psnr")),
        psnr=to_float((metrics.get("rebuilt") or {}).get("psnr")),
        bits_per_dimension=to_float((metrics.get("eval") or {}).get("bits_per_dimension")),
    )


def read_model_facts(folder: str) -> ModelFacts:
    """Read the description beside the exported model in `folder`."""
    model, metrics = read_json(folder, "model.json"), read_json(folder, "metrics.json")
    held_out = metrics.get("eval", {})
    return ModelFacts(
        image_shape=tuple(model.get("image_shape", (0, 0, 0))),
        latent_dim=int(model.get("latent_dim", 0)),
        network=str(model.get("network", "")),
        likelihood=str(model.get("likelihood", "")),
        parameters={str(name): int(n) for name, n in model.get("parameters", {}).items()},
        pictures={str(split): int(n) for split, n in model.get("pictures", {}).items()},
        figures=figures(held_out),
        prior=str(model.get("prior", "standard_normal")),
        density=str(model.get("density", "prior")),
        conditional=bool(model.get("conditional")),
        binarised=bool(model.get("binarised")),
        code=_code(metrics),
        importance_samples=to_int(held_out.get("importance_samples")),
        seconds=to_float(metrics.get("seconds")),
        images_per_second=to_float(metrics.get("images_per_second")),
        epochs=to_int(metrics.get("epochs")),
        best_epoch=to_int(metrics.get("best_epoch")),
        mirroring=_mirroring(metrics.get("mirroring")),
    )


def _mirroring(found: dict[str, Any] | None) -> str:
    """Return the Trainer's decision on mirroring as a sentence, or '' if it made none."""
    if not found:
        return ""
    if found.get("mirrored"):
        return "Training pictures were mirrored at random: they are indistinguishable from their mirror images."
    return f"Training pictures were not mirrored: {found.get('reason')}."


def known_labels(folder: str) -> list[str]:
    """Return the labels of the conditional model in `folder`; empty for an unconditional one."""
    model = read_json(folder, "model.json")
    return [str(label) for label in model.get("labels", [])] if model.get("conditional") else []


def figures(recorded: dict[str, Any]) -> Figures:
    """Return figures from a dictionary; a missing ELBO is computed from its terms."""
    values = {term: to_float(recorded.get(term)) for term in TERMS}
    if values["elbo"] is None and values["reconstruction"] is not None and values["kl"] is not None:
        values["elbo"] = -(values["reconstruction"] + values["kl"])
    return Figures(**values, pictures=to_int(recorded.get("pictures")))


def _epoch(line: dict[str, Any]) -> Epoch | None:
    number = to_int(line.get("epoch"))
    if number is None:
        return None
    return Epoch(
        number=number,
        train=figures(line.get("train") or {}),
        held_out=figures(line.get("eval") or {}),
        learning_rate=to_float(line.get("learning_rate")),
        beta=to_float(line.get("beta")),
    )


def _layer(layer: dict[str, Any]) -> Layer:
    shape = tuple(int(n) for n in layer.get("output_shape", ()) if n is not None)
    return Layer(
        name=str(layer.get("name", "")),
        kind=str(layer.get("kind", "")),
        output_shape=shape,
        parameters=int(layer.get("parameters") or 0),
        detail=str(layer.get("detail") or ""),
    )
