"""Small real artifacts of a run: TFRecords, a SavedModel, histories, TFMA results."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from PIL import Image
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2
from tfx.types import Artifact, standard_artifacts

from tests.components.report.fake_model import FakeModel, blob_model, blobs


def png(picture: np.ndarray, mode: str | None = None) -> bytes:
    """A picture [h, w, c] as a PNG file."""
    file = io.BytesIO()
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    (image.convert(mode) if mode else image).save(file, "PNG")
    return file.getvalue()


def write_model(folder: Path, model: FakeModel, facts: dict[str, Any], metrics: dict[str, Any], **kwargs: Any) -> None:
    """The `model` artifact."""
    serving = folder / "Format-Serving"
    model.save(serving, **kwargs)
    (serving / "model.json").write_text(json.dumps({"schema": 1, **facts}))
    (serving / "metrics.json").write_text(json.dumps(metrics))


def write_examples(folder: Path, splits: dict[str, list[tuple[bytes, str]]], **summary: Any) -> None:
    """The `examples` artifact: encoded pictures with labels by split, and summary.json."""
    for split, pictures in splits.items():
        (folder / f"Split-{split}").mkdir(parents=True)
        path = str(folder / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz")
        with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions("GZIP")) as writer:
            for encoded, label in pictures:
                features = {"image/encoded": _bytes(encoded), "image/label": _bytes(label.encode())}
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    labels: dict[str, dict[str, int]] = {split: {} for split in splits}
    for split, pictures in splits.items():
        for _, label in pictures:
            labels[split][label] = labels[split].get(label, 0) + 1
    described = {
        "pictures": {split: len(pictures) for split, pictures in splits.items()},
        "labels": labels,
        "rejected": 0,
    }
    (folder / "summary.json").write_text(json.dumps({**described, **summary}))
    (folder / "rejects.jsonl").write_text("")


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def write_run(folder: Path, history: list[dict[str, Any]], networks: dict[str, Any], kl: list[float]) -> None:
    """The `model_run` artifact."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history))
    (folder / "networks.json").write_text(json.dumps(networks))
    (folder / "kl_per_dimension.json").write_text(json.dumps({"kl": kl}))


def history(epochs: int) -> list[dict[str, Any]]:
    """A plausible training history."""
    lines = []
    for epoch in range(1, epochs + 1):
        reconstruction, kl = 220 + 60 / epoch, 14 - 6 / epoch
        part = lambda extra: {
            "reconstruction": reconstruction + extra,
            "kl": kl,
            "elbo": -(reconstruction + extra + kl),
        }
        shared = {
            "seconds": 2.0,
            "images_per_second": 15000.0,
            "learning_rate": 1e-3 / epoch,
            "beta": min(1.0, epoch / 4),
        }
        lines.append({"epoch": epoch, **shared, "train": {"loss": reconstruction + kl, **part(0)}, "eval": part(3 + epoch / 20)})
    return lines


def dense_networks(shape: tuple[int, int, int], latent_dim: int) -> dict[str, Any]:
    """The layers of a dense pair."""
    values = int(np.prod(shape))
    layer = lambda name, kind, *size, n=0, detail="": {
        "name": name,
        "kind": kind,
        "output_shape": list(size),
        "parameters": n,
        "detail": detail,
    }
    return {
        "encoder": [
            layer("picture", "InputLayer", *shape),
            layer("flatten", "Flatten", values),
            layer("hidden_1", "Dense", 512, n=values * 512 + 512, detail="512 units, relu"),
            layer("hidden_2", "Dense", 256, n=512 * 256 + 256, detail="256 units, relu"),
            layer("mean", "Dense", latent_dim, n=257 * latent_dim, detail=f"{latent_dim} units"),
            layer("log_variance", "Dense", latent_dim, n=257 * latent_dim, detail=f"{latent_dim} units"),
        ],
        "decoder": [
            layer("latents", "InputLayer", latent_dim),
            layer("hidden_1", "Dense", 256, n=(latent_dim + 1) * 256, detail="256 units, relu"),
            layer("hidden_2", "Dense", 512, n=257 * 512, detail="512 units, relu"),
            layer("output", "Dense", values, n=512 * values, detail=f"{values} units"),
            layer("picture", "Reshape", *shape),
            layer("output_bias", "Bias", *shape, n=values),
        ],
    }


def write_evaluation(
    folder: Path,
    by_label: dict[str, dict[str, float]],
    *,
    baseline: dict[str, float] | None = None,
    bound: float | None = None,
) -> None:
    """The `evaluation` artifact as TFMA writes it; label '' is the overall slice; the ELBO had to be above `bound`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["candidate", "baseline"] if baseline else [""]
    specs = [config_pb2.ModelSpec(name=name, is_baseline=name == "baseline") for name in names]
    run = config_pb2.EvalRun(
        eval_config=config_pb2.EvalConfig(model_specs=specs),
        version="0.47.1",
        model_locations={name: f"/models/{name}" for name in names},
    )
    (folder / "eval_config.json").write_text(json_format.MessageToJson(run))
    with tf.io.TFRecordWriter(str(folder / "metrics-00000-of-00001.tfrecord")) as writer:
        for label, figures in by_label.items():
            sliced = metrics_for_slice_pb2.MetricsForSlice()
            if label:
                sliced.slice_key.single_slice_keys.add(column="image/label", bytes_value=label.encode())
            _add_metrics(sliced, names[0], figures)
            if baseline:
                _add_metrics(sliced, "baseline", baseline)
                changes = {name: value - baseline[name] for name, value in figures.items() if name in baseline}
                _add_metrics(sliced, names[0], changes, is_diff=True)
            writer.write(sliced.SerializeToString())
    result = validation_result_pb2.ValidationResult(validation_ok=bound is None)
    if bound is not None:
        failure = result.metric_validations_per_slice.add().failures.add()
        failure.metric_key.name, failure.metric_key.output_name = "mean_prediction", "elbo"
        failure.metric_value.double_value.value = by_label[""]["elbo"]
        failure.metric_threshold.value_threshold.lower_bound.value = bound
    with tf.io.TFRecordWriter(str(folder / "validations.tfrecord")) as writer:
        writer.write(result.SerializeToString())


def _add_metrics(
    sliced: metrics_for_slice_pb2.MetricsForSlice, model: str, figures: dict[str, float], is_diff: bool = False
) -> None:
    for output, value in figures.items():
        added = sliced.metric_keys_and_values.add()
        added.key.model_name, added.key.is_diff = model, is_diff
        added.key.name = "example_count" if output == "pictures" else "mean_prediction"
        added.key.output_name = "" if output == "pictures" else output
        added.value.double_value.value = value


def artifact(kind: type[Artifact], uri: Path, **properties: int | str) -> Artifact:
    """An artifact with custom properties."""
    made = kind()
    made.uri = str(uri)
    for name, value in properties.items():
        (made.set_int_custom_property if isinstance(value, int) else made.set_string_custom_property)(name, value)
    return made


def write_serving_check(folder: Path, bad: str | None = None) -> None:
    """serving_check.json, with one signature that fails where it is named."""
    names = ("serving_default", "generate", "generate_png", "encode", "reconstruct", "interpolate", "score", "evaluate")
    folder.mkdir(parents=True, exist_ok=True)
    signatures = {
        name: {
            "ok": name != bad,
            "max_difference": 0.0 if name != bad else 17.0,
            "milliseconds": 3.2 + i,
            "reason": None if name != bad else "images differ by up to 17 levels",
        }
        for i, name in enumerate(names)
    }
    reasons = [f"{bad}: images differ by up to 17 levels"] if bad else []
    report = {"schema": 1, "blessed": not bad, "reasons": reasons, "tensorflow": "2.16.2", "signatures": signatures}
    (folder / "serving_check.json").write_text(json.dumps(report))


def write_artifacts(
    root: Path,
    *,
    shape: tuple[int, int, int] = (12, 16, 1),
    latent_dim: int = 3,
    labels: tuple[str, ...] = ("ant", "bee"),
    pictures: int = 40,
) -> dict[str, list[Artifact]]:
    """Every artifact of a small run that was pushed, as the executor is given them."""
    rng = np.random.default_rng(0)
    made = blobs(rng.standard_normal((pictures, latent_dim)), shape)
    labelled = [(png(picture), labels[i % len(labels)] if labels else "") for i, picture in enumerate(made)]
    cut = pictures // 2
    write_examples(root / "examples", {"train": labelled[:cut], "eval": labelled[cut:]})
    figures = {"elbo": -240.0, "reconstruction": 226.0, "kl": 14.0, "importance_weighted": -236.0}
    facts = {
        "image_shape": list(shape),
        "latent_dim": latent_dim,
        "network": "dense",
        "likelihood": "bernoulli",
        "labels": list(labels),
        "parameters": {"encoder": 1000, "decoder": 2000},
        "pictures": {"train": cut, "eval": pictures - cut},
    }
    metrics = {
        "eval": {**figures, "importance_samples": 50, "pictures": pictures - cut},
        "epochs": 5,
        "best_epoch": 4,
        "seconds": 12.0,
        "images_per_second": 15000.0,
    }
    write_model(root / "model", blob_model(shape, latent_dim), facts, metrics)
    write_run(root / "run", history(5), dense_networks(shape, latent_dim), [0.5 / (i + 1) for i in range(latent_dim)])
    write_evaluation(root / "evaluation", {"": {**figures, "pictures": 20}, **dict.fromkeys(labels, figures)})
    write_serving_check(root / "serving")
    kinds = standard_artifacts
    return {
        "examples": [artifact(kinds.Examples, root / "examples")],
        "model": [artifact(kinds.Model, root / "model")],
        "model_run": [artifact(kinds.ModelRun, root / "run")],
        "evaluation": [artifact(kinds.ModelEvaluation, root / "evaluation")],
        "blessing": [artifact(kinds.ModelBlessing, root / "blessing", blessed=1)],
        "infra_blessing": [artifact(kinds.InfraBlessing, root / "serving", blessed=1)],
        "pushed_model": [
            artifact(kinds.PushedModel, root / "pushed", pushed=1, pushed_version="3", pushed_destination="/srv/serving/3")
        ],
    }
