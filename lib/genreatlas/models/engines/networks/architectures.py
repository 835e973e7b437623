"""The networks, built with Keras. Each takes windows (rows, width) and gives a logit for each genre.

References: Pons & Serra 2019 (small convolutional networks on patches); Won, Ferraro, Bogdanov & Serra 2020 (short
chunks with residuals); He et al. 2016 (residual blocks); Ioffe & Szegedy 2015 (batch normalisation); Cho et al. 2014
(GRU); Bahdanau, Cho & Bengio 2015 (attention); Raffel & Ellis 2016 (attention in place of time).
"""

import os
from functools import lru_cache
from types import ModuleType
from typing import Any, TypeAlias

from genreatlas.values import Params

#: A symbolic tensor of Keras, or a network; Keras has no types.
Tensor: TypeAlias = Any

#: A task has one core, and the same sums in the same order give the same network: XLA keeps to one thread.
_XLA = "--xla_cpu_multi_thread_eigen=false"

#: No network has more parameters.
MOST_PARAMETERS = 1_000_000

#: Fewer rows are not halved any more.
_LEAST_ROWS = 4


@lru_cache(maxsize=1)
def get_keras() -> ModuleType:
    """Keras on JAX, set up for one thread of a CPU, or for a GPU where JAX finds one.

    Raises
    ------
    ImportError : the extra ``deep`` is not installed, or Keras was imported before with another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if _XLA not in (flags := os.environ.get("XLA_FLAGS", "")):
        os.environ["XLA_FLAGS"] = f"{flags} {_XLA}".strip()
    try:
        import jax  # noqa: F401  named first: Keras without its backend says something else
        import keras
    except ImportError as error:
        raise ImportError(f"{error}; networks need the extra deep: pip install genreatlas[deep]") from None
    if keras.backend.backend() != "jax":
        raise ImportError(f"Keras runs on {keras.backend.backend()} here; set KERAS_BACKEND=jax")
    return keras


def build(estimator: str, rows: int, width: int, n_classes: int, params: Params, seed: int) -> Tensor:
    """A network with fresh weights, the same for the same seed.

    Parameters
    ----------
    rows, width : of a window.
    params : ``filters`` or ``units``, and ``dropout``; others are ignored.

    Raises
    ------
    ValueError : it would have more than :data:`MOST_PARAMETERS` parameters, or a window is too short for it.
    """
    keras = get_keras()
    keras.utils.set_random_seed(seed)
    windows = keras.Input((rows, width), name="windows")
    dropout = float(params.get("dropout", 0.3))
    hidden = _BODIES[estimator](keras, windows, params)
    if dropout:
        hidden = keras.layers.Dropout(dropout, seed=seed)(hidden)
    network = keras.Model(windows, keras.layers.Dense(n_classes, name="logits")(hidden))
    if (n := network.count_params()) > MOST_PARAMETERS:
        raise ValueError(f"the network would have {n:,} parameters; {MOST_PARAMETERS:,} are the most. Make it smaller")
    return network


def _cnn_1d(keras: ModuleType, windows: Tensor, params: Params) -> Tensor:
    """Three convolutions over five rows each, halved between; mean and maximum over time; 64 hidden units."""
    filters = int(params.get("filters", 32))
    found = windows
    for n in (filters, 2 * filters, 2 * filters):
        found = keras.layers.Conv1D(n, 5, padding="same", use_bias=False)(found)
        found = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(found))
        if found.shape[1] >= _LEAST_ROWS:
            found = keras.layers.AveragePooling1D(2)(found)
    pooled = [keras.layers.GlobalAveragePooling1D()(found), keras.layers.GlobalMaxPooling1D()(found)]
    return keras.layers.Dense(64, activation="relu")(keras.layers.Concatenate()(pooled))


def _cnn_2d(keras: ModuleType, windows: Tensor, params: Params) -> Tensor:
    """Three convolutions over three rows and three columns each, halved in both between; mean over all; 64 units."""
    filters = int(params.get("filters", 16))
    found = keras.layers.Reshape((*windows.shape[1:], 1))(windows)
    for n in (filters, 2 * filters, 4 * filters):
        found = keras.layers.Conv2D(n, 3, padding="same", use_bias=False)(found)
        found = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(found))
        found = _halved(keras, found)
    return keras.layers.Dense(64, activation="relu")(keras.layers.GlobalAveragePooling2D()(found))


def _short_chunk_cnn(keras: ModuleType, windows: Tensor, params: Params) -> Tensor:
    """A convolution and five residual blocks, each with stride 2 in both directions; mean over all; 64 units."""
    filters = int(params.get("filters", 16))
    found = keras.layers.Reshape((*windows.shape[1:], 1))(windows)
    found = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(found)
    found = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(found))
    for n in (filters, 2 * filters, 2 * filters, 4 * filters, 4 * filters):
        short = keras.layers.Conv2D(n, 1, strides=2, padding="same", use_bias=False)(found)
        short = keras.layers.BatchNormalization(momentum=0.9)(short)
        deep = keras.layers.Conv2D(n, 3, strides=2, padding="same", use_bias=False)(found)
        deep = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(deep))
        deep = keras.layers.Conv2D(n, 3, padding="same", use_bias=False)(deep)
        deep = keras.layers.BatchNormalization(momentum=0.9)(deep)
        found = keras.layers.ReLU()(keras.layers.Add()([short, deep]))
    return keras.layers.Dense(64, activation="relu")(keras.layers.GlobalAveragePooling2D()(found))


def _gru(keras: ModuleType, windows: Tensor, params: Params) -> Tensor:
    """A GRU over the rows; its states weighted by what a layer of one unit says of each, and added up."""
    units = int(params.get("units", 64))
    states = keras.layers.GRU(units, return_sequences=True)(windows)
    told = keras.layers.Dense(units, activation="tanh")(states)
    weights = keras.layers.Softmax(axis=1)(keras.layers.Dense(1, use_bias=False)(told))
    return keras.layers.Flatten()(keras.layers.Dot(axes=1)([weights, states]))


def _halved(keras: ModuleType, found: Tensor) -> Tensor:
    """Averages of two neighbours, along the axes that are long enough."""
    pool = tuple(2 if size >= _LEAST_ROWS else 1 for size in found.shape[1:3])
    return keras.layers.AveragePooling2D(pool)(found) if max(pool) > 1 else found


_BODIES = {"cnn_1d": _cnn_1d, "cnn_2d": _cnn_2d, "short_chunk_cnn": _short_chunk_cnn, "gru": _gru}
