"""Convert a Keras network to a list of operations, by a walk over its layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from trainer.networks.dropout import Dropout
from trainer.networks.hierarchical import FromPrior, Top
from trainer.networks.shared import Activated, Bias, Bounded, Residual
from trainer.networks.spatial import FromPatches, ResidualConvolution, ToPatches
from trainer.networks.velocity import FREQUENCIES, Waves
from trainer.program.weights import Weights

ACTIVATIONS = ("linear", "silu", "relu", "sigmoid", "tanh")
Shape = tuple[int, ...]


class UnknownLayer(ValueError):
    """A network has a layer that no operation of a program computes."""


def network_program(model: keras.Model, weights: Weights, matrices: str) -> dict[str, Any]:
    """Return a functional model as plain values, and add its weights to `weights`; `matrices` is the type of the large ones.

    Values are numbered. `inputs` and `output` are numbers, `shapes` has each value's shape without the number of codes, and
    `layers` has the operations in the order of their computation: `op`, `inputs`, `output` and parameters. A parameter
    {"tensor": index} is a weight.

    Raises:
        UnknownLayer: The model has a layer, or a layer with a setting, that is not known here. The message names it.
    """
    graph = _Graph(weights, matrices)
    for tensor in _as_list(model.inputs):
        graph.number(tensor, graph.new(tensor.shape[1:]))
    for layer in model.operations:
        if not isinstance(layer, keras.layers.InputLayer):
            graph.add(layer)
    (output,) = _as_list(model.outputs)
    inputs = [graph.numbers[id(tensor)] for tensor in _as_list(model.inputs)]
    return {"inputs": inputs, "output": graph.numbers[id(output)], "shapes": graph.shapes, "layers": graph.layers}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


class _Graph:
    """The operations so far, and the numbers of the values that Keras' symbolic tensors stand for."""

    def __init__(self, weights: Weights, matrices: str):
        self.weights, self.matrices = weights, matrices
        self.numbers: dict[int, int] = {}
        self.shapes: list[list[int]] = []
        self.layers: list[dict[str, Any]] = []

    def number(self, tensor: Any, value: int) -> None:
        self.numbers[id(tensor)] = value

    def new(self, shape: Shape) -> int:
        """Return the number of a new value of a shape without the number of codes."""
        self.shapes.append([int(size) for size in shape])
        return len(self.shapes) - 1

    def emit(self, op: str, inputs: list[int], shape: Shape, **parameters: Any) -> int:
        """Add an operation, and return the number of its output. Parameters that are None are left out; arrays become weights."""
        stored = {
            name: self.weights.add(value, self.matrices) if isinstance(value, np.ndarray) else value
            for name, value in parameters.items()
            if value is not None
        }
        output = self.new(shape)
        self.layers.append({"op": op, "inputs": inputs, "output": output, **stored})
        return output

    def add(self, layer: Any) -> None:
        """Add a layer's operations."""
        convert = _CONVERTERS.get(type(layer))
        if convert is None:
            raise UnknownLayer(f"no operation is known for layer {layer.name} of type {type(layer).__name__}")
        inputs, (output,) = _as_list(layer.input), _as_list(layer.output)
        value = convert(self, layer, [self.numbers[id(tensor)] for tensor in inputs], tuple(output.shape[1:]))
        self.number(output, value)


def _weight(variable: Any) -> np.ndarray | None:
    return None if variable is None else np.asarray(variable)


def _activation(function: Callable[..., Any], layer: Any) -> str:
    name = getattr(function, "__name__", str(function))
    if name not in ACTIVATIONS:
        raise UnknownLayer(f"no operation is known for the activation {name} of layer {layer.name}")
    return name


def _dense(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    weights = {"kernel": _weight(layer.kernel), "bias": _weight(layer.bias)}
    return graph.emit("dense", inputs, shape, activation=_activation(layer.activation, layer), **weights)


def _convolution(op: str) -> Callable[[_Graph, Any, list[int], Shape], int]:
    def convert(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
        usual = tuple(layer.dilation_rate) == (1, 1) and getattr(layer, "groups", 1) == 1 and layer.data_format == "channels_last"
        if not usual or layer.padding not in ("same", "valid") or getattr(layer, "output_padding", None) is not None:
            raise UnknownLayer(f"no operation is known for dilation, groups, padding or data format of layer {layer.name}")
        settings = {"strides": list(layer.strides), "padding": layer.padding, "activation": _activation(layer.activation, layer)}
        return graph.emit(op, inputs, shape, kernel=_weight(layer.kernel), bias=_weight(layer.bias), **settings)

    return convert


def _activate(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    return graph.emit("activation", inputs, shape, activation=_activation(layer.activation, layer))


def _activated(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    before = graph.emit("activation", inputs, tuple(graph.shapes[inputs[0]]), activation=_activation(layer.activation, layer))
    return _dense(graph, layer.dense, [before], shape)


def _residual(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    return graph.emit("add", [*inputs, _activated(graph, layer, inputs, shape)], shape)


def _residual_convolution(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    before = graph.emit("activation", inputs, shape, activation=_activation(layer.activation, layer))
    return graph.emit("add", [*inputs, _convolution("convolution")(graph, layer.convolution, [before], shape)], shape)


def _normalization(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    if _as_list(layer.axis) not in ([-1], [len(shape)]):
        raise UnknownLayer(f"no operation is known for the axes of layer {layer.name}")
    return graph.emit(
        "normalization", inputs, shape, gamma=_weight(layer.gamma), beta=_weight(layer.beta), epsilon=float(layer.epsilon)
    )


def _concatenate(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    if layer.axis not in (-1, len(shape)):
        raise UnknownLayer(f"no operation is known for the axis of layer {layer.name}")
    return graph.emit("concatenate", inputs, shape)


def _add(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    for value in inputs:
        given = graph.shapes[value]
        if given != list(shape) and given != [*[1] * (len(shape) - 1), shape[-1]]:
            raise UnknownLayer(f"no operation is known for the sum of shapes {given} and {list(shape)} in layer {layer.name}")
    return graph.emit("add", inputs, shape)


def _transpose(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    if tuple(layer.dims) != (2, 1):
        raise UnknownLayer(f"no operation is known for the order of axes of layer {layer.name}")
    return graph.emit("transpose", inputs, shape)


def _crop(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    (top, _), (left, _) = layer.cropping
    return graph.emit("crop", inputs, shape, top=int(top), left=int(left))


def _from_prior(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    code, mean, log_scale = inputs
    low = graph.emit("slice", [code], (shape[0] - layer.top_dim,), start=layer.top_dim, end=shape[0])
    low = graph.emit("rescale", [low, mean, log_scale], (shape[0] - layer.top_dim,))
    top = graph.emit("slice", [code], (layer.top_dim,), start=0, end=layer.top_dim)
    return graph.emit("concatenate", [top, low], shape)


def _waves(graph: _Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    frequencies = (math.pi * np.exp(np.linspace(0, math.log(64), FREQUENCIES))).astype(np.float32)
    return graph.emit("waves", inputs, shape, frequencies=frequencies)


_CONVERTERS: dict[type, Callable[[_Graph, Any, list[int], Shape], int]] = {
    keras.layers.Dense: _dense,
    keras.layers.Conv2D: _convolution("convolution"),
    keras.layers.Conv2DTranspose: _convolution("transposed"),
    keras.layers.Activation: _activate,
    keras.layers.LayerNormalization: _normalization,
    keras.layers.Add: _add,
    keras.layers.Concatenate: _concatenate,
    keras.layers.Reshape: lambda graph, layer, inputs, shape: graph.emit("reshape", inputs, shape),
    keras.layers.Permute: _transpose,
    keras.layers.Cropping2D: _crop,
    Activated: _activated,
    Residual: _residual,
    ResidualConvolution: _residual_convolution,
    Dropout: lambda graph, layer, inputs, shape: inputs[0],  # it drops nothing outside of training
    Bias: lambda graph, layer, inputs, shape: graph.emit("bias", inputs, shape, values=_weight(layer.bias)),
    Bounded: lambda graph, layer, inputs, shape: graph.emit("bounded", inputs, shape, limit=float(layer.limit)),
    Top: lambda graph, layer, inputs, shape: graph.emit("slice", inputs, shape, start=0, end=layer.top_dim),
    FromPrior: _from_prior,
    ToPatches: lambda graph, layer, inputs, shape: graph.emit("to_patches", inputs, shape, patch=layer.patch),
    FromPatches: lambda graph, layer, inputs, shape: graph.emit("from_patches", inputs, shape, patch=layer.patch),
    Waves: _waves,
}
