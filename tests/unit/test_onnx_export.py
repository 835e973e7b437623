"""Every layer of the networks, and every network, gives as ONNX what it gives in Keras, within 1e-5."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("keras") is None or find_spec("jax") is None:
    pytest.skip("networks are built with Keras on JAX: pip install genreatlas[deep]", allow_module_level=True)

import jax

from genreatlas.models.engines.networks import architectures, onnx_export
from genreatlas.models.engines.networks.networks_facts import ESTIMATORS

keras = architectures.get_keras()
layers = keras.layers


def shuffled(network, seed=1):
    """The network with random weights, also those that begin as zeros and ones."""
    random = np.random.default_rng(seed)
    for variable in network.weights:
        scale = 1.0 / np.sqrt(max(np.prod(variable.shape[:-1]), 1.0))
        values = random.normal(scale=scale, size=variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)
    return network


def deviation(network, multi=False, n=3):
    """Largest difference between the probabilities of both."""
    import onnxruntime

    content = onnx_export.to_onnx(network, {"a": json.dumps("b")}, multi)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == {"a": '"b"'}
    windows = np.random.default_rng(2).normal(size=(n, *network.inputs[0].shape[1:])).astype(np.float32)
    (found,) = session.run(None, {"windows": windows})
    # Compiled as a whole: operation by operation takes four times as long.
    logits = jax.jit(lambda x: network(x, training=False))(windows)
    wanted = keras.ops.sigmoid(logits) if multi else keras.ops.softmax(logits)
    assert found.shape == wanted.shape
    return float(np.abs(found - np.asarray(wanted)).max())


def picture(found):
    return layers.Reshape((*found.shape[1:], 1))(found)


def with_relu(found):
    return layers.ReLU()(layers.Conv1D(6, 3, padding="same")(found))


#: Layer = what is done with windows (11, 6) that have it; odd sizes, at which paddings differ.
CASES = {
    "Conv1D": lambda x: layers.Flatten()(layers.Conv1D(5, 4, padding="same", activation="tanh")(x)),
    "Conv2D": lambda x: layers.Flatten()(layers.Conv2D(3, 3, strides=2, padding="same")(picture(x))),
    "BatchNormalization": lambda x: layers.Flatten()(layers.BatchNormalization()(x)),
    "ReLU": lambda x: layers.Flatten()(with_relu(x)),
    "Dense": lambda x: layers.Flatten()(layers.Dense(4, activation="relu")(x)),
    "GRU": lambda x: layers.Flatten()(layers.GRU(5, return_sequences=True)(x)),
    "AveragePooling1D": lambda x: layers.Flatten()(layers.AveragePooling1D(2)(x)),
    "AveragePooling2D": lambda x: layers.Flatten()(layers.AveragePooling2D((2, 3))(picture(x))),
    "GlobalAveragePooling1D": lambda x: layers.GlobalAveragePooling1D()(x),
    "GlobalAveragePooling2D": lambda x: layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(picture(x))),
    "GlobalMaxPooling1D": lambda x: layers.GlobalMaxPooling1D()(x),
    "Concatenate": lambda x: layers.Concatenate()([layers.GlobalMaxPooling1D()(x), layers.Flatten()(x)]),
    "Add": lambda x: layers.Flatten()(layers.Add()([x, layers.Dense(6)(x)])),
    "Softmax": lambda x: layers.Flatten()(layers.Softmax(axis=1)(x)),
    "Dot": lambda x: layers.Flatten()(layers.Dot(axes=1)([layers.Dense(2)(x), x])),
    "Reshape": lambda x: layers.GlobalMaxPooling1D()(layers.Reshape((6, 11))(x)),
    "Flatten": lambda x: layers.Flatten()(x),
    "Dropout": lambda x: layers.Dropout(0.5)(layers.Flatten()(x)),
}


def test_there_is_a_case_for_every_layer_that_is_written():
    assert set(CASES) == set(onnx_export._LAYERS)


@pytest.mark.parametrize("layer", CASES)
def test_a_layer_gives_as_onnx_what_it_gives_in_keras(layer):
    windows = keras.Input((11, 6), name="windows")
    network = keras.Model(windows, layers.Dense(4)(CASES[layer](windows)))
    assert layer in {type(one).__name__ for one in network.operations}
    assert deviation(shuffled(network)) < 1e-5


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_network_gives_as_onnx_what_it_gives_in_keras(estimator):
    params = {"filters": 4} if estimator != "gru" else {"units": 6}
    network = architectures.build(estimator, 37, 13, 3, params, seed=1)
    assert {type(one).__name__ for one in network.operations} - {"InputLayer"} <= set(CASES)
    assert deviation(shuffled(network), multi=estimator == "gru") < 1e-5


@pytest.mark.slow  # weights of full size are drawn for twenty seconds
@pytest.mark.parametrize(
    ("estimator", "rows", "width", "least", "most"),
    [("cnn_1d", 24, 12, 3e4, 1e5), ("cnn_2d", 24, 24, 2e4, 1e5), ("short_chunk_cnn", 215, 128, 5e4, 4e5),
     ("gru", 60, 20, 1e4, 1e5)],
)  # fmt: skip
def test_networks_have_far_less_than_a_million_parameters(estimator, rows, width, least, most):
    assert least < architectures.build(estimator, rows, width, 20, {}, seed=1).count_params() < most


def test_a_network_that_is_too_large_and_a_layer_that_nobody_wrote_are_refused(monkeypatch):
    monkeypatch.setattr(architectures, "MOST_PARAMETERS", 100)
    with pytest.raises(ValueError, match=r"would have \d+ parameters; the maximum is 100"):
        architectures.build("gru", 8, 4, 3, {"units": 4}, seed=1)
    windows = keras.Input((11, 6), name="windows")
    network = keras.Model(windows, layers.Dense(2)(layers.LSTM(3)(windows)))
    with pytest.raises(NotImplementedError, match="LSTM: this kind of layer cannot be exported to ONNX"):
        onnx_export.to_onnx(network, {}, multi=False)
    network = keras.Model(windows, layers.Dense(2, activation="gelu")(layers.Flatten()(windows)))
    with pytest.raises(NotImplementedError, match="activation gelu"):
        onnx_export.to_onnx(network, {}, multi=False)
