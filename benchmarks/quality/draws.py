"""Fit a flow to the codes of a run's model, and compare pictures of its draws: as they are, scaled, with temperatures and more steps.

Run: python -m benchmarks.quality.draws WORK [--updates 4000]
WORK is the work folder of a run that ended with a model. Its own density of codes is not used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import yaml

from benchmarks.quality.peers import newest
from components.feature_extractor.description import read_features
from components.feature_extractor.splits import Split, choose
from components.sample_quality.compare import Reference
from components.sample_quality.measure import CHOICE
from components.sample_quality.model import BATCH, Model
from components.sample_quality.sets import Observer, PictureSet
from trainer.config import ModelConfig
from trainer.data import pixel_graph
from trainer.flow import Flow, FlowSettings
from trainer.networks import latent_grid

CODES, PICTURES, STEPS = 40_000, 2000, 12


def main() -> None:
    """Print a line for each way of drawing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--updates", type=int, default=4000)
    arguments = parser.parse_args()
    work = arguments.work
    graph = pixel_graph(tft.TFTransformOutput(str(newest(work, "Transform", "transform_graph"))))
    examples = str(newest(work, "ImageExampleGen", "examples"))
    splits = {name: Split(examples, name) for name in ("train", "eval", "test")}
    levels = {name: np.concatenate(list(split.decode(np.arange(len(split)), graph))) for name, split in splits.items()}
    model = Model(str(newest(work, "Trainer", "model") / "Format-Serving"))
    codes = {name: sample(model, part, max(1, CODES // len(part)) if name == "train" else 1) for name, part in levels.items()}
    count = min(PICTURES, len(levels["test"]))
    chosen = choose(len(levels["test"]), count, CHOICE)
    features = read_features(str(newest(work, "FeatureExtractor", "features")))
    observe = Observer(features, model)

    def observed(pictures: np.ndarray) -> PictureSet:
        return PictureSet.join(observe(pictures[at : at + BATCH]) for at in range(0, len(pictures), BATCH))

    reference = Reference(observed(levels["test"][chosen]), features.description.kind, features.description.hash or "", "", 20)
    show = lambda z: np.concatenate([model.call("serving_default", latents=part)["images"] for part in batches(z)])  # noqa: E731
    print("| draws | deviation, as a share of the codes' | Frechet distance | recall | high frequencies | two-sample accuracy |")
    print("|---|" + "---|" * 5)

    def line(name: str, z: np.ndarray) -> None:
        of = reference.distances(observed(show(z)))
        share = (z.std(axis=0) / codes["train"].std(axis=0)).mean()
        numbers = f"{of.frechet_distance:.2f} | {of.recall:.2f} | {of.high_frequencies or 0:.2f} | {of.two_sample:.2f}"
        print(f"| {name} | {share:.2f} | {numbers} |", flush=True)

    line("codes of held-out pictures", codes["test"][chosen])
    compare(codes["train"], codes["eval"], model, arguments.updates, count, line)


def compare(
    codes: np.ndarray, held_out: np.ndarray, model: Model, updates: int, count: int, line: Callable[[str, np.ndarray], None]
) -> None:
    """Fit a flow and print its draws, from the same noise in every line."""
    config = ModelConfig(**yaml.safe_load(Path(model.folder, "config.yaml").read_text())["model"])
    flow = Flow.fit(codes, held_out, FlowSettings(updates, STEPS, 0, latent_grid(config, model.image_shape)))
    scaled = flow.mean, flow.deviation
    noise = np.random.default_rng(1).standard_normal((count, codes.shape[1])).astype(np.float32)

    def draw(temperature: float = 1.0, steps: int = STEPS) -> np.ndarray:
        flow.settings = replace(flow.settings, steps=steps)
        draws = tf.function(flow.draw, autograph=False, reduce_retracing=True)
        return np.concatenate([draws(temperature * part, tf.constant([0, 0])).numpy() for part in batches(noise)])

    flow.mean, flow.deviation = (tf.constant(of(axis=0), tf.float32) for of in (codes.mean, codes.std))
    line("as they are", draw())
    line("40 steps of the solver", draw(steps=40))
    for temperature in (0.9, 1.1):
        line(f"temperature of {temperature}", draw(temperature))
    flow.mean, flow.deviation = scaled
    line("scaled to the codes' deviation", draw())


def sample(model: Model, levels: np.ndarray, samples: int) -> np.ndarray:
    """Return draws of the posteriors of pictures, uint8 [n, h, w, c]: float32 [samples * n, d]."""
    files = [[tf.io.encode_png(picture).numpy() for picture in part] for part in batches(levels)]
    answers = [model.call("encode", image_bytes=part) for part in files]
    mean, log_variance = (np.concatenate([answer[key] for answer in answers]) for key in ("mean", "log_variance"))
    rng, deviation = np.random.default_rng(0), np.exp(0.5 * log_variance)
    return np.concatenate([mean + deviation * rng.standard_normal(mean.shape).astype(np.float32) for _ in range(samples)])


def batches(values: np.ndarray) -> list[np.ndarray]:
    """Return the values in batches of `BATCH`."""
    return [values[at : at + BATCH] for at in range(0, len(values), BATCH)]


if __name__ == "__main__":
    main()
