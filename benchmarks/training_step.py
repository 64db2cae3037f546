"""Images per second of the training loop: with and without XLA, side by side in one process.

Run: python -m benchmarks.training_step [--rounds 5] [--seconds 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from trainer import loop
from trainer.config import ModelConfig, TrainingConfig
from trainer.data import Pictures
from trainer.vae import VAE

PICTURES = Pictures(np.random.default_rng(0).integers(0, 256, (10_000, 28, 28, 1), np.uint8))
SIDES = {"plain": False, "XLA": True}  # jit_compile


def make_side(network: str, jit: bool) -> Callable[[float], float]:
    """A function that trains for so many seconds and gives images per second."""
    config = TrainingConfig(batch_size=256, jit_compile=jit)
    vae = VAE(ModelConfig(network=network, filters=(32, 64)), (28, 28, 1), PICTURES.mean())
    trained = loop.Loop(vae, PICTURES, Pictures(PICTURES.levels[:100]), config, tf.distribute.get_strategy())
    batches = iter(PICTURES.shuffled(config.batch_size, 0))
    trained._steps(batches, tf.constant(3))

    def measure(seconds: float) -> float:
        begin, steps = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            trained._steps(batches, tf.constant(5))
            steps += 5
        return steps * config.batch_size / (time.perf_counter() - begin)

    return measure


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    print("| network | side | images/s, median | ratio to plain |\n|---|---|---|---|")
    for network in ("dense", "convolutional"):
        sides = {name: make_side(network, choice) for name, choice in SIDES.items()}
        speeds: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(arguments.rounds):  # by turns, so that what else the machine does meets all alike
            for name, measure in sides.items():
                speeds[name].append(measure(arguments.seconds))
        for name, measured in speeds.items():
            ratio = statistics.median(m / f for m, f in zip(measured, speeds["plain"]))
            print(f"| {network} | {name} | {statistics.median(measured):,.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
