"""What the configuration leaves open: a look at the pictures tells their size, which network, how long to train, and how far
another seed may lead."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from PIL import Image

from components.evaluation import MARGIN
from components.image_example_gen.config import DataConfig
from components.image_example_gen.files import join, open_file
from components.image_example_gen.sources import Sources, find_sources
from components.image_example_gen.splits import SplitRule
from trainer.config import ModelConfig

LOOKED_AT = 200  # pictures, evenly spread; their headers are read
NATIVE_SIZE = 64  # pictures up to this side keep their own size; a larger model takes hours on a CPU
DEFAULT_SIZE = 32
DENSE_VALUES = 32 * 32  # up to so many values the dense network is the better one per second
FEW_PICTURES = 3000  # below, small batches: a few hundred pictures make too few steps otherwise
STEPS, MOST_EPOCHS, LEAST_EPOCHS = 5000, 200, 20  # how long to train: about so many steps, within these bounds
# Another seed moves the held-out ELBO by about so many nats (a standard deviation) x values / sqrt(held-out pictures); measured,
# see docs/configuration.md. The margin is five times that of the difference between two models. Densities of grey values have
# more to say of a value than `bernoulli`, which takes it as a probability, and say it less alike.
SEED_NOISE, DENSITY_SEED_NOISE = 0.02, 0.1
TERM_MARGIN = 3  # times the ELBO's: another seed moves the terms against each other


def complete(values: Mapping[str, Any], images: str) -> dict[str, Any]:
    """Fills in size, channels, network, batch size, epochs and the Evaluator's margins where the configuration leaves them open.

    Args:
        values: The configuration's values, unvalidated; those that it has are kept.
        images: The folder of pictures.

    Returns:
        The values, with none of these open.

    Raises:
        InputError: There are no pictures.
    """
    sections = {name: dict(values.get(name) or {}) for name in ("preprocessing", "model", "training", "evaluation")}
    preprocessing, model, training, evaluation = sections.values()
    # Listing many files takes its time: only where there is something to look for.
    told = {"height", "width", "channels"} <= preprocessing.keys() and {"batch_size", "epochs"} <= training.keys()
    if not told or "max_drop" not in evaluation:
        sources = find_sources(images)
        height, width, channels = look(sources)
        sections["preprocessing"] = preprocessing = {"height": height, "width": width, "channels": channels, **preprocessing}
        training.setdefault("batch_size", 32 if sources.count < FEW_PICTURES else 128)
        training.setdefault("epochs", epochs_for(sources.count, training["batch_size"]))
    size = [preprocessing[key] for key in ("height", "width", "channels")]
    model.setdefault("network", "dense" if math.prod(size) <= DENSE_VALUES else "convolutional")
    if "max_drop" not in evaluation:
        likelihood = model.get("likelihood", ModelConfig.likelihood)
        evaluation["max_drop"] = max_drop(math.prod(size), judged(sources, values.get("data") or {}), likelihood)
    drop = evaluation["max_drop"]
    evaluation.setdefault("max_reconstruction_rise", None if drop is None else TERM_MARGIN * float(drop))
    return {**values, **sections}


def max_drop(values: int, pictures: float, likelihood: str = "bernoulli") -> float:
    """How far a model may be below the last one and pass for as good, nats per picture, to two digits.

    Args:
        values: Of a picture: height x width x channels.
        pictures: How many the Evaluator judges by.
        likelihood: The model's p(x|z).
    """
    noise = SEED_NOISE if likelihood == "bernoulli" else DENSITY_SEED_NOISE
    margin = MARGIN * noise * values / math.sqrt(max(pictures, 1))
    return float(f"{margin:.2g}")


def judged(sources: Sources, data: Mapping[str, Any]) -> float:
    """About how many pictures the Evaluator judges by: those of test, or of eval where there are none."""
    config = DataConfig(**{name: float(data[name]) for name in ("eval_share", "test_share") if data.get(name) is not None})
    split = "test" if config.test_share else "eval"
    splits = Counter(sources.split_of(path) for path in sources.pictures)
    for idx in sources.idx:
        splits[idx.split] += idx.shape[0]
    return splits[split] or SplitRule.of((), config).expected(split, splits[None] + splits["train"])


def epochs_for(pictures: int, batch_size: int) -> int:
    """Epochs that make about `STEPS` steps."""
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, round(STEPS * batch_size / pictures)))


def look(sources: Sources) -> tuple[int, int, int]:
    """The height, width and channels to bring pictures to: their own where they are small and alike, grey where all are."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for idx in sources.idx:
        sizes[idx.shape[1:3]] += idx.shape[0]
        grey &= len(idx.shape) == 3 or idx.shape[3] == 1
    step = max(1, len(sources.pictures) // LOOKED_AT)
    for path in sources.pictures[::step]:
        try:
            with open_file(join(sources.folder, path)) as file, Image.open(file) as picture:
                sizes[picture.height, picture.width] += 1
                grey &= picture.mode in ("1", "L", "LA", "I", "I;16")
        except Exception:  # whatever is wrong with it, ingestion will say it better
            continue
    alike = len(sizes) == 1 and max(next(iter(sizes))) <= NATIVE_SIZE
    height, width = next(iter(sizes)) if alike else (DEFAULT_SIZE, DEFAULT_SIZE)
    return height, width, 1 if grey and sizes else 3
