"""The module file of the Trainer component: TFX calls `run_fn`."""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import yaml
from tfx.components.trainer.fn_args_utils import FnArgs

from common.errors import InputError
from common.features import ENCODED
from common.progress import report_progress
from serving.manifest import write_manifest
from serving.picture_files import PictureOptions
from trainer.checkpoint import Checkpoint, training_key
from trainer.config import TrainerConfig, TrainingConfig
from trainer.data import Pictures, list_records, pixel_graph, read_records
from trainer.describe import describe_model, describe_networks, model_card
from trainer.export import Servable
from trainer.features.distance import FeatureDistance, learn_distance
from trainer.figures import held_out_figures, save_denoising
from trainer.flow import Flow, FlowSettings
from trainer.golden import save_golden
from trainer.history import History
from trainer.loop import EVAL_BATCH, Loop
from trainer.mirroring import decide_augmentation
from trainer.networks import latent_grid
from trainer.priors import Mixture
from trainer.program import UnknownLayer, write_program
from trainer.replication import get_strategy
from trainer.tuning.space import with_values
from trainer.vae import VAE, TrainingData
from trainer.warm_start import load_weights, save_weights
from trainer.workers.fit import fit_on_workers

LOGGER = logging.getLogger("darkroom.trainer")
GOLDEN_PICTURES = 4
CODES = 20_000  # codes for a mixture: more do not improve it, and slow its fit
FLOW_CODES = 60_000  # codes for a flow: several per image of a small collection, because it would memorize one of each
FLOW_NUMBERS = 40_000_000  # limit on the values of a flow's codes: 160 MB


def run_fn(fn_args: FnArgs) -> None:
    """Train the VAE and export it. The best values of a search for hyperparameters override the configuration's."""
    config = TrainerConfig.from_dict(fn_args.custom_config["trainer"])
    if fn_args.hyperparameters:
        config = with_values(config, fn_args.hyperparameters["values"])
    train(config, fn_args)


def find_checkpoint(config: TrainerConfig, fn_args: FnArgs) -> Checkpoint | None:
    """Return the checkpoint of this training. Return None if no checkpoint folder is given."""
    folder = fn_args.custom_config.get("checkpoints")
    if not folder:
        return None
    arguments = {"config": config.to_dict(), "code": fn_args.custom_config["code"], "base_model": fn_args.base_model}
    records = list_records([*fn_args.train_files, *fn_args.eval_files])
    return Checkpoint(Path(folder), training_key({**arguments, "transform": fn_args.transform_output}, records))


def train(config: TrainerConfig, fn_args: FnArgs) -> None:
    """Train a model on examples and export it.

    Args:
        config: The trainer's configuration.
        fn_args: TFX's arguments. `serving_model_dir` gets the SavedModel, `model.json`, `metrics.json`, `model_card.md`,
            `config.yaml`, the decoder's `program`, and `manifest.json` with the checksums of all files. `model_run_dir` gets the
            history, TensorBoard's logs, the networks' layers and the golden answers. `base_model` is the folder of an exported model
            whose weights to start from, if its networks are the same.

    Raises:
        InputError: A conditional model is asked for, but the images have fewer than two labels. Or training has diverged.
    """
    model_folder, run_folder = Path(fn_args.serving_model_dir), Path(fn_args.model_run_dir)
    tft_output, checkpoint = tft.TFTransformOutput(fn_args.transform_output), find_checkpoint(config, fn_args)
    keras.utils.set_random_seed(config.training.seed)
    # The workers of `multi_worker` are other processes: here the model is built, and exported, on one device.
    strategy = get_strategy("mirrored" if config.training.strategy == "mirrored" else "one_device")
    labels = read_labels(fn_args.train_files)
    known = list(labels) if config.model.conditional else []
    if config.model.conditional and len(known) < 2:
        raise InputError("model.conditional needs pictures of at least two labels, such as folders of different names")
    with tempfile.TemporaryDirectory(prefix="darkroom-pixels-") as pixels:
        megabytes, depth = config.training.memory_megabytes, config.preprocessing.depth
        pictures = Pictures.decode("train", fn_args.train_files, tft_output, Path(pixels), known, megabytes, depth)
        held_out = Pictures.decode("eval", fn_args.eval_files, tft_output, Path(pixels), known, megabytes, depth)
        data = training_data(config, pictures, len(known))
        computed = "float32" if config.training.strategy == "multi_worker" else config.training.precision
        with strategy.scope():
            vae = VAE(config.model, config.preprocessing.image_shape, data, computed)
        history = History(run_folder)
        training, mirroring = decide_augmentation(config.training, pictures)
        started_anew = "there is no last blessed model of such pictures" if training.warm_start else ""
        if fn_args.base_model:
            started_anew = load_weights(vae, Path(fn_args.base_model))
            if started_anew:
                LOGGER.warning("training starts anew, not from the last blessed model: %s", started_anew)
            else:
                training = dataclasses.replace(training, kl_warmup="linear", kl_warmup_share=0.0)
        distance = feature_distance(training, pictures, checkpoint)
        if training.strategy == "multi_worker":
            splits, settled = {"train": pictures, "eval": held_out}, dataclasses.replace(config, training=training)
            # On a cluster, the folder of the Transform graph names the run.
            cluster = {"train_job": fn_args.custom_config.get("train_job"), "origin": fn_args.transform_output}
            outcome = fit_on_workers(vae, settled, splits, data, distance, history, checkpoint, **cluster)
        else:
            outcome = Loop(vae, pictures, held_out, training, strategy, distance).fit(history, checkpoint)
        history.close()
        if computed != "float32":  # figures and export are of the weights, which are float32
            weights, vae = vae.get_weights(), VAE(config.model, config.preprocessing.image_shape, data)
            vae.set_weights(weights)
        figures, precision = held_out_figures(vae, held_out, config.training)
        if figures["denoising"]:
            save_denoising(vae, held_out, config.training, figures["denoising"], run_folder)
        density = fit_density(vae, config, pictures, held_out, len(known), checkpoint)
        counts = {"train": len(pictures), "eval": len(held_out)}
        shares, samples = labels if config.model.conditional else None, config.training.importance_samples
        servable = Servable(vae, pixel_graph(tft_output), samples, shares, config.generation, density, depth)
        scores = servable.elbo_quantiles(held_out)

    report_progress("exporting", done=0, total=1, unit="model")
    servable.save(model_folder)
    save_weights(vae, model_folder)
    try:
        write_program(vae, config.generation, density, shares, model_folder)
    except UnknownLayer as error:
        LOGGER.warning("the model can be used, but not in the explorer: %s", error)
    save_golden(run_folder / "golden", *servable.answers(*golden_pictures(fn_args.eval_files)))
    metrics = {
        **figures,
        **dataclasses.asdict(outcome),
        "warm_start": bool(fn_args.base_model) and not started_anew,
        "started_anew": started_anew,
        "mirroring": mirroring.to_dict() if mirroring else None,
    }
    description = describe_model(vae, config, list(labels), counts)
    description |= {"code": fn_args.custom_config.get("code", ""), "code_precision": precision, "held_out_elbo": scores}
    _write_json(model_folder / "model.json", description)
    _write_json(model_folder / "metrics.json", metrics)
    _write_json(run_folder / "networks.json", describe_networks(vae))
    _write_json(run_folder / "kl_per_dimension.json", {"kl": figures["kl_per_dimension"]})
    (model_folder / "model_card.md").write_text(model_card(description, metrics, list(servable.signatures())), encoding="utf-8")
    (model_folder / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    write_manifest(model_folder)  # last: it lists all files of the folder


def training_data(config: TrainerConfig, pictures: Pictures, labels: int) -> TrainingData:
    """Return the statistics and examples of the training images that a new model starts from."""
    mean, deviation = pictures.moments()
    examples, example_labels = pictures.some(config.model.pseudo_inputs, config.training.seed)
    return TrainingData(mean, deviation, examples, labels, example_labels)


def feature_distance(training: TrainingConfig, pictures: Pictures, checkpoint: Checkpoint | None = None) -> FeatureDistance | None:
    """Learn the distance for `training.feature_weight`, or load it from beside the checkpoint. Return None if the weight is 0."""
    if not training.feature_weight:
        return None
    return learn_distance(pictures, training.seed, checkpoint.beside("features") if checkpoint else None)


def fit_density(
    vae: VAE, config: TrainerConfig, pictures: Pictures, held_out: Pictures, known: int, checkpoint: Checkpoint | None
) -> Mixture | Flow | None:
    """Fit the density of codes that the configuration asks for. Return None if that is the prior.

    The fit of a flow stops by the held-out images, and resumes from a checkpoint beside that of the model's training.
    """
    generation, seed = config.generation, config.training.seed
    if generation.density == "prior":
        return None
    if generation.density == "mixture":
        codes, labels = aggregate_posterior(vae, pictures, CODES)
        return Mixture.fit(codes, generation.components, seed, labels, known)
    count = min(FLOW_CODES, max(CODES, FLOW_NUMBERS // vae.latent_dim))
    codes, labels = aggregate_posterior(vae, pictures, count, max(1, count // len(pictures)))
    others, other_labels = aggregate_posterior(vae, held_out, CODES)
    settings = FlowSettings(generation.updates, generation.steps, seed, latent_grid(vae.config, vae.image_shape))
    return Flow.fit(codes, others, settings, (labels, other_labels), known, checkpoint.beside("flow") if checkpoint else None)


def aggregate_posterior(vae: VAE, pictures: Pictures, max_pictures: int, samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Draw samples of q(z) = E[q(z|x)] from at most `max_pictures` images, spread evenly over all.

    Returns:
        Codes, float32 [n, latent_dim], all images once for each of `samples`; and their labels, int32 [n].
    """
    sample = tf.function(
        lambda levels, noise, labels: vae.sample_posterior(vae.observe(levels), noise, labels).z,
        reduce_retracing=True,
        autograph=False,
    )
    step = -(-len(pictures) // max_pictures)
    # Encode with labels: a code that also contained the label could contradict the label that is asked for in generation.
    chosen = Pictures(pictures.levels[::step], pictures.labels[::step])
    rng = np.random.default_rng(0)
    codes = []
    for _ in range(samples):
        noise = rng.standard_normal((len(chosen), vae.latent_dim), np.float32)
        batches = zip(range(0, len(chosen), EVAL_BATCH), chosen.in_order(EVAL_BATCH))
        codes += [sample(levels, noise[at : at + len(levels)], labels) for at, (levels, labels) in batches]
    return np.concatenate(codes), np.tile(chosen.labels, samples)


def golden_pictures(patterns: Sequence[str]) -> tuple[list[bytes], list[bytes]]:
    """Return the first few examples, serialized, and the bytes of their images."""
    records = read_records(list_records(patterns)).take(GOLDEN_PICTURES)
    examples = [record.numpy() for record in records]
    pictures = [tf.train.Example.FromString(e).features.feature[ENCODED].bytes_list.value[0] for e in examples]
    return examples, pictures


def read_labels(patterns: Sequence[str]) -> dict[str, int]:
    """Return the labels of the training split in the order of their names, with their numbers of images. Empty without labels."""
    summary = Path(patterns[0]).parents[1] / "summary.json"
    with tf.io.gfile.GFile(str(summary)) as file:
        return {label: count for label, count in sorted(json.load(file)["labels"]["train"].items()) if label}


def to_yaml(config: TrainerConfig) -> str:
    """Return the model's configuration as YAML that `darkroom run --config` takes."""
    values = json.loads(json.dumps(config.to_dict()))
    files = values.pop("picture_files")
    del values["preprocessing"]["depth"]  # data.depth holds it
    if config.picture_files != PictureOptions():
        values["data"] = files
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
