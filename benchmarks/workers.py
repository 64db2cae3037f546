"""Time per epoch of one worker with all processors, next to several workers that share them, and of bfloat16.

Run: python -m benchmarks.workers [--workers 2] [--epochs 4] [--pictures 4000] [--presets fashion-mnist photographs]
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from pipeline.config.loading import build_config, load_values, preset_path
from trainer.config import TrainerConfig
from trainer.data import Pictures
from trainer.task import training_data
from trainer.vae import VAE
from trainer.workers.job import Job
from trainer.workers.launch import train_here


def epoch_seconds(config: TrainerConfig, pictures: Pictures) -> float:
    """Return the median time of the training steps of an epoch, without the first epoch."""
    data = training_data(config, pictures, 0)
    vae = VAE(config.model, config.preprocessing.image_shape, data)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(Path(folder))
        held_out = Pictures(pictures.levels[:100])
        job.write(config, {"train": pictures, "eval": held_out}, data, vae.get_weights(), None, None)
        train_here(job, config.training.workers)
        _, course = job.read_outcome(vae)
    return statistics.median(len(pictures) / speed for speed in course.speeds[1:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--presets", nargs="+", default=["fashion-mnist", "photographs"])
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    print(f"{len(os.sched_getaffinity(0))} processors; seconds per epoch of {arguments.pictures:,} pictures, medians")
    print(f"| preset | 1 worker | {arguments.workers} workers | ratio | 1 worker, bfloat16 | ratio |\n|---|---|---|---|---|---|")
    for preset in arguments.presets:
        config = build_config(load_values(preset_path(preset))).trainer()
        plain = {"epochs": arguments.epochs, "augmentation": (), "feature_weight": 0.0, "strategy": "multi_worker"}
        shape = config.preprocessing.image_shape
        pictures = Pictures(np.random.default_rng(0).integers(0, 256, (arguments.pictures, *shape), np.uint8))
        kinds = {"one": {}, "several": {"workers": arguments.workers}, "bfloat16": {"precision": "bfloat16"}}
        found: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(arguments.rounds):
            for name, values in kinds.items():
                training = dataclasses.replace(config.training, **plain, **values)
                found[name].append(epoch_seconds(dataclasses.replace(config, training=training), pictures))
        one, several, half = (statistics.median(found[name]) for name in kinds)
        print(f"| {preset} | {one:.2f} | {several:.2f} | {one / several:.2f} | {half:.2f} | {one / half:.2f} |", flush=True)


if __name__ == "__main__":
    main()
