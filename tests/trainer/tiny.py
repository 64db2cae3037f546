"""What the tests of the trainer share: little pictures, a little model, and the Transform graph of TFX."""

from __future__ import annotations

import collections
import dataclasses
import functools
import io
import json
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from PIL import Image
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from common.features import ENCODED, LABEL
from trainer.checkpoint import Checkpoint
from trainer.config import ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig
from trainer.data import Pictures
from trainer.history import History
from trainer.loop import Loop, Outcome
from trainer.preprocessing import preprocessing_fn
from trainer.replication import get_strategy
from trainer.task import feature_distance, training_data
from trainer.vae import VAE, TrainingData

SHAPE = (8, 8, 1)
MODEL = ModelConfig(network="dense", latent_dim=2, hidden=(16,))
PREPROCESSING = PreprocessingConfig(height=8, width=8, channels=1)
TRAINING = TrainingConfig(epochs=6, batch_size=8, learning_rate=1e-2, importance_samples=5)
CONFIG = TrainerConfig(PREPROCESSING, MODEL, TRAINING, title="bars")
HIERARCHICAL = {"network": "hierarchical", "latent_dim": 4, "top_latent_dim": 2}
VAMPPRIOR = {"prior": "vampprior", "pseudo_inputs": 10}
CONDITIONAL = {"conditional": True}
LABELS = ["lying", "upright"]  # of bars


def noise(seed: int, *shape: int) -> np.ndarray:
    """A picture of noise, uint8 of the given shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def bars(count: int, seed: int = 0) -> np.ndarray:
    """Pictures that can be learned, uint8 [count, 8, 8, 1]: a bright bar, upright or lying, on grey noise."""
    return labelled_bars(count, seed).levels


def labelled_bars(count: int, seed: int = 0) -> Pictures:
    """The same with the bars' directions as labels: the number in `LABELS`."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 60, (count, *SHAPE), dtype=np.uint8)
    places, directions = rng.integers(0, 7, count), rng.integers(0, 2, count)
    for picture, at, upright in zip(levels, places, directions):
        (picture.swapaxes(0, 1) if upright else picture)[at : at + 2] = rng.integers(200, 256)
    return Pictures(levels, directions.astype(np.int32))


def uprightness(levels: np.ndarray) -> np.ndarray:
    """How much more columns differ than rows, float [n]: above 0 for upright bars, below for lying ones."""
    values = levels[..., 0].astype(float)
    return values.mean(axis=1).var(axis=1) - values.mean(axis=2).var(axis=1)


def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of a picture file of uint8 [h, w] or [h, w, 1..4]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def example(encoded: bytes, label: str | None = None) -> bytes:
    """A serialised tf.Example that holds a picture's bytes and, if it has one, its label."""
    values = {ENCODED: encoded, **({} if label is None else {LABEL: label.encode()})}
    feature = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_records(path: Path, encoded: Sequence[bytes], labels: Sequence[str | None] | None = None) -> Path:
    """Writes a TFRecord file of pictures as ingestion does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for content, label in zip(encoded, labels or [None] * len(encoded)):
            writer.write(example(content, label))
    return path


def write_examples(uri: Path, splits: dict[str, Sequence[bytes]], labels: dict[str, Sequence[str]] | None = None) -> Path:
    """Writes an Examples artifact: two files a split, and summary.json.

    Args:
        uri: Its folder.
        splits: Files' contents by split.
        labels: Their labels by split, "" for none; none at all if None.
    """
    labels = labels or {split: [""] * len(encoded) for split, encoded in splits.items()}
    for split, encoded in splits.items():
        half = len(encoded) // 2
        for shard, part in enumerate((slice(half), slice(half, None))):
            path = uri / f"Split-{split}" / f"data_tfrecord-{shard:05d}-of-00002.gz"
            write_records(path, encoded[part], labels[split][part])
    counts = {split: collections.Counter(names) for split, names in labels.items()}
    (uri / "summary.json").write_text(json.dumps({"labels": counts}), encoding="utf-8")
    return uri


def transform_graph(folder: Path, config: PreprocessingConfig = PREPROCESSING) -> tft.TFTransformOutput:
    """The Transform graph, written by TensorFlow Transform itself to `folder`."""
    spec = {ENCODED: tf.io.FixedLenFeature([1], tf.string)}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    custom_config = json.loads(json.dumps({"preprocessing": dataclasses.asdict(config)}))
    function = functools.partial(preprocessing_fn, custom_config=custom_config)
    # The runner by name: otherwise Beam first tries one whose program it would have to download.
    with beam.Pipeline(runner="FnApiRunner") as pipeline, tft_beam.Context(temp_dir=str(folder / "temporary")):
        examples = pipeline | beam.Create([{ENCODED: [encode(noise(0, 4, 4))]}])
        analysed = (examples, metadata) | tft_beam.AnalyzeDataset(function)
        _ = analysed | tft_beam.WriteTransformFn(str(folder / "graph"))
    return tft.TFTransformOutput(str(folder / "graph"))


def make_vae(shape: tuple[int, int, int] = SHAPE, spread: float = 0.0, seed: int = 0, labels: int = 2, **model: object) -> VAE:
    """A VAE whose mean picture is 0.3.

    Args:
        shape: Of its pictures.
        spread: Standard deviation of noise laid on all weights: without it, all networks are next to constant.
        seed: Of weights, noise and the pictures that pseudo-inputs start from.
        labels: How many labels there are, which a conditional model sees.
        model: Replaces fields of `MODEL`.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    grey = np.full(shape, 0.3, np.float32)
    data = TrainingData(grey, 0.5 * grey, rng.random((10, *shape), np.float32), labels)
    vae = VAE(dataclasses.replace(MODEL, **model), shape, data)
    vae.set_weights([weight + spread * rng.standard_normal(weight.shape) for weight in vae.get_weights()])
    return vae


@dataclasses.dataclass
class Fitted:
    """What a training run left.

    Attributes:
        vae: The model.
        loop: The loop.
        outcome: What `Loop.fit` returned.
        history: The lines of history.jsonl.
    """

    vae: VAE
    loop: Loop
    outcome: Outcome
    history: list[dict]


def fit(
    folder: Path,
    train: Pictures | None = None,
    held_out: Pictures | None = None,
    strategy: tf.distribute.Strategy | None = None,
    vae_class: type[VAE] = VAE,
    model: dict[str, object] | None = None,
    checkpoint: Checkpoint | None = None,
    **training: object,
) -> Fitted:
    """Trains the little model for a few steps.

    Args:
        folder: For the history.
        train: Training pictures; 97 bars, so that the last batch has but one, if None.
        held_out: Pictures that decide when to stop; 40 other bars if None.
        strategy: Where replicas run; one device if None.
        vae_class: The model's class.
        model: Replaces fields of `MODEL`.
        checkpoint: Where it leaves how far it has come.
        training: Replaces fields of `TRAINING`.
    """
    config = dataclasses.replace(
        CONFIG, model=dataclasses.replace(MODEL, **model or {}), training=dataclasses.replace(TRAINING, **training)
    )
    pictures, others = train or labelled_bars(97), held_out or labelled_bars(40, seed=1)
    keras.utils.set_random_seed(config.training.seed)
    strategy = strategy or get_strategy("one_device")
    with strategy.scope():
        vae = vae_class(config.model, SHAPE, training_data(config, pictures, len(LABELS)), config.training.precision)
    loop = Loop(vae, pictures, others, config.training, strategy, feature_distance(config.training, pictures, checkpoint))
    history = History(folder)
    outcome = loop.fit(history, checkpoint)
    history.close()
    return Fitted(vae, loop, outcome, read_lines(folder / "history.jsonl"))


def read_lines(path: Path) -> list[dict]:
    """The lines of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
