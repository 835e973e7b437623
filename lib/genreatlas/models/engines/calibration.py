"""Turn margins into probabilities by one sigmoid per class, fitted on margins of held-out songs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genreatlas.arrays import AnyArray

Array = AnyArray

#: Newton's method stops when a step lowers the loss by no more than this share.
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Sigmoids:
    """p(class) = 1 / (1 + exp(slope * margin + offset)), slope and offset (n_classes,) float64."""

    slope: Array
    offset: Array

    def probabilities(self, margins: Array, multi: bool) -> Array:
        """Probabilities of margins (n_rows, n_classes); rows add up to 1 unless a song may have several genres."""
        values = _sigmoid(self.slope * np.asarray(margins, dtype=np.float64) + self.offset)
        if multi:
            return values
        if values.shape[1] == 2:  # the second margin is the negative of the first
            return np.stack([1.0 - values[:, 1], values[:, 1]], axis=1)
        total = values.sum(axis=1, keepdims=True)
        even = np.full_like(values, 1.0 / values.shape[1])
        return np.divide(values, total, out=even, where=total > 0)


def can_calibrate(y: Array, fold: Array, n_classes: int) -> bool:
    """Whether every class is in at least two folds, so that each fold's margins come from a fit with all classes.

    Parameters
    ----------
    y : (n_rows,) int class index, or (n_rows, n_classes) bool.
    fold : (n_rows,) int.
    """
    return all(len(np.unique(fold[_is(y, k)])) >= 2 for k in range(n_classes))


def fit_sigmoids(margins: Array, y: Array, weight: Array | None = None) -> Sigmoids:
    """Fit one sigmoid per class, class against rest.

    Parameters
    ----------
    margins : (n_rows, n_classes) float, each from a model that was fitted without the row's fold.
    y : (n_rows,) int class index, or (n_rows, n_classes) bool.
    weight : (n_rows,) float; None counts every row once.

    References
    ----------
    Platt 1999 (smoothed targets); Lin, Lin & Weng 2007 (Newton with backtracking). Equivalent to
    ``CalibratedClassifierCV(method="sigmoid", ensemble=False)``, which is not used because it cannot pass weights
    through a pipeline and keeps several copies of the matrix.
    """
    weight = np.ones(len(margins)) if weight is None else np.asarray(weight, dtype=np.float64)
    pairs = [_fit_one(margins[:, k].astype(np.float64), _is(y, k), weight) for k in range(margins.shape[1])]
    return Sigmoids(np.array([slope for slope, _ in pairs]), np.array([offset for _, offset in pairs]))


def fold_splits(fold: Array) -> Sequence[tuple[Array, Array]]:
    """(rows to fit, rows held out) for each fold, in ascending order of folds."""
    return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in np.unique(fold)]


def _is(y: Array, k: int) -> Array:
    return np.asarray(y[:, k], dtype=bool) if y.ndim == 2 else np.asarray(y == k)


def _sigmoid(values: Array) -> Array:
    """1 / (1 + exp(values)) without overflow."""
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, small, 1.0) / (1.0 + small)


def _loss(values: Array, target: Array, weight: Array) -> float:
    """Weighted cross-entropy of p = 1 / (1 + exp(values)); stable for large values."""
    return float(np.sum(weight * (np.logaddexp(0.0, values) - (1.0 - target) * values)))


def _fit_one(margin: Array, positive: Array, weight: Array) -> tuple[float, float]:
    scale = max(float(np.abs(margin).max(initial=0.0)), 1e-12)
    margin = margin / scale  # scaled to about 1 for Newton's method
    n_positive, n_negative = float(weight[positive].sum()), float(weight[~positive].sum())
    target = np.where(positive, (n_positive + 1.0) / (n_positive + 2.0), 1.0 / (n_negative + 2.0))
    slope, offset = 0.0, float(np.log((n_negative + 1.0) / (n_positive + 1.0)))
    loss = _loss(slope * margin + offset, target, weight)
    for _ in range(200):
        p = _sigmoid(slope * margin + offset)
        residual, curvature = weight * (target - p), weight * p * (1.0 - p)
        gradient = np.array([np.sum(residual * margin), np.sum(residual)])
        cross = np.sum(curvature * margin)
        hessian = np.array([[np.sum(curvature * margin**2), cross], [cross, np.sum(curvature)]])
        step = np.linalg.solve(hessian + 1e-12 * np.eye(2), gradient)
        length = 1.0
        while length > 1e-10:
            moved = slope - length * step[0], offset - length * step[1]
            new = _loss(moved[0] * margin + moved[1], target, weight)
            if new < loss:
                break
            length /= 2.0
        else:
            break
        (slope, offset), gained, loss = moved, loss - new, new
        if gained <= _TOLERANCE * abs(loss):
            break
    return slope / scale, offset
