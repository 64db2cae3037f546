"""Write networks in each format, and run what was written."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from common.errors import InputError, MachineFault, one_line
from common.quiet import hushed
from serving.saved_model import SavedModel
from trainer.formats.networks import Arrays, Network, Trained
from trainer.warm_start import named_weights

OPSET = 17  # of ONNX: the newest that ONNX 1.17, the last for protobuf 3.20, and tf2onnx both know well
BATCH = "n"  # the name of the first dimension in ONNX
SIGNATURE = "serving_default"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Written:
    """A network that was written.

    Attributes:
        path: Its file or folder.
        run: Runs it, read from there: arrays by name to arrays by name.
    """

    path: Path
    run: Callable[[Mapping[str, np.ndarray]], Arrays]


def write_onnx(trained: Trained, folder: Path) -> dict[str, Written]:
    """Write NAME.onnx of each network, with a first dimension of any size. ONNX Runtime runs them.

    Raises:
        InputError: A library is missing.
        MachineFault: A network cannot be converted.
    """
    tf2onnx, runtime = _library("tf2onnx", "onnx"), _library("onnxruntime", "onnx")
    written = {}
    for network in trained.networks():
        path = folder / f"{network.name}.onnx"
        with _converting(path.name):
            model, _ = tf2onnx.convert.from_function(network.function, network.function.input_signature, opset=OPSET)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = BATCH
        path.write_bytes(model.SerializeToString())
        written[network.name] = Written(path, _onnx_runner(runtime, path))
    return written


def _onnx_runner(runtime: Any, path: Path) -> Callable[[Mapping[str, np.ndarray]], Arrays]:
    with _converting(path.name):
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs))))


def write_litert(trained: Trained, folder: Path) -> dict[str, Written]:
    """Write NAME.tflite of each network, float32, with one signature, `serving_default`. The LiteRT interpreter runs them.

    Raises:
        InputError: A library is missing.
        MachineFault: A network cannot be converted.
    """
    runtime = _library("ai_edge_litert.interpreter", "litert")
    written = {}
    for network in trained.networks():
        path, source = folder / f"{network.name}.tflite", folder / f"{network.name}.saved_model"
        with _converting(path.name):
            _save(network, source)
            path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(source), signature_keys=[SIGNATURE]).convert())
            tf.io.gfile.rmtree(str(source))
            interpreter = runtime.Interpreter(str(path))
            interpreter.allocate_tensors()  # here, because it prints what it uses
        written[network.name] = Written(path, _litert_run(interpreter.get_signature_runner(SIGNATURE)))
    return written


def _litert_run(runner: Any) -> Callable[[Mapping[str, np.ndarray]], Arrays]:
    def run(inputs: Mapping[str, np.ndarray]) -> Arrays:
        try:
            return dict(runner(**inputs))
        except RuntimeError as error:
            raise MachineFault(f"LiteRT cannot run the network: {one_line(error)}") from error

    return run


def write_saved_models(trained: Trained, folder: Path) -> dict[str, Written]:
    """Write a SavedModel for each network, in a folder of its name, with the signature `serving_default`."""
    written = {}
    for network in trained.networks():
        path = folder / network.name
        with hushed():
            _save(network, path)
            model = SavedModel(path)
        written[network.name] = Written(path, _saved_model_run(model))
    return written


def _saved_model_run(model: SavedModel) -> Callable[[Mapping[str, np.ndarray]], Arrays]:
    return lambda inputs: model.call(SIGNATURE, **inputs)


def _save(network: Network, folder: Path) -> None:
    """Write a SavedModel of one network. Its variables are held as they are: see `trainer.export`."""
    module, function = tf.Module(), network.function.get_concrete_function()
    module.held = list(function.variables)
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: function})


def write_weights(trained: Trained, folder: Path) -> dict[str, Written]:
    """Write all weights to `weights.safetensors`, by the names of network and layer. A model built anew from them runs.

    Raises:
        InputError: The library is missing.
    """
    library, path = _library("safetensors.numpy", "weights"), folder / WEIGHTS
    library.save_file({name: np.ascontiguousarray(value) for name, value in named_weights(trained.vae).items()}, str(path))
    again = trained.built_anew(library.load_file(str(path)))
    return {network.name: Written(path, network.run) for network in again.networks()}


def _library(name: str, form: str) -> Any:
    try:
        with hushed():
            return importlib.import_module(name)
    except ImportError:
        raise InputError(f"--format {form} needs {name.partition('.')[0]}: pip install 'darkroom-tfx[export]'") from None


@contextmanager
def _converting(name: str) -> Iterator[None]:
    """Discard a converter's messages, and turn its exception into one line that names the file."""
    try:
        with hushed():
            yield
    except Exception as error:  # converters raise their own kinds
        raise MachineFault(f"{name} cannot be made of this model: {one_line(error)}") from error
