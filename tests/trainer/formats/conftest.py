"""Pushed models with random weights, each made once."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow_transform as tft

from serving.manifest import write_manifest
from tests.trainer.export.models import WEIGHTS, servable
from tests.trainer.tiny import CONFIG
from trainer.data import pixel_graph
from trainer.describe import describe_model
from trainer.task import to_yaml
from trainer.warm_start import save_weights


@pytest.fixture(scope="package")
def pushed(tmp_path_factory: pytest.TempPathFactory, graph: tft.TFTransformOutput) -> Callable[[str], Path]:
    """The folder of a model of a kind in `tests.trainer.export.models`, as the Trainer leaves it."""

    @functools.cache
    def push(kind: str) -> Path:
        folder = tmp_path_factory.mktemp("pushed") / "3"
        made = servable(kind, pixel_graph(graph))
        made.save(folder, {"serving_default", "decode_label", "encode", "encode_label"})
        config = dataclasses.replace(CONFIG, model=made._vae.config, generation=made._generation)
        save_weights(made._vae, folder)
        about = describe_model(made._vae, config, list(WEIGHTS), {"train": 5, "eval": 2})
        (folder / "model.json").write_text(json.dumps(about), encoding="utf-8")
        (folder / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
        write_manifest(folder)
        return folder

    return push
