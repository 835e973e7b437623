"""Multinomial logistic regression and a small perceptron, fitted by mini-batches of the memory-mapped matrix.

Scores are computed for one batch at a time. The same seed and matrix give the same model: batches depend on the seed,
and products are computed on one thread.

References: Kingma & Ba 2015 (Adam); Loshchilov & Hutter 2017 (cosine schedule of the learning rate); Menon et al.
2021 (logit adjustment); Srivastava et al. 2014 (dropout); Elkan & Noto 2008, "Learning classifiers from only positive
and unlabeled data", and Teisseyre, Mielniczuk & Łazęcka 2020, "Different strategies of fitting logistic regression for
positive and unlabelled data" (missing labels, the joint method).
"""

from dataclasses import dataclass

import numpy as np

from genreatlas.models.engines.thousands.array_models import Array, Table, softmax
from genreatlas.models.engines.thousands.layered import LayeredModel

#: Minimum number of steps of a fit; on small tables a few epochs are too few to converge.
LEAST_STEPS = 3_000

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Settings:
    """Settings of a fit.

    Attributes
    ----------
    epochs : number of epochs; more if they have fewer than :data:`LEAST_STEPS` steps.
    batch : number of songs per step.
    learning_rate : initial learning rate; falls to 0 (cosine schedule). None: 0.03, or 0.003 with a hidden layer.
    l2 : penalty on the square of the weights, per song: ``1 / (C n)`` of scikit-learn's logistic regression.
    logit_adjustment : 0: predictions follow the sizes of genres; 1: as if all genres had the same size, which suits
        macro-F1. The logarithms of the genres' shares, times this factor, are added to the logits in training only.
    dropout : share of hidden units left out at each step.
    label_frequency : multi-label only: probability that a genre of a song is among its labels. Below 1, absent labels
        may be missing: the probability of a label is modelled as this factor times the probability of the genre, and
        the latter is predicted.
    """

    epochs: int = 8
    batch: int = 512
    learning_rate: float | None = None
    l2: float = 1e-6
    logit_adjustment: float = 0.0
    dropout: float = 0.0
    label_frequency: float = 1.0


def fit(table: Table, hidden: int, seed: int, settings: Settings) -> tuple[LayeredModel, list[str]]:
    """Fit layers on the rows of a table.

    Parameters
    ----------
    table : training rows.
    hidden : number of units of the hidden layer; 0: no hidden layer (logistic regression).
    seed : seed of batches, initial weights and dropout.

    Raises
    ------
    ValueError : training diverged.
    """
    random = np.random.default_rng(seed)
    n, width = len(table.rows), table.X.shape[1]
    weights = (table.weights / table.weights.mean()).astype(np.float32)
    share = table.class_weights() / table.weights.sum()
    log_share = np.log(np.maximum(share, 1.0 / (10.0 * n))).astype(np.float32)
    adjustment = np.float32(settings.logit_adjustment) * log_share
    # Initial values: He's for the hidden layer, the genres' shares for the biases of the last layer.
    layers = [_hidden(random, width, hidden)] if hidden else []
    start = log_share - adjustment
    if table.multi:
        true = share / max(settings.label_frequency, float(share.max()))
        start = np.log(np.maximum(true, 1e-9) / np.maximum(1.0 - true, 1e-9)).astype(np.float32)
    layers.append([np.zeros((hidden or width, table.n_classes), np.float32), start])
    if hidden:
        layers[-1][0][:] = random.normal(0.0, 1.0 / np.sqrt(hidden), layers[-1][0].shape) * 0.1
    batch = min(settings.batch, n)
    highest = settings.learning_rate or (0.003 if hidden else 0.03)
    steps_an_epoch = -(-n // batch)
    steps = max(settings.epochs * steps_an_epoch, LEAST_STEPS)
    adam = _Adam([array for layer in layers for array in layer])
    order = np.empty(0, dtype=np.int64)
    for step in range(steps):
        if len(order) < batch:
            order = np.concatenate([order, random.permutation(n)])
        drawn, order = np.sort(order[:batch]), order[batch:]
        rows = table.rows[drawn]
        rate = highest * 0.5 * (1.0 + np.cos(np.pi * step / steps))
        kept = None
        if hidden and settings.dropout:
            kept = (random.random((batch, hidden)) >= settings.dropout) / np.float32(1.0 - settings.dropout)
        values = table.columns(table.X[rows])
        gradients = _gradients(layers, values, table.y[rows], weights[drawn], adjustment, kept, settings)
        adam.move(gradients, rate)
    if not all(np.isfinite(array).all() for layer in layers for array in layer):
        raise ValueError(f"training diverged: learning_rate = {highest:g} is too large")
    unseen = share <= 0
    layers[-1][1][unseen] = -700.0
    notes = []
    if settings.label_frequency < 1.0 and not table.multi:
        notes.append("label_frequency has no effect on songs with one genre (train.labels is not multi)")
    return LayeredModel(table.columns, tuple((weight, bias) for weight, bias in layers), table.multi), notes


def _hidden(random: np.random.Generator, width: int, hidden: int) -> list[Array]:
    spread = np.sqrt(2.0 / max(width, 1))
    return [random.normal(0.0, spread, (width, hidden)).astype(np.float32), np.zeros(hidden, np.float32)]


def _gradients(
    layers: list[list[Array]],
    X: Array,
    y: Array,
    weight: Array,
    adjustment: Array,
    kept: Array | None,
    settings: Settings,
) -> list[Array]:
    """Gradients of the mean loss of a batch, in the order of the arrays of the layers."""
    inner, l2 = X, np.float32(settings.l2)
    if len(layers) > 1:
        inner = np.maximum(X @ layers[0][0] + layers[0][1], 0.0)
        if kept is not None:
            inner = (inner * kept).astype(np.float32)
    logits = inner @ layers[-1][0] + layers[-1][1]
    if y.ndim == 2:
        error = _label_error(logits, y, settings.label_frequency)
    else:
        logits += adjustment
        error = softmax(logits)
        error[np.arange(len(y)), y] -= 1.0
    error *= (weight / np.float32(len(y)))[:, None]
    last = [inner.T @ error + l2 * layers[-1][0], error.sum(axis=0)]
    if len(layers) == 1:
        return last
    back = (error @ layers[-1][0].T) * (inner > 0)
    if kept is not None:
        back = (back * kept).astype(np.float32)
    return [X.T @ back + l2 * layers[0][0], back.sum(axis=0), *last]


def _label_error(logits: Array, y: Array, frequency: float) -> Array:
    """Derivative of the log loss of labels (n, n_classes) with respect to the logits of the genres, float32.

    The probability of a label is ``frequency * p`` with ``p`` the probability of the genre. The loss of an absent label
    is ``-log(1 - frequency * p)``, so it matters less if the model is sure of the genre.
    """
    p = 1.0 / (1.0 + np.exp(-np.clip(logits, -80, 80)))
    if frequency == 1.0:
        return np.asarray((p - y).astype(np.float32))
    missing = frequency * p * (1.0 - p) / (1.0 - frequency * p)
    return np.asarray(np.where(y, p - 1.0, missing).astype(np.float32))


class _Adam:
    """Adam optimizer; updates arrays in place."""

    def __init__(self, arrays: list[Array]) -> None:
        self.arrays = arrays
        self.first = [np.zeros_like(array) for array in arrays]
        self.second = [np.zeros_like(array) for array in arrays]
        self.steps = 0

    def move(self, gradients: list[Array], rate: float) -> None:
        """Make one step."""
        self.steps += 1
        size = np.float32(rate * np.sqrt(1.0 - _SECOND**self.steps) / (1.0 - _FIRST**self.steps))
        for array, gradient, first, second in zip(self.arrays, gradients, self.first, self.second, strict=True):
            first *= np.float32(_FIRST)
            first += np.float32(1.0 - _FIRST) * gradient
            second *= np.float32(_SECOND)
            np.multiply(gradient, gradient, out=gradient)
            second += np.float32(1.0 - _SECOND) * gradient
            np.sqrt(second, out=gradient)
            gradient += np.float32(_TINY)
            np.divide(first, gradient, out=gradient)
            gradient *= size
            array -= gradient
