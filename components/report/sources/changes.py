"""Read what is known of this model and of the last blessed one, to compare them."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import tensorflow as tf
import yaml

from components.report.beside import Side, flatten
from components.report.data import Evaluation, Figures
from components.report.sources.files import read_json


def read_sides(model: str, baseline: str, evaluation: Evaluation, seed_spread: float | None) -> tuple[Side, Side]:
    """Return the last blessed model and this one, from the descriptions in their folders and the Evaluator's figures."""
    return (
        _side("the last blessed model", baseline, evaluation.baseline, seed_spread),
        _side("this model", model, evaluation.candidate, seed_spread),
    )


def _side(name: str, folder: str, figures: Figures | None, seed_spread: float | None) -> Side:
    about = read_json(folder, "model.json")
    measured = dataclasses.asdict(figures) if figures is not None else {}
    return Side(
        name=name,
        run="",
        outcome="",
        figures={term: value for term, value in measured.items() if value is not None},
        config=flatten(_config(folder)),
        data={"pictures": about.get("pictures") or {}, "labels": about.get("labels") or []},
        seed_spread=seed_spread,
        code=str(about.get("code") or ""),
    )


def _config(folder: str) -> dict[str, Any]:
    path = os.path.join(folder, "config.yaml")
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        return dict(yaml.safe_load(file.read()) or {})
