"""Export a pushed model's networks: convert them, compare them with the SavedModel, and only then write them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from common.errors import MachineFault
from common.writing import filled
from serving.manifest import sum_of
from serving.pushed import PushedModel
from trainer.formats.networks import Arrays, Trained, load_trained
from trainer.formats.writers import Written, write_litert, write_onnx, write_saved_models, write_weights

FORMATS: dict[str, Callable[[Trained, Path], dict[str, Written]]] = {
    "onnx": write_onnx,
    "litert": write_litert,
    "savedmodel": write_saved_models,
    "weights": write_weights,
}
ABOUT = "export.json"
SCHEMA = 1
CHECKED_ON = 100  # codes, and pictures
TOLERANCE = 1e-4  # the largest difference, as a share of values above 1
LEVEL_TOLERANCE = 0.5 + 255 * TOLERANCE  # of pixels from the levels that they are rounded to
# The last digit can decide which component of a pixel is the most likely one: this share of the pixels may differ.
MODES_THAT_MAY_DIFFER = 1e-4
_MEASURED_SECONDS = 0.3


@dataclass(frozen=True)
class Exported:
    """A network that was written, beside the SavedModel.

    Attributes:
        network: `decoder` or `encoder`.
        file: Name of its file or folder.
        megabytes: Size of the file or folder.
        milliseconds: Time for one picture in a batch of `CHECKED_ON`.
        difference: Largest difference from the SavedModel, relative for values above 1.
        saved_model_milliseconds: The SavedModel's time for the same. Its encoder also decodes picture files.
    """

    network: str
    file: str
    megabytes: float
    milliseconds: float
    difference: float
    saved_model_milliseconds: float


@dataclass(frozen=True)
class _Question:
    """Inputs of a network, and what the SavedModel answers: a call of it, and its answer."""

    inputs: Arrays
    expected: Arrays
    ask: Callable[[], Any]
    may_differ: float = 0.0


def export_model(model: Path, form: str, out: Path) -> list[Exported]:
    """Write a pushed model's decoder and encoder to the new or empty folder `out`, with `export.json`, which describes them.

    Each network is first compared with the SavedModel in TensorFlow's C++ runtime: on 100 codes, drawn from N(0, 1) with seed 0, and on the
    100 pictures that they decode to.

    Args:
        model: The model's folder.
        form: A key of `FORMATS`.
        out: Folder to write. After an error it is unchanged.

    Raises:
        InputError: The model is broken or cannot be built again, or a library is missing.
        MachineFault: A network cannot be converted, or differs from the SavedModel by more than `TOLERANCE`.
        OSError: `out` cannot be written.
    """
    pushed = PushedModel(model)
    try:
        trained = load_trained(pushed.path, pushed.about)
        questions = _questions(pushed, trained)
        with filled(out) as folder:
            written = FORMATS[form](trained, folder)
            results = [_checked(name, written[name], question) for name, question in questions.items()]
            about = _about(pushed, trained, form, results)
            (folder / ABOUT).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    finally:
        pushed.close()
    return results


def megabytes(path: Path) -> float:
    """Return the size of a file, or of all files of a folder, in megabytes (1e6 bytes)."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def saved_model_megabytes(model: Path) -> float:
    """Return the size of a model's SavedModel, in megabytes, without the other files in its folder."""
    return megabytes(model / "saved_model.pb") + megabytes(model / "variables")


def difference(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], may_differ: float = 0.0) -> float:
    """Return the largest difference of arrays by name, divided by the expected value where that is above 1.

    NaN counts as infinite. `may_differ` is a share of the values that is left out: those that differ most.

    Example:
        >>> difference({"mean": np.array([0.5, 210.0])}, {"mean": np.array([0.4, 200.0])})
        0.1
    """
    largest = 0.0
    for name, value in expected.items():
        if name not in found or found[name].shape != value.shape:
            return float("inf")
        relative = np.abs(found[name] - value) / np.maximum(1.0, np.abs(value))
        ordered = np.sort(np.nan_to_num(relative, nan=np.inf), axis=None)
        largest = max(largest, float(ordered[len(ordered) - 1 - int(may_differ * len(ordered))]))
    return round(largest, 12)


def _questions(pushed: PushedModel, trained: Trained) -> dict[str, _Question]:
    """Return what the networks are asked, with the SavedModel's answers.

    Raises:
        MachineFault: The model that was built again is not the SavedModel's.
    """
    codes = np.random.default_rng(0).standard_normal((CHECKED_ON, pushed.latent_dim)).astype(np.float32)
    decoder, encoder = trained.networks()
    inputs: Arrays = {"latents": codes}
    request: dict[str, Any] = {"latents": codes}
    signature = "serving_default"
    if trained.labels:
        indices = np.arange(CHECKED_ON) % len(trained.labels)
        inputs["label_shares"] = np.eye(len(trained.labels), dtype=np.float32)[indices]
        request["label"], signature = [trained.labels[i].encode() for i in indices], "decode_label"
    levels = pushed.call(signature, **request)["images"]
    pixels = decoder.run(inputs)
    may_differ = MODES_THAT_MAY_DIFFER if trained.shows_mode else 0.0
    away = np.abs(255.0 * pixels["pixels"].astype(np.float64) - levels)
    if not (away <= LEVEL_TOLERANCE).mean() >= 1.0 - may_differ:
        raise MachineFault(f"{pushed.path}: weights.npz is not of this SavedModel (a pixel differs by {away.max():.2g} levels)")
    decoding = _Question(inputs, pixels, lambda: pushed.call(signature, **request), may_differ)

    files = [_png(picture) for picture in levels]
    asked = "encode_label" if trained.labels else "encode"
    answer = pushed.call(asked, image_bytes=files)
    seen = {"pixels": trained.vae.observe(tf.constant(levels)).numpy()}
    if trained.labels:
        found = [trained.labels.index(label.decode()) for label in answer.pop("label")]
        seen["label_shares"] = np.eye(len(trained.labels), dtype=np.float32)[found]
    again = difference(encoder.run(seen), answer)
    if again > TOLERANCE:
        raise MachineFault(f"{pushed.path}: weights.npz is not of this SavedModel (a code differs by {again:.2g})")
    return {"decoder": decoding, "encoder": _Question(seen, answer, lambda: pushed.call(asked, image_bytes=files))}


def _png(levels: np.ndarray) -> bytes:
    """Return a picture, uint8 [h, w, c], as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels).save(buffer, "PNG")
    return buffer.getvalue()


def _checked(name: str, written: Written, question: _Question) -> Exported:
    """Compare a written network with the SavedModel, and measure both."""
    largest = difference(written.run(question.inputs), question.expected, question.may_differ)
    if not largest <= TOLERANCE:
        raise MachineFault(
            f"the {name} in {written.path.name} differs from the SavedModel by {largest:.2g}, more than {TOLERANCE:g}: "
            "nothing was written"
        )
    return Exported(
        name,
        written.path.name,
        megabytes(written.path),
        _milliseconds(lambda: written.run(question.inputs)),
        largest,
        _milliseconds(question.ask),
    )


def _milliseconds(run: Callable[[], Any]) -> float:
    """Return the shortest time of several runs, per picture."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < _MEASURED_SECONDS:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * min(times) / CHECKED_ON


def _about(pushed: PushedModel, trained: Trained, form: str, results: list[Exported]) -> dict[str, Any]:
    """Return the content of `export.json`."""
    shape, codes = ["n", *pushed.image_shape], ["n", pushed.latent_dim]
    labels = {"label_shares": ["n", len(trained.labels)]} if trained.labels else {}
    tensors = {
        "decoder": ({"latents": codes, **labels}, {"pixels": shape}),
        "encoder": ({"pixels": shape, **labels}, {"mean": codes, "log_variance": codes}),
    }
    return {
        "schema": SCHEMA,
        "format": form,
        "title": pushed.about.get("title", ""),
        "model": {"version": pushed.path.name, "saved_model_sha256": sum_of(pushed.path, "saved_model.pb")},
        "labels": trained.labels,
        "preprocessing": pushed.about.get("preprocessing", {}),
        "binarised": bool(pushed.about.get("binarised")),
        "networks": {
            result.network: {
                "file": result.file,
                "type": "float32",
                "inputs": tensors[result.network][0],
                "outputs": tensors[result.network][1],
                "largest_difference": result.difference,
            }
            for result in results
        },
        "checked": {"inputs": CHECKED_ON, "tolerance": TOLERANCE},
    }
