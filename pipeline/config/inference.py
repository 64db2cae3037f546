"""What the configuration leaves open: a look at the pictures tells their size, which network, how long to train, and how far
another seed may lead."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from common.errors import InputError
from components.evaluation.results import MARGIN
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.sources import Sources
from components.image_example_gen.items import Block, Encoded
from components.image_example_gen.readers.container import read_guarded
from components.image_example_gen.splits import SplitRule
from components.image_example_gen.storage.files import join, read_bytes
from serving.picture_files import Refused, picture_shape
from trainer.config import ModelConfig

LOOKED_AT = 200  # pictures, evenly spread; their headers are read
NATIVE_SIZE = 64  # pictures up to this side keep their own size; a larger model takes hours on a CPU
DEFAULT_SIZE = 32
DENSE_VALUES = 32 * 32  # up to so many values the dense network is the better one per second
SHAPES_OF_CODES = {"latent_dim", "top_latent_dim", "hidden", "filters"}  # fields of models whose codes have no places
# What the network for colour is trained by where the configuration leaves it open; measured, see docs/quality.md.
SPATIAL: dict[str, dict[str, Any]] = {
    "model": {"likelihood": "discretized_logistic_mixture", "mixtures": 3, "latent_channels": 8},
    "training": {"batch_size": 16, "learning_rate": 2e-3, "weight_average": 0.999, "importance_samples": 10, "beta": 0.2},
    "generation": {"density": "flow"},
}
SMALL_PATCHES = 48  # sides up to so many pixels are cut into patches of 4, longer ones of 8
SPATIAL_PICTURES = 300_000  # so many are seen in training, some a hundred times: on two cores about twenty minutes at 32x32
MOST_SPATIAL_EPOCHS = 100
FLOW_UPDATES = (300, 3000)  # as many as there are pictures, within these: of few, there is little to learn of their codes
MIXTURE_PICTURES = 1000  # from so many on, codes without places are drawn from a mixture: fewer do not fix its covariances
FEW_PICTURES = 3000  # below, small batches: a few hundred pictures make too few steps otherwise
STEPS, MOST_EPOCHS, LEAST_EPOCHS = 5000, 200, 20  # how long to train: about so many steps, within these bounds
# Another seed moves the held-out ELBO by about so many nats (a standard deviation) x values / sqrt(held-out pictures); measured,
# see docs/configuration.md. The margin is five times that of the difference between two models. Densities of grey values have
# more to say of a value than `bernoulli`, which takes it as a probability, and say it less alike.
SEED_NOISE, DENSITY_SEED_NOISE = 0.02, 0.1
TERM_MARGIN = 3  # times the ELBO's: another seed moves the terms against each other


# What a configuration must say where nobody can look at the pictures.
TOLD_BY_PICTURES = (
    *("preprocessing.height", "preprocessing.width", "preprocessing.channels"),
    *("training.batch_size", "training.epochs"),
)


class PicturesUnseen(InputError):
    """The configuration leaves open what a look at the pictures tells, and there are none to look at."""


def complete(values: Mapping[str, Any], images: str, judged_by: int | None = None) -> dict[str, Any]:
    """Fills in size, channels, network, how it is trained, and the Evaluator's margins, where the configuration leaves them open.

    Args:
        values: The configuration's values, unvalidated; those that it has are kept.
        images: The folder of pictures.
        judged_by: How many held-out pictures the margins are for where the configuration leaves nothing but them open; None
            counts the pictures.

    Returns:
        The values, with none of these open.

    Raises:
        PicturesUnseen: There are no pictures.
    """
    sections = {name: dict(values.get(name) or {}) for name in ("preprocessing", "model", "training", "generation", "evaluation")}
    preprocessing, model, training, generation, evaluation = sections.values()
    # Listing many files takes its time: only where there is something to look for.
    told = {"height", "width", "channels"} <= preprocessing.keys() and {"batch_size", "epochs"} <= training.keys()
    if not told or ("max_drop" not in evaluation and judged_by is None):
        data = data_config(values)
        try:
            sources = find_sources(images, data)
        except InputError as error:
            raise PicturesUnseen(str(error)) from error
        judged_by = judged(sources, data)
        height, width, channels = look(sources, data)
        sections["preprocessing"] = preprocessing = {"height": height, "width": width, "channels": channels, **preprocessing}
        count = sources.count
    size = tuple(preprocessing[key] for key in ("height", "width", "channels"))
    model.setdefault("network", network_for(size, model))
    if model["network"] == "spatial":
        choose_spatial(size, sections, values)
    if size[2] == 3:
        training.setdefault("augmentation", ["auto"])  # grey pictures are digits, text and drawings more often than not
    if not told:
        training.setdefault("batch_size", 32 if count < FEW_PICTURES else 128)
        training.setdefault("epochs", epochs_for(count, training["batch_size"], model["network"]))
        if count >= MIXTURE_PICTURES and model["network"] != "spatial":
            generation.setdefault("density", "mixture")
        if generation.get("density") == "flow":
            generation.setdefault("updates", min(FLOW_UPDATES[1], max(FLOW_UPDATES[0], count)))
    if "max_drop" not in evaluation:
        likelihood = model.get("likelihood", ModelConfig.likelihood)
        evaluation["max_drop"] = max_drop(math.prod(size), judged_by, likelihood)
    drop = evaluation["max_drop"]
    evaluation.setdefault("max_reconstruction_rise", None if drop is None else TERM_MARGIN * float(drop))
    return {**values, **sections}


def data_config(values: Mapping[str, Any]) -> DataConfig:
    """The section on data of a configuration's values, which have been validated."""
    given = values.get("data") or {}
    return TypeAdapter(DataConfig).validate_python({name: value for name, value in given.items() if value is not None})


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


def judged(sources: Sources, config: DataConfig) -> float:
    """About how many pictures the Evaluator judges by: those of test, or of eval where there are none."""
    split = "test" if config.test_share else "eval"
    if not config.heeds_splits:
        return SplitRule.of((), config).expected(split, sources.count)
    splits = Counter(sources.file_splits)
    for container in sources.containers:
        splits[container.split] += container.count
    return splits[split] or SplitRule.of((), config).expected(split, splits[None] + splits["train"])


def network_for(size: tuple[int, int, int], model: Mapping[str, Any]) -> str:
    """The network for pictures of a height, width, and channels, where the configuration has said so much of the model."""
    if math.prod(size) <= DENSE_VALUES:
        return "dense"
    return "convolutional" if SHAPES_OF_CODES & model.keys() or model.get("binarisation") == "dynamic" else "spatial"


def choose_spatial(size: tuple[int, int, int], sections: dict[str, dict[str, Any]], values: Mapping[str, Any]) -> None:
    """Fills in by what the spatial network is trained, where it is left open."""
    for name, chosen in SPATIAL.items():
        sections[name].update({field: value for field, value in chosen.items() if field not in sections[name]})
    model = sections["model"]
    model.setdefault("patch", 4 if max(size[:2]) <= SMALL_PATCHES else 8)
    if (values.get("data") or {}).get("depth") == 16 and "likelihood" not in (values.get("model") or {}):
        model.update(likelihood="gaussian", sigma="optimal")  # the mixture is a probability of 256 levels


def epochs_for(pictures: int, batch_size: int, network: str = "dense") -> int:
    """Epochs that make about `STEPS` steps; of the spatial network those that see about `SPATIAL_PICTURES` pictures."""
    if network == "spatial":
        return min(MOST_SPATIAL_EPOCHS, max(1, round(SPATIAL_PICTURES / max(pictures, 1))))
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, round(STEPS * batch_size / pictures)))


def look(sources: Sources, config: DataConfig) -> tuple[int, int, int]:
    """The height, width and channels to bring pictures to: their own where they are small and alike, grey where all are."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for height, width, channels in _shapes(sources, config):
        sizes[height, width] += 1
        grey &= channels < 3
    alike = len(sizes) == 1 and max(next(iter(sizes))) <= NATIVE_SIZE
    height, width = next(iter(sizes)) if alike else (DEFAULT_SIZE, DEFAULT_SIZE)
    return height, width, 1 if grey and sizes else 3


def _shapes(sources: Sources, config: DataConfig) -> Iterator[tuple[int, int, int]]:
    """Height, width and channels of some pictures, by their headers; what is wrong with others, ingestion says better."""
    for container in sources.containers:
        shape = getattr(container, "picture_shape", None)
        if shape:
            yield shape
            continue
        for item in itertools.islice(read_guarded(container, sources.folder, 0, container.count, config), LOOKED_AT):
            if isinstance(item, Encoded):
                yield from filter(None, (header_shape(item.data),))
            elif isinstance(item, Block):
                yield item.pixels.shape[1:]
                break
    for path in sources.sample[:LOOKED_AT]:
        try:
            data = read_bytes(join(sources.folder, path), config.max_file_megabytes)
        except Refused:
            continue
        yield from filter(None, (header_shape(data),))


def header_shape(data: bytes) -> tuple[int, int, int] | None:
    """The height, width and channels of a picture file by its header, turned upright; None where it cannot be read."""
    return picture_shape(data)
