"""Write a Keras network as ONNX, layer by layer.

Only the layers that the networks use are supported; others raise. So the extra ``deep`` needs no general converter
(jax2onnx adds some thirty packages and 250 MB), and a recurrent layer becomes ONNX's GRU instead of a loop.

Tensors between layers are (batch, rows, columns, channels), as in Keras. ONNX's convolutions and poolings need channels
first, so each is written between two transpositions; onnxruntime removes those that cancel out.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray

#: A layer or a network of Keras, which has no type annotations.
Layer: TypeAlias = Any

#: Versions of operators and of the file format; readable by onnxruntime from 1.16 on.
_OPSET, _IR = 17, 8


def to_onnx(network: Layer, metadata: Mapping[str, str], multi: bool) -> bytes:
    """Convert a network to an ONNX file whose outputs are probabilities of windows.

    Parameters
    ----------
    network : a functional Keras model with one input (rows, width) and logits as output.
    metadata : properties to store in the file.
    multi : whether genres are independent (sigmoid) instead of exclusive (softmax).

    Raises
    ------
    NotImplementedError : the network has a layer that is not supported.
    """
    from onnx import TensorProto, checker, helper

    graph = _Graph()
    names: dict[int, str] = {id(network.inputs[0]): "windows"}
    for layer in network.operations:
        node = layer._inbound_nodes[0]
        if type(layer).__name__ == "InputLayer":
            continue
        inputs = [names[id(tensor)] for tensor in node.input_tensors]
        kind = type(layer).__name__
        if kind not in _LAYERS:
            raise NotImplementedError(
                f"{kind}: this kind of layer cannot be exported to ONNX. Supported: {', '.join(_LAYERS)}"
            )
        names[id(node.output_tensors[0])] = _LAYERS[kind](graph, layer, inputs)
    logits = names[id(network.outputs[0])]
    graph.add("Sigmoid" if multi else "Softmax", [logits], "scores", **({} if multi else {"axis": -1}))
    rows, width = network.inputs[0].shape[1:]
    n_classes = network.outputs[0].shape[-1]
    windows = helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["n", rows, width])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", n_classes])
    made = helper.make_graph(graph.nodes, "network", [windows], [scores], graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="genreatlas")
    model.ir_version = _IR
    helper.set_model_props(model, dict(metadata))
    checker.check_model(model)
    return bytes(model.SerializeToString())


class _Graph:
    """Builder of the graph: nodes and constants so far."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, op: str, inputs: list[str], output: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add a node; return the name of its first output."""
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        named = [output, *(f"{output}_{n}" for n in range(1, outputs))]
        self.nodes.append(helper.make_node(op, inputs, named, **attributes))
        return output

    def constant(self, values: AnyArray) -> str:
        """Add a constant; return its name."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def turned(self, tensor: str, order: list[int]) -> str:
        """Add a transposition; return the name of its output."""
        return self.add("Transpose", [tensor], perm=order)


def _weights(layer: Layer) -> list[NDArray[np.float32]]:
    return [np.asarray(one, dtype=np.float32) for one in layer.get_weights()]


def _first(n_axes: int) -> list[int]:
    return [0, n_axes - 1, *range(1, n_axes - 1)]


def _last(n_axes: int) -> list[int]:
    return [0, *range(2, n_axes), 1]


def _activated(graph: _Graph, layer: Layer, tensor: str) -> str:
    name = layer.activation.__name__
    ops = {"linear": "", "relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
    if name not in ops:
        raise NotImplementedError(f"{type(layer).__name__}: activation {name} cannot be exported to ONNX")
    return graph.add(ops[name], [tensor]) if ops[name] else tensor


def _convolution(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
    kernel, *bias = _weights(layer)
    n_axes = kernel.ndim
    turned = np.transpose(kernel, (n_axes - 1, n_axes - 2, *range(n_axes - 2)))
    parts = [graph.turned(inputs[0], _first(n_axes)), *(graph.constant(one) for one in (turned, *bias))]
    pad = {"same": "SAME_UPPER", "valid": "VALID"}[layer.padding]
    if layer.data_format != "channels_last" or layer.groups != 1 or set(layer.dilation_rate) != {1}:
        raise NotImplementedError(f"{layer.name}: only plain convolutions with channels last can be exported to ONNX")
    found = graph.add("Conv", parts, auto_pad=pad, strides=list(layer.strides), kernel_shape=list(kernel.shape[:-2]))
    return _activated(graph, layer, graph.turned(found, _last(n_axes)))


def _normalisation(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
    """Batch normalisation at inference: one product and one sum."""
    gamma, beta, mean, variance = _weights(layer)
    factor = gamma / np.sqrt(variance + np.float32(layer.epsilon))
    product = graph.add("Mul", [inputs[0], graph.constant(factor)])
    return graph.add("Add", [product, graph.constant(beta - mean * factor)])


def _dense(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
    kernel, *bias = _weights(layer)
    found = graph.add("MatMul", [inputs[0], graph.constant(kernel)])
    for one in bias:
        found = graph.add("Add", [found, graph.constant(one)])
    return _activated(graph, layer, found)


def _gru(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
    """GRU; Keras and ONNX have the same order of gates: update, reset, candidate."""
    if not (layer.return_sequences and layer.reset_after) or layer.go_backwards:
        raise NotImplementedError(f"{layer.name}: only a forward GRU that returns all states can be exported to ONNX")
    kernel, recurrent, bias = _weights(layer)
    parts = [kernel.T[None], recurrent.T[None], bias.reshape(1, -1)]
    found = graph.add(
        "GRU",
        [graph.turned(inputs[0], [1, 0, 2]), *(graph.constant(one) for one in parts)],
        hidden_size=layer.units,
        linear_before_reset=1,
    )
    return graph.turned(graph.add("Squeeze", [found, graph.constant(np.array([1], np.int64))]), [1, 0, 2])


def _pooling(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
    if layer.padding != "valid" or layer.data_format != "channels_last":
        raise NotImplementedError(f"{layer.name}: only pooling without padding can be exported to ONNX")
    n_axes = len(layer.input.shape)
    found = graph.add(
        "AveragePool",
        [graph.turned(inputs[0], _first(n_axes))],
        kernel_shape=list(layer.pool_size),
        strides=list(layer.strides),
    )
    return graph.turned(found, _last(n_axes))


def _over_all(op: str) -> Callable[[_Graph, Layer, list[str]], str]:
    def write(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
        axes = list(range(1, len(layer.input.shape) - 1))
        return graph.add(op, inputs, axes=axes, keepdims=0)

    return write


def _same(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
    return inputs[0]


def _shaped(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
    shape = [-1, *(int(size) for size in layer.output.shape[1:])]
    return graph.add("Reshape", [inputs[0], graph.constant(np.array(shape, np.int64))])


def _dot(graph: _Graph, layer: Layer, inputs: list[str]) -> str:
    """Product over the rows: (n, rows, a) and (n, rows, b) give (n, a, b)."""
    axes = layer.axes if isinstance(layer.axes, int) else tuple(layer.axes)
    if axes not in (1, (1, 1)) or layer.normalize:
        raise NotImplementedError(f"{layer.name}: only products over the rows can be exported to ONNX")
    return graph.add("MatMul", [graph.turned(inputs[0], [0, 2, 1]), inputs[1]])


_LAYERS: dict[str, Callable[[_Graph, Layer, list[str]], str]] = {
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "BatchNormalization": _normalisation,
    "ReLU": lambda graph, layer, inputs: graph.add("Relu", inputs),
    "Dense": _dense,
    "GRU": _gru,
    "AveragePooling1D": _pooling,
    "AveragePooling2D": _pooling,
    "GlobalAveragePooling1D": _over_all("ReduceMean"),
    "GlobalAveragePooling2D": _over_all("ReduceMean"),
    "GlobalMaxPooling1D": _over_all("ReduceMax"),
    "Concatenate": lambda graph, layer, inputs: graph.add("Concat", inputs, axis=layer.axis),
    "Add": lambda graph, layer, inputs: graph.add("Add", inputs),
    "Softmax": lambda graph, layer, inputs: graph.add("Softmax", inputs, axis=layer.axis),
    "Dot": _dot,
    "Reshape": _shaped,
    "Flatten": _shaped,
    "Dropout": _same,
}
