"""Network architectures, built with Keras. Input: windows (rows, width); output: a logit for each genre.

References: Pons & Serra 2019 (small convolutional networks on patches); Won, Ferraro, Bogdanov & Serra 2020 (short
chunks with residuals); He et al. 2016 (residual blocks); Ioffe & Szegedy 2015 (batch normalisation); Cho et al. 2014
(GRU); Bahdanau, Cho & Bengio 2015 (attention); Raffel & Ellis 2016 (attention in place of time).
"""

import os
from functools import lru_cache
from types import ModuleType
from typing import Any, TypeAlias

from genreatlas.values import Params

#: A symbolic tensor or a network of Keras, which has no type annotations.
Tensor: TypeAlias = Any

#: Restricts XLA to one thread: a task has one core, and a fixed order of sums makes networks reproducible.
_XLA = "--xla_cpu_multi_thread_eigen=false"

#: Maximum number of parameters of a network.
MOST_PARAMETERS = 1_000_000

#: Axes shorter than this are not pooled.
_LEAST_ROWS = 4


@lru_cache(maxsize=1)
def get_keras() -> ModuleType:
    """Import Keras with JAX, set up for one CPU thread, or for a GPU if JAX finds one.

    Raises
    ------
    ImportError : the extra ``deep`` is not installed, or Keras was imported before with another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if _XLA not in (flags := os.environ.get("XLA_FLAGS", "")):
        os.environ["XLA_FLAGS"] = f"{flags} {_XLA}".strip()
    try:
        import jax  # noqa: F401  imported first, as the error of Keras without its backend is misleading
        import keras
    except ImportError as error:
        raise ImportError(f"{error}; networks need the extra deep: pip install genreatlas[deep]") from None
    if keras.backend.backend() != "jax":
        raise ImportError(f"Keras uses the backend {keras.backend.backend()} here. Set KERAS_BACKEND=jax")
    return keras


def build(estimator: str, rows: int, width: int, n_classes: int, params: Params, seed: int) -> Tensor:
    """Build a network with initial weights that depend on the seed only.

    Parameters
    ----------
    estimator : name of the architecture.
    rows, width : shape of a window.
    n_classes : number of logits.
    params : ``filters`` or ``units``, and ``dropout``; others are ignored.
    seed : seed of the weights and of dropout.

    Raises
    ------
    ValueError : the network would have more than :data:`MOST_PARAMETERS` parameters, or a window is too short.
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
        raise ValueError(
            f"the network would have {n:,} parameters; the maximum is {MOST_PARAMETERS:,}. Make it smaller"
        )
    return network


def _cnn_1d(keras: ModuleType, windows: Tensor, params: Params) -> Tensor:
    """Three convolutions over 5 rows, each with pooling by 2; mean and maximum over time; 64 hidden units."""
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
    """Three 3 × 3 convolutions, each with 2 × 2 pooling; global mean; 64 hidden units."""
    filters = int(params.get("filters", 16))
    found = keras.layers.Reshape((*windows.shape[1:], 1))(windows)
    for n in (filters, 2 * filters, 4 * filters):
        found = keras.layers.Conv2D(n, 3, padding="same", use_bias=False)(found)
        found = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(found))
        found = _halved(keras, found)
    return keras.layers.Dense(64, activation="relu")(keras.layers.GlobalAveragePooling2D()(found))


def _short_chunk_cnn(keras: ModuleType, windows: Tensor, params: Params) -> Tensor:
    """A convolution and five residual blocks, each with stride 2 in both directions; global mean; 64 hidden units."""
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
    """A GRU over the rows with attention pooling: sum of its states, weighted by the softmax of a scoring layer."""
    units = int(params.get("units", 64))
    states = keras.layers.GRU(units, return_sequences=True)(windows)
    told = keras.layers.Dense(units, activation="tanh")(states)
    weights = keras.layers.Softmax(axis=1)(keras.layers.Dense(1, use_bias=False)(told))
    return keras.layers.Flatten()(keras.layers.Dot(axes=1)([weights, states]))


def _halved(keras: ModuleType, found: Tensor) -> Tensor:
    """Average pooling by 2 along the axes with at least :data:`_LEAST_ROWS` values."""
    pool = tuple(2 if size >= _LEAST_ROWS else 1 for size in found.shape[1:3])
    return keras.layers.AveragePooling2D(pool)(found) if max(pool) > 1 else found


_BODIES = {"cnn_1d": _cnn_1d, "cnn_2d": _cnn_2d, "short_chunk_cnn": _short_chunk_cnn, "gru": _gru}
