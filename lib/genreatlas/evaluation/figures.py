"""Figures of merit from three totals per genre: songs right, songs predicted, songs true.

Every function takes arrays whose last axis is the genre; leading axes (bootstrap samples,
permutations) go through unchanged, so a thousand resamples cost one call.

A figure that is undefined is NaN here and NULL in tables, never 0: the recall of a genre without
songs, the precision of a genre that was never predicted.

References: Sokolova & Lapalme 2009, "A systematic analysis of performance measures for
classification tasks"; Brodersen et al. 2010 for balanced accuracy.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Metrics that follow from the totals alone.
TOTALS_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1")


def recall(right: Array, support: Array) -> Array:
    """Share of a genre's songs that were recognised; NaN without songs."""
    return _ratio(right, support)


def precision(right: Array, predicted: Array) -> Array:
    """Share of the songs called a genre that are of it; NaN where it was never predicted."""
    return _ratio(right, predicted)


def f1(right: Array, predicted: Array, support: Array) -> Array:
    """Harmonic mean of precision and recall as 2 TP / (2 TP + FP + FN).

    0 where the genre has songs and none was recognised, or was predicted and has no songs; NaN
    where it has neither songs nor predictions.
    """
    return _ratio(2.0 * right, predicted + support)


def accuracy(right: Array, support: Array) -> Array:
    """Share of songs that were recognised."""
    return _ratio(right.sum(axis=-1), support.sum(axis=-1))


def balanced_accuracy(right: Array, support: Array) -> Array:
    """Mean recall over the genres that have songs."""
    return _mean_where(recall(right, support), support > 0)


def macro_f1(right: Array, predicted: Array, support: Array) -> Array:
    """Mean F1 over the genres that have songs.

    A genre that the model knows and the judged part has no song of cannot be recognised, so it is
    left out of the mean instead of counting as 0; songs that were wrongly called by its name
    still lower the recall, and so the F1, of their own genres.
    """
    return _mean_where(f1(right, predicted, support), support > 0)


def weighted_f1(right: Array, predicted: Array, support: Array) -> Array:
    """Mean F1 over genres, each weighted by its number of songs."""
    weighted = np.where(support > 0, np.nan_to_num(f1(right, predicted, support)) * support, 0.0)
    return _ratio(weighted.sum(axis=-1), support.sum(axis=-1))


def totals_figure(metric: str, right: Array, predicted: Array, support: Array) -> Array:
    """One of :data:`TOTALS_METRICS` by its name.

    Raises
    ------
    KeyError : a metric that does not follow from totals.
    """
    if metric == "accuracy":
        return accuracy(right, support)
    if metric == "balanced_accuracy":
        return balanced_accuracy(right, support)
    if metric == "macro_f1":
        return macro_f1(right, predicted, support)
    if metric == "weighted_f1":
        return weighted_f1(right, predicted, support)
    raise KeyError(metric)


def _ratio(numerator: Array, denominator: Array) -> Array:
    undefined = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)


def _mean_where(values: Array, counted: NDArray[np.bool_]) -> Array:
    return _ratio(np.where(counted, values, 0.0).sum(axis=-1), counted.sum(axis=-1).astype(np.float64))
