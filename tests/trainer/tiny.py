"""What the tests of the trainer share: little pictures, a little model, and the Transform graph of TFX."""

from __future__ import annotations

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

from trainer.config import ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig
from trainer.data import Pictures
from trainer.history import History
from trainer.loop import Loop, Outcome, get_strategy
from trainer.preprocessing import ENCODED, preprocessing_fn
from trainer.vae import VAE

SHAPE = (8, 8, 1)
MODEL = ModelConfig(network="dense", latent_dim=2, hidden=(16,))
PREPROCESSING = PreprocessingConfig(height=8, width=8, channels=1)
TRAINING = TrainingConfig(epochs=6, batch_size=8, learning_rate=1e-2, importance_samples=5)
CONFIG = TrainerConfig(PREPROCESSING, MODEL, TRAINING, title="bars")


def noise(seed: int, *shape: int) -> np.ndarray:
    """A picture of noise, uint8 of the given shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def bars(count: int, seed: int = 0) -> np.ndarray:
    """Pictures that can be learned, uint8 [count, 8, 8, 1]: a bright bar, upright or lying, on grey noise."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 60, (count, *SHAPE), dtype=np.uint8)
    for picture, at, upright in zip(levels, rng.integers(0, 7, count), rng.integers(0, 2, count)):
        (picture.swapaxes(0, 1) if upright else picture)[at : at + 2] = rng.integers(200, 256)
    return levels


def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of a picture file of uint8 [h, w] or [h, w, 1..4]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def example(encoded: bytes) -> bytes:
    """A serialised tf.Example that holds a picture's bytes."""
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    return tf.train.Example(features=tf.train.Features(feature={ENCODED: value})).SerializeToString()


def write_records(path: Path, encoded: Sequence[bytes]) -> Path:
    """Writes a TFRecord file of pictures as ingestion does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for content in encoded:
            writer.write(example(content))
    return path


def write_examples(uri: Path, splits: dict[str, Sequence[bytes]], labels: dict[str, int]) -> Path:
    """Writes an Examples artifact: two files a split, and summary.json with the labels of the split `train`."""
    for split, encoded in splits.items():
        half = len(encoded) // 2
        for shard, part in enumerate((encoded[:half], encoded[half:])):
            write_records(uri / f"Split-{split}" / f"data_tfrecord-{shard:05d}-of-00002.gz", part)
    (uri / "summary.json").write_text(json.dumps({"labels": {"train": labels}}), encoding="utf-8")
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


def make_vae(shape: tuple[int, int, int] = SHAPE, spread: float = 0.0, seed: int = 0, **model: object) -> VAE:
    """A VAE whose mean picture is 0.3.

    Args:
        shape: Of its pictures.
        spread: Standard deviation of noise laid on all weights: without it, both networks are next to constant.
        seed: Of weights and noise.
        model: Replaces fields of `MODEL`.
    """
    keras.utils.set_random_seed(seed)
    vae = VAE(dataclasses.replace(MODEL, **model), shape, np.full(shape, 0.3, np.float32))
    rng = np.random.default_rng(seed)
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
    train: np.ndarray | None = None,
    held_out: np.ndarray | None = None,
    strategy: tf.distribute.Strategy | None = None,
    vae_class: type[VAE] = VAE,
    **training: object,
) -> Fitted:
    """Trains the little model for a few steps.

    Args:
        folder: For the history.
        train: Training pictures, uint8 [n, 8, 8, 1]; 97 bars, so that the last batch has but one, if None.
        held_out: Pictures that decide when to stop; 40 other bars if None.
        strategy: Where replicas run; one device if None.
        vae_class: The model's class.
        training: Replaces fields of `TRAINING`.
    """
    config = dataclasses.replace(TRAINING, **training)
    pictures = Pictures(bars(97) if train is None else train)
    keras.utils.set_random_seed(config.seed)
    strategy = strategy or get_strategy("one_device")
    with strategy.scope():
        vae = vae_class(MODEL, SHAPE, pictures.mean())
    loop = Loop(vae, pictures, Pictures(bars(40, seed=1) if held_out is None else held_out), config, strategy)
    history = History(folder)
    outcome = loop.fit(history)
    history.close()
    return Fitted(vae, loop, outcome, read_lines(folder / "history.jsonl"))


def read_lines(path: Path) -> list[dict]:
    """The lines of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
