"""Expect the time and the memory of a run from its configuration and the number of pictures.

The figures come from runs on 2 cores without a GPU (docs/quality.md, docs/performance.md): a step of training has a fixed part
and the network's multiplications, and each other component a fixed part and one for each picture. A first guess is within about
a factor of two on another machine. `pipeline.running.outlook` refines it during a run.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from common.lines import duration
from pipeline.config.schema import Config
from trainer.config import ModelConfig

START = 5.0  # seconds: imports
OTHER = 2.0  # seconds of each component that is not listed below, and of the pauses between components
FLOPS = 60e9  # floating-point operations of a core in a second, in products of matrices
STEP = 1.5e-3  # seconds of a step of training beside its products of matrices
FEATURES = 1.5  # cost of a picture with a distance in features, relative to one without
UPDATE = 0.07  # seconds of an update of the flow
BUILD, EXPORT = 5.0, 9.0  # seconds of the Trainer before its first step, and after its last
MEMORY = 1.1e9  # bytes of the libraries
USUAL_CORES = 2


@dataclass(frozen=True)
class Expectation:
    """What a run is expected to take."""

    seconds: dict[str, float]  # seconds of each component, in the order in which they run
    memory: float  # the peak of the resident memory, bytes
    after_training: float = EXPORT  # seconds of the Trainer after its last epoch

    @property
    def total(self) -> float:
        """The seconds of the whole run."""
        return START + sum(self.seconds.values())

    def __str__(self) -> str:
        return f"about {duration(self.total)} and {gigabytes(self.memory)} of memory"


def expect(config: Config, pictures: int, size: float = 0.0, cores: int | None = None) -> Expectation:
    """Return what a run with nothing in the cache takes, if training makes all its epochs.

    Args:
        config: The complete configuration.
        pictures: The number of pictures.
        size: Their size on disk, bytes.
        cores: The number of processors; None counts those of this process.
    """
    cores = cores or available_cores()
    speed = FLOPS * min(cores, 8)
    share = cores / USUAL_CORES
    held_out = pictures * (config.data.test_share or config.data.eval_share)
    training = pictures * (1 - config.data.eval_share - config.data.test_share)
    encoder, decoder, outputs = products(config)
    step = STEP + config.training.batch_size * _picture_seconds(config, speed)
    steps = math.ceil(max(training, 1) / config.training.batch_size) * config.training.epochs
    seconds = {
        "ImageExampleGen": 0.3 + pictures / (5000 * share) + size / (20e6 * share),
        "StatisticsGen": 4.0 + pictures / 2500,
        "ExampleValidator": 0.2,
        "DataGate": 0.1,
        "Transform": 3.0,
        "FeatureExtractor": 4.0 + min(pictures, 20_000) / (300 * share),
        "Trainer": BUILD + EXPORT + steps * step + pictures / 10_000 + _density_seconds(config),
        "ServingCheck": 5.0,
        "Evaluator": 6.0 + held_out / 450 + held_out * config.training.importance_samples * 2 * decoder / speed,
        "SampleQuality": 3.0
        + min(held_out, 10_000) / 300
        + _drawing_seconds(config, min(held_out, 10_000), encoder + decoder, speed),
        "ModelGate": 0.2,
        "Pusher": 0.3,
        "Report": 4.0 + 100 * config.training.importance_samples * 2 * decoder / speed,
    }
    if config.tuning.trials:
        steps = math.ceil(min(training, config.tuning.pictures) / config.training.batch_size)
        steps *= config.tuning.trial_epochs(config.training.epochs)
        seconds["Tuner"] = config.tuning.trials * (BUILD + steps * step)
    return Expectation(seconds, _memory(config, pictures, encoder + decoder, outputs), EXPORT + _density_seconds(config))


def products(config: Config) -> tuple[float, float, float]:
    """Return the multiplications for a picture of encoder and decoder, and the values that the decoder outputs."""
    model = config.model
    height, width, channels = config.preprocessing.image_shape
    values = height * width * channels
    outputs = values * _outputs_per_value(model, channels)
    if model.network == "spatial":
        places = math.ceil(height / model.patch) * math.ceil(width / model.patch)
        blocks = places * model.blocks * 9 * model.width**2
        encoder = places * model.width * (channels * model.patch**2 + 2 * model.latent_channels) + blocks
        decoder = places * model.width * 9 * model.latent_channels + blocks + outputs * model.width
        return encoder, decoder, outputs
    if model.network == "convolutional":
        return _convolutional(model, height, width, channels, outputs)
    layers = sum(a * b for a, b in zip(model.hidden, model.hidden[1:]))
    encoder = values * model.hidden[0] + layers + 2 * model.hidden[-1] * model.latent_dim
    return encoder, model.latent_dim * model.hidden[-1] + layers + model.hidden[0] * outputs, outputs


def available_cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def gigabytes(count: float) -> str:
    """Return a number of bytes as text: 1.4 GB."""
    return f"{count / 1e9:.1f} GB"


def _outputs_per_value(model: ModelConfig, channels: int) -> float:
    """Return the decoder's outputs for each value of a picture."""
    if model.likelihood != "discretized_logistic_mixture":
        return 1
    return model.mixtures * (10 / 3 if channels == 3 else 3)  # weight, means, scales, and what joins the colors


def _convolutional(model: ModelConfig, height: int, width: int, channels: int, outputs: float) -> tuple[float, float, float]:
    encoder, before = 0.0, channels
    stages = []
    for filters in model.filters:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
        stages.append(16 * height * width * before * filters)
        before = filters
    flat = height * width * before * model.hidden[-1]
    encoder = sum(stages) + flat + 2 * model.hidden[-1] * model.latent_dim
    decoder = sum(stages) + flat + model.filters[0] * 9 * outputs
    return encoder, decoder, outputs


def _picture_seconds(config: Config, speed: float) -> float:
    """Return the seconds of training on a picture: its forward and backward pass."""
    encoder, decoder, outputs = products(config)
    seconds = 6 * (encoder + decoder) / speed + outputs * 4e-9
    return seconds * (FEATURES if config.training.feature_weight else 1.0)


def _density_seconds(config: Config) -> float:
    if config.generation.density == "prior":
        return 0.0
    return 10.0 + config.generation.updates * UPDATE if config.generation.density == "flow" else 8.0


def _drawing_seconds(config: Config, pictures: float, multiplications: float, speed: float) -> float:
    """Return the seconds of drawing and reconstructing so many pictures."""
    flow = pictures * config.generation.steps * 2 / 1000 if config.generation.density == "flow" else 0.0
    return flow + 4 * pictures * 2 * multiplications / speed


def _memory(config: Config, pictures: int, multiplications: float, outputs: float) -> float:
    """Return the expected peak of the resident memory, bytes."""
    values = math.prod(config.preprocessing.image_shape)
    pixels = min(pictures * values * config.data.depth / 8, 2e6 * config.training.memory_megabytes)
    at_once = 250 * outputs * 4 * 6  # the largest arrays, of an evaluation
    weights = multiplications * 4 * 4 if config.model.network in ("dense", "hierarchical") else 50e6
    return MEMORY + 2 * pixels + at_once + weights
