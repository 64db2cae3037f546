"""Judge pythae's VAE with its samplers beside a model of this project: same pictures, same minutes of training, same features."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import tensorflow_transform as tft

from components.feature_extractor.description import read_features
from components.feature_extractor.splits import Split, choose
from components.sample_quality.compare import Reference
from components.sample_quality.figures import Distances, Quality
from components.sample_quality.measure import CHOICE
from components.sample_quality.model import Model
from components.sample_quality.sets import Observer, PictureSet
from trainer.data import pixel_graph

BATCH = 250  # pictures per call of the feature networks
NAMES = {
    "normal": "pythae's VAE, prior",
    "mixture": "the same, Gaussian mixture of its codes",
    "flow": "the same, autoregressive flow as prior (IAF for 28x28, MAF for 32x32)",
    "two-stage": "the same, two-stage sampler",
}


def compare(work: Path, python: str, minutes: float, seed: int = 0) -> list[str]:
    """Train pythae's VAE on the training pictures of a run, and return a table.

    Args:
        work: The work folder of a run that ended with a model.
        python: The Python of an environment that has pythae.
        minutes: Minutes that the VAE trains; fitting the samplers comes on top.
        seed: Seed of the VAE and its samplers.

    Returns:
        Lines of Markdown: the run's own new pictures, then those of each sampler, against the same held-out pictures.
    """
    quality = Quality.from_dict(json.loads((newest(work, "SampleQuality", "quality") / "quality.json").read_text()))
    assert quality.generated and quality.floor, quality.reason
    graph = pixel_graph(tft.TFTransformOutput(str(newest(work, "Transform", "transform_graph"))))
    examples = str(newest(work, "ImageExampleGen", "examples"))
    train, held_out = (Split(examples, name) for name in ("train", quality.split))
    features = read_features(str(newest(work, "FeatureExtractor", "features")))
    model = Model(str(newest(work, "Trainer", "model") / "Format-Serving"))
    observe, count = Observer(features, model), quality.generated.pictures
    real = PictureSet.join(observe(levels) for levels in held_out.decode(choose(len(held_out), count, CHOICE), graph))
    reference = Reference(
        real, features.description.kind, quality.generated.features_hash, quality.generated.held_out_hash, len(NAMES)
    )
    rows = [("this run", quality.generated), ("training pictures", quality.floor)]
    with tempfile.TemporaryDirectory() as scratch:
        np.save(f"{scratch}/train.npy", np.concatenate(list(train.decode(np.arange(len(train)), graph))))
        request = {"pictures": f"{scratch}/train.npy", "minutes": minutes, "count": count, "seed": seed, "out": scratch}
        script = Path(__file__).with_name("pythae_side.py")
        quiet = {**os.environ, "TQDM_DISABLE": "1"}
        subprocess.run([python, str(script), json.dumps(request)], check=True, stdout=subprocess.DEVNULL, env=quiet)
        for name, title in NAMES.items():
            pictures = np.load(f"{scratch}/{name}.npy")
            parts = [observe(pictures[start : start + BATCH]) for start in range(0, count, BATCH)]
            rows.append((title, reference.distances(PictureSet.join(parts))))
    return table(rows, quality.floor.frechet_distance)


def table(rows: list[tuple[str, Distances]], floor: float) -> list[str]:
    """Return Markdown with a line per set of pictures; `floor` is the Frechet distance of training pictures."""
    head = [
        "| new pictures of | Frechet distance | over its floor | two-sample accuracy | recall | high frequencies |",
        "|---|" + "---|" * 5,
    ]
    return head + [
        f"| {title} | {of.frechet_distance:.2f} | {of.frechet_distance - floor:.2f} | {of.two_sample:.2f} | {of.recall:.2f} |"
        f" {of.high_frequencies or 0:.2f} |"
        for title, of in rows
    ]


def newest(work: Path, component: str, output: str) -> Path:
    """Return the folder of a component's last output in a work folder."""
    return max((work / "artifacts" / component / output).iterdir(), key=lambda path: int(path.name))
