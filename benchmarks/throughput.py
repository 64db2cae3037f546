"""Compare the training loop of a preset with its compiled step alone, and with pythae's VAE of the same size, in images per second.

The bare step is the same compiled function on pictures that are already in memory as tensors. It is an upper bound for any loop.
Pythae (PyTorch) runs in a separate environment, whose Python is given by --pythae. Create it with

    python3 -m venv /tmp/pythae && /tmp/pythae/bin/pip install torch==2.13.0 pythae

Run: python -m benchmarks.throughput [--presets fashion-mnist] [--rounds 5] [--seconds 4] [--xla] [--pythae /tmp/pythae/bin/python]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore", category=FutureWarning)  # printed by libraries at import

import numpy as np
import tensorflow as tf

from pipeline.config.loading import build_config, load_values, preset_names, preset_path
from trainer.config import ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig
from trainer.data import Pictures
from trainer.features.distance import FeatureDistance
from trainer.features.self_supervised import SelfSupervised
from trainer.loop import Loop
from trainer.replication import get_strategy
from trainer.task import training_data
from trainer.vae import VAE

Measure = Callable[[float], float]
PLAIN = TrainerConfig(  # the same as pythae's VAE: two layers of 512 in total, Gaussian posterior and prior
    PreprocessingConfig(height=28, width=28, channels=1),
    ModelConfig(network="dense", latent_dim=40, hidden=(512,)),
    TrainingConfig(batch_size=256),
)


def sides(config: TrainerConfig, xla: bool = False) -> dict[str, Measure]:
    """Return the training loop, its bare step and optionally the loop with XLA.

    Each is a function that trains for the given seconds and returns images per second.
    """
    shape = config.preprocessing.image_shape
    pictures = Pictures(np.random.default_rng(0).integers(0, 256, (10_000, *shape), np.uint8))
    vae = VAE(config.model, shape, training_data(config, pictures, 0))
    distance = None
    if config.training.feature_weight:  # an untrained network costs the same
        distance = FeatureDistance(SelfSupervised.untrained(shape), pictures.levels[:100])
    loop = Loop(vae, pictures, Pictures(pictures.levels[:100]), config.training, get_strategy("one_device"), distance)
    size = config.training.batch_size
    tensors = (
        tf.data.Dataset.from_tensors((pictures.levels[:size], pictures.labels[:size], np.arange(size, dtype=np.int32)))
        .cache()
        .repeat()
    )

    def measure(batches: object) -> Measure:
        feed = iter(batches)
        loop._steps(feed, tf.constant(3))

        def run(seconds: float) -> float:
            begin, steps = time.perf_counter(), 0
            while time.perf_counter() - begin < seconds:
                loop._steps(feed, tf.constant(10))
                steps += 10
            return steps * size / (time.perf_counter() - begin)

        return run

    items = {"training loop": measure(pictures.shuffled(size, 0)), "bare compiled step": measure(tensors)}
    if xla:
        compiled = dataclasses.replace(config.training, jit_compile=True)
        items["with XLA"] = sides(dataclasses.replace(config, training=compiled))["training loop"]
    return items


def pythae(python: str, config: TrainerConfig) -> Measure:
    """Return the same function for pythae's VAE, which runs in a separate process."""
    script = Path(__file__).with_name("pythae_side.py")
    request = {"hidden": config.model.hidden[0], "latent_dim": config.model.latent_dim, "batch": config.training.batch_size}

    def run(seconds: float) -> float:
        command = [python, str(script), json.dumps({**request, "seconds": seconds})]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])

    return run


def compare(name: str, measures: dict[str, Measure], rounds: int, seconds: float) -> None:
    """Print a line for each side. The sides are measured in turns, so that other load affects all of them equally."""
    speeds: dict[str, list[float]] = {side: [] for side in measures}
    for _ in range(rounds):
        for side, measure in measures.items():
            speeds[side].append(measure(seconds))
    for side, measured in speeds.items():
        ratio = statistics.median(ours / other for ours, other in zip(speeds["training loop"], measured))
        print(f"| {name} | {side} | {statistics.median(measured):,.0f} | {ratio:.2f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=list(preset_names()), default=list(preset_names()))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--xla", action="store_true", help="A side with training.jit_compile=true as well.")
    parser.add_argument("--pythae", metavar="PYTHON", help="The Python of an environment that has pythae.")
    arguments = parser.parse_args()
    print("| preset | side | images/s, median | training loop / side |\n|---|---|---|---|")
    for preset in arguments.presets:
        config = build_config(load_values(preset_path(preset))).trainer()
        compare(preset, sides(config, arguments.xla), arguments.rounds, arguments.seconds)
    if arguments.pythae:
        measures = {**sides(PLAIN), "pythae": pythae(arguments.pythae, PLAIN)}
        compare("pythae's architecture", measures, arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
