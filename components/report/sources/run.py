"""What the trainer wrote down: history, networks, KL per dimension; and the model's description of itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.report.data import TERMS, Epoch, Figures, Layer, ModelFacts, Training
from components.report.sources.files import read_json, read_json_lines, to_float, to_int


def read_training(uri: str) -> Training:
    """The `model_run` artifact at `uri`."""
    networks = read_json(uri, "networks.json")
    kl = read_json(uri, "kl_per_dimension.json").get("kl")
    return Training(
        epochs=[epoch for line in read_json_lines(uri, "history.jsonl") if (epoch := _epoch(line)) is not None],
        encoder=[_layer(layer) for layer in networks.get("encoder", [])],
        decoder=[_layer(layer) for layer in networks.get("decoder", [])],
        kl_per_dimension=np.asarray(kl, np.float64) if kl else None,
    )


def read_model_facts(folder: str) -> ModelFacts:
    """The description beside the exported model in `folder`."""
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
        importance_samples=to_int(held_out.get("importance_samples")),
        seconds=to_float(metrics.get("seconds")),
        images_per_second=to_float(metrics.get("images_per_second")),
        epochs=to_int(metrics.get("epochs")),
        best_epoch=to_int(metrics.get("best_epoch")),
    )


def figures(recorded: dict[str, Any]) -> Figures:
    """Figures from a dictionary; an ELBO that is missing is put together from its parts."""
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
