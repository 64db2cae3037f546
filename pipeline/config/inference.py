"""Infer the values that the configuration leaves open from a sample of the pictures.

The values are the size, the network, the length of training, and the margins of the Evaluator. Margins cover the differences
between two seeds of training.
"""

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
from components.image_example_gen.discovery.find import Finder, find_sources
from components.image_example_gen.discovery.sources import Sources
from components.image_example_gen.items import Block, Encoded
from components.image_example_gen.splits import SplitRule
from components.image_example_gen.storage.files import join, read_bytes
from serving.picture_files import Refused, picture_shape
from trainer.config import ModelConfig

LOOKED_AT = 200  # pictures in the sample, evenly spread; only their headers are read
NATIVE_SIZE = 64  # pictures up to this side length keep their size; a larger model takes hours on a CPU
DEFAULT_SIZE = 32
DENSE_VALUES = 32 * 32  # up to this many values the dense network is better for the same training time
SHAPES_OF_CODES = {"latent_dim", "top_latent_dim", "hidden", "filters"}  # fields of models whose codes are not spatial
# Settings of the spatial network, for values that the configuration leaves open. Measured; see docs/quality.md.
SPATIAL: dict[str, dict[str, Any]] = {
    "model": {"likelihood": "discretized_logistic_mixture", "mixtures": 3, "latent_channels": 8},
    "training": {"batch_size": 16, "learning_rate": 2e-3, "weight_average": 0.999, "importance_samples": 10},
    "generation": {"density": "flow", "pixels": "mode"},
}
# What makes pictures sharp: a distance in features, which are learned from the pictures, or of few pictures a code that says more.
FEATURE_PICTURES = 1000
SHARP, SHARP_FEW = {"feature_weight": 1.0}, {"beta": 0.2}
SMALL_PATCHES = 48  # sides up to this many pixels are cut into patches of 4, longer sides into patches of 8
SPATIAL_PICTURES = 300_000  # seen in training, with repetitions: about twenty minutes on two cores at 32x32
MAX_SPATIAL_EPOCHS = 100
FLOW_UPDATES = (300, 3000)  # bounds of the number of updates, which is the number of pictures: few codes hold little to learn
MIXTURE_PICTURES = 1000  # from here on, codes that are not spatial are drawn from a mixture; fewer do not determine its covariances
FEW_PICTURES = 3000  # with fewer, batches are small, because large ones make too few steps
STEPS, MAX_EPOCHS, MIN_EPOCHS = 5000, 200, 20  # length of training: about this many steps, within these bounds of epochs
# Another seed changes the held-out ELBO. The standard deviation is about this many nats x values / sqrt(held-out pictures).
# Measured; see docs/configuration.md. The margin is five standard deviations of the difference between two models. Densities
# of gray values yield more nats per value than `bernoulli`, which treats the value as a probability, and vary more.
SEED_NOISE, DENSITY_SEED_NOISE = 0.02, 0.1
TERM_MARGIN = 3  # times the margin of the ELBO: another seed moves the two terms in opposite directions


# The fields that a configuration must set if the pictures cannot be read.
INFERRED_FIELDS = (
    *("preprocessing.height", "preprocessing.width", "preprocessing.channels"),
    *("training.batch_size", "training.epochs"),
)
# The fields that are always chosen if the configuration leaves them open, and those that are chosen for some pictures only.
CHOSEN = (*INFERRED_FIELDS, "model.network", "evaluation.max_drop", "evaluation.max_reconstruction_rise")
CHOSEN_FOR_SOME = tuple(
    name
    for name in (
        *(f"{section}.{field}" for section, chosen in SPATIAL.items() for field in chosen),
        *("model.patch", "model.sigma", "training.augmentation", "generation.updates"),
        *(f"training.{field}" for field in (*SHARP, *SHARP_FEW)),
    )
    if name not in CHOSEN
)


class PicturesUnseen(InputError):
    """The configuration leaves fields open that are inferred from the pictures, and there are no pictures."""


def complete(values: Mapping[str, Any], images: str, judged_by: int | None = None, find: Finder = find_sources) -> dict[str, Any]:
    """Fill in the size, channels, network, training settings and the Evaluator's margins where the configuration leaves them open.

    Args:
        values: The configuration's values, unvalidated; existing values are kept.
        images: The folder of pictures.
        judged_by: The number of held-out pictures for which the margins are computed, if only the margins are open. None counts
            the pictures.
        find: Lists the pictures; see `find_sources`.

    Raises:
        PicturesUnseen: There are no pictures.
    """
    sections = {name: dict(values.get(name) or {}) for name in ("preprocessing", "model", "training", "generation", "evaluation")}
    preprocessing, model, training, generation, evaluation = sections.values()
    # Listing many files is slow: do it only if a value is open.
    is_given = {"height", "width", "channels"} <= preprocessing.keys() and {"batch_size", "epochs"} <= training.keys()
    count = 0
    if not is_given or ("max_drop" not in evaluation and judged_by is None):
        data = data_config(values)
        try:
            sources = find(images, data)
        except InputError as error:
            raise PicturesUnseen(str(error)) from error
        judged_by = judged(sources, data)
        height, width, channels = look(sources, data)
        sections["preprocessing"] = preprocessing = {"height": height, "width": width, "channels": channels, **preprocessing}
        count = sources.count
    size = tuple(preprocessing[key] for key in ("height", "width", "channels"))
    model.setdefault("network", network_for(size, model))
    if model["network"] == "spatial":
        choose_spatial(size, count, sections, values)
    if size[2] == 3:
        training.setdefault("augmentation", ["auto"])  # gray pictures are mostly digits, text and drawings
    if not is_given:
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
    """Return the section `data` of a configuration's values, which have been validated."""
    given = values.get("data") or {}
    return TypeAdapter(DataConfig).validate_python({name: value for name, value in given.items() if value is not None})


def max_drop(values: int, pictures: float, likelihood: str = "bernoulli") -> float:
    """Return how far a model's ELBO may be below the last blessed model's, in nats per picture, to two digits.

    Args:
        values: Values of a picture: height x width x channels.
        pictures: The number of pictures that the Evaluator uses.
        likelihood: The model's p(x|z).
    """
    noise = SEED_NOISE if likelihood == "bernoulli" else DENSITY_SEED_NOISE
    margin = MARGIN * noise * values / math.sqrt(max(pictures, 1))
    return float(f"{margin:.2g}")


def judged(sources: Sources, config: DataConfig) -> float:
    """Estimate the number of pictures that the Evaluator uses: those of test, or of eval without a test split."""
    split = "test" if config.test_share else "eval"
    if not config.heeds_splits:
        return SplitRule.of((), config).expected(split, sources.count)
    splits = Counter(sources.file_splits)
    for container in sources.containers:
        splits[container.split] += container.count
    return splits[split] or SplitRule.of((), config).expected(split, splits[None] + splits["train"])


def network_for(size: tuple[int, int, int], model: Mapping[str, Any]) -> str:
    """Return the network for pictures of a height, width and channels, given the configured fields of the model."""
    if math.prod(size) <= DENSE_VALUES:
        return "dense"
    return "convolutional" if SHAPES_OF_CODES & model.keys() or model.get("binarisation") == "dynamic" else "spatial"


def choose_spatial(size: tuple[int, int, int], count: int, sections: dict[str, dict[str, Any]], values: Mapping[str, Any]) -> None:
    """Fill in the settings of the spatial network where they are left open, for a number of pictures, 0 if unknown."""
    for name, chosen in SPATIAL.items():
        sections[name].update({field: value for field, value in chosen.items() if field not in sections[name]})
    model, training = sections["model"], sections["training"]
    if not {"beta", "feature_weight"} & training.keys():
        training.update(SHARP if count >= FEATURE_PICTURES else SHARP_FEW)
    model.setdefault("patch", 4 if max(size[:2]) <= SMALL_PATCHES else 8)
    if (values.get("data") or {}).get("depth") == 16 and "likelihood" not in (values.get("model") or {}):
        model.update(likelihood="gaussian", sigma="optimal")  # the mixture is a distribution over 256 levels


def epochs_for(pictures: int, batch_size: int, network: str = "dense") -> int:
    """Return the number of epochs: about `STEPS` steps, or for the spatial network about `SPATIAL_PICTURES` pictures seen."""
    if network == "spatial":
        return min(MAX_SPATIAL_EPOCHS, max(1, round(SPATIAL_PICTURES / max(pictures, 1))))
    return min(MAX_EPOCHS, max(MIN_EPOCHS, round(STEPS * batch_size / pictures)))


def look(sources: Sources, config: DataConfig) -> tuple[int, int, int]:
    """Return the height, width and channels of the model's pictures.

    Small pictures of one size keep it. One channel is used if all pictures are gray, otherwise three.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for height, width, channels in _shapes(sources, config):
        sizes[height, width] += 1
        grey &= channels < 3
    alike = len(sizes) == 1 and max(next(iter(sizes))) <= NATIVE_SIZE
    height, width = next(iter(sizes)) if alike else (DEFAULT_SIZE, DEFAULT_SIZE)
    return height, width, 1 if grey and sizes else 3


def _shapes(sources: Sources, config: DataConfig) -> Iterator[tuple[int, int, int]]:
    """Yield height, width and channels of a sample of pictures, from their headers. Ingestion reports unreadable files."""
    for container in sources.containers:
        if container.picture_shape:
            yield container.picture_shape
            continue
        for item in itertools.islice(container.read(sources.folder, 0, container.count, config), LOOKED_AT):
            if isinstance(item, Encoded):
                yield from filter(None, (picture_shape(item.data),))
            elif isinstance(item, Block):
                yield item.pixels.shape[1:]
                break
    for path in sources.sample[:LOOKED_AT]:
        try:
            data = read_bytes(join(sources.folder, path), config.max_file_megabytes)
        except Refused:
            continue
        yield from filter(None, (picture_shape(data),))
