"""Read the records of training and search: history, networks, KL per dimension, trials; and the model's description."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import tensorflow as tf
from tfx.types import Artifact

from components.report.data import Denoising, Epoch, Figures, Layer, ModelFacts, Search, Training, Trial, to_float, to_int
from components.report.sources.files import build, read_json, read_json_lines
from trainer.tuning.trials import FILE, HIGHER_IS_BETTER


def read_training(uri: str) -> Training:
    """Read the `model_run` artifact at `uri`."""
    networks, kl = read_json(uri, "networks.json"), read_json(uri, "kl_per_dimension.json").get("kl")
    encoder, decoder = ([_layer(layer) for layer in networks.get(name, [])] for name in ("encoder", "decoder"))
    epochs = [_epoch(line) for line in read_json_lines(uri, "history.jsonl") if to_int(line.get("epoch")) is not None]
    return Training(epochs, encoder, decoder, np.asarray(kl, np.float64) if kl else None, _denoising(uri))


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


def read_model_facts(folder: str) -> ModelFacts:
    """Read the description beside the exported model in `folder`."""
    model, metrics = read_json(folder, "model.json"), read_json(folder, "metrics.json")
    held_out, compression = metrics.get("eval") or {}, metrics.get("compression") or {}
    code = {
        **(metrics.get("code") or {}),
        "bits": compression.get("bits_per_picture"),
        "bits_per_pixel": compression.get("bits_per_pixel"),
        "rounded_psnr": compression.get("psnr"),
        "psnr": (metrics.get("rebuilt") or {}).get("psnr"),
        "bits_per_dimension": held_out.get("bits_per_dimension"),
    }
    from_several = {
        "figures": figures(held_out),
        "code": code,
        "importance_samples": held_out.get("importance_samples"),
        "mirroring": _mirroring(metrics.get("mirroring")),
    }
    return build(ModelFacts, {**metrics, **model, **from_several})


def _mirroring(decision: dict[str, Any] | None) -> str:
    """Return the Trainer's decision on mirroring as a sentence, or '' if it made none."""
    if not decision:
        return ""
    if decision.get("mirrored"):
        return "Training pictures were mirrored at random: they are indistinguishable from their mirror images."
    return f"Training pictures were not mirrored: {decision.get('reason')}."


def figures(recorded: dict[str, Any]) -> Figures:
    """Return figures from a dictionary; a missing ELBO is computed from its terms."""
    result = build(Figures, recorded)
    if result.elbo is None and result.reconstruction is not None and result.kl is not None:
        return dataclasses.replace(result, elbo=-(result.reconstruction + result.kl))
    return result


def _epoch(line: dict[str, Any]) -> Epoch:
    train, held_out = (figures(line.get(name) or {}) for name in ("train", "eval"))
    return build(Epoch, {**line, "number": line["epoch"], "train": train, "held_out": held_out})


def _layer(layer: dict[str, Any]) -> Layer:
    shape = [n for n in layer.get("output_shape", ()) if n is not None]
    return build(Layer, {**layer, "output_shape": shape, "parameters": layer.get("parameters") or 0})


def read_search(artifact: Artifact | None) -> Search | None:
    """Return all trials, best first; None if the run had no search."""
    record = read_json(artifact.uri, FILE) if artifact is not None else {}
    if not record.get("trials"):
        return None
    objective = str(record.get("objective", "elbo"))
    trials = [_trial(trial, objective) for trial in record["trials"]]
    sign = -1 if HIGHER_IS_BETTER.get(objective, True) else 1
    ranked = sorted(trials, key=lambda trial: (trial.score is None, sign * (trial.score or 0.0), trial.number))
    pictures = record.get("pictures") or {}
    return Search(objective, to_int(record.get("epochs")), to_int(pictures.get("train")), ranked)


def _trial(record: dict[str, Any], objective: str) -> Trial:
    failed = record.get("state") == "failed"
    reason = record.get("reason") or "no reason was recorded" if failed else ""
    return build(Trial, {**record, "reason": reason, "score": None if failed else record.get(objective)})
