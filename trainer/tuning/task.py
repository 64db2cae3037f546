"""The module file of the Tuner component: TFX calls `tuner_fn`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from trainer.config import TrainerConfig
from trainer.data import Pictures
from trainer.task import read_labels
from trainer.tuning.config import TuningConfig
from trainer.tuning.search import Search


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Decode the images once for all trials, and build the search.

    `custom_config` holds a `TrainerConfig` and a `TuningConfig` as dicts, `trainer` and `tuning`. `working_dir` gets the pixels and
    KerasTuner's notes. The result is the search, and the images that its trials are trained on and compared by.
    """
    config = TrainerConfig.from_dict(fn_args.custom_config["trainer"])
    tuning = TuningConfig(**fn_args.custom_config["tuning"])
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    labels = list(read_labels(fn_args.train_files)) if config.model.conditional else []
    folder, depth = Path(fn_args.working_dir), config.preprocessing.depth
    train = Pictures.decode("train", fn_args.train_files, tft_output, folder / "pixels", labels, depth=depth)
    held_out = Pictures.decode("eval", fn_args.eval_files, tft_output, folder / "pixels", labels, depth=depth)
    search = Search(config, tuning, len(labels), str(folder))
    return TunerFnResult(search, {"train": choose(train, tuning.pictures, config.training.seed), "held_out": held_out})


def choose(pictures: Pictures, max_pictures: int, seed: int) -> Pictures:
    """Return at most `max_pictures` random images. The same seed gives the same ones."""
    if len(pictures) <= max_pictures:
        return pictures
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pictures))[:max_pictures])
    return Pictures(pictures.levels[chosen], pictures.labels[chosen])
