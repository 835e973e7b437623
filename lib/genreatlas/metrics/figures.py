"""Definitions of all metrics, from true and predicted genres or from totals per genre.

Model selection, evaluation and promotion use these functions. An undefined value is NaN here and NULL in tables, never
0: for example the recall of a genre without songs, or the precision of a genre that was never predicted.

Totals are arrays with genres on the last axis. Leading axes (bootstrap samples, permutations) are kept, so a thousand
resamples take one call.

Absent genres are classes of the model without songs among the evaluated songs. Means over genres (:data:`OVER_GENRES`)
leave them out instead of counting 0; :func:`absent` returns their number, which is reported with the value. Songs that
are wrongly predicted as an absent genre lower the recall, and so the F1, of their true genres.

Multi-label songs have no single right prediction, so models are evaluated by ranking (:class:`Ranking`): whether songs
of a genre have higher scores than others. Equal scores form one threshold. Average precision is undefined for a genre
without songs; ROC-AUC also if all songs have the genre.

References: Sokolova & Lapalme 2009, "A systematic analysis of performance measures for classification tasks";
Brodersen et al. 2010 for balanced accuracy; McSherry & Najork 2008, "Computing information retrieval performance
measures efficiently in the presence of tied scores"; Manning, Raghavan & Schütze 2008, ch. 8.4 (average
precision without interpolation); Fawcett 2006, "An introduction to ROC analysis"; Boutell et al. 2004
for several labels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from genreatlas.arrays import AnyArray
from genreatlas.errors import ConfigError

Array = NDArray[np.float64]
Indices = NDArray[np.integer]

#: Metrics that are computed from totals per genre.
TOTALS_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1")

#: Ranking metrics, for multi-label songs.
RANKING_METRICS = ("macro_average_precision", "micro_average_precision")

#: Metrics for model selection (``train.metric``).
SELECTING = (*TOTALS_METRICS, *RANKING_METRICS)

#: Metrics that are means over the genres with songs.
OVER_GENRES = ("balanced_accuracy", "macro_f1", "macro_average_precision", "macro_roc_auc")

#: Version of the definition of each metric; 1 for metrics not listed. It is stored with every score. Version 1 of
#: macro-F1 counted absent genres as 0.
_VERSIONS = {"macro_f1": 2}

#: Lower bound of probabilities in log loss, as in scikit-learn: machine epsilon.
SMALLEST = float(np.finfo(np.float64).eps)

#: Maximum size of the arrays of cumulative sums in :class:`Ranking`.
BLOCK_CELLS = 4_000_000


class Score(NamedTuple):
    """Value of a metric, and the number of absent genres (classes without songs)."""

    value: float
    n_absent: int


def version_of(metric: str) -> int:
    """Version of the definition of a metric."""
    return _VERSIONS.get(metric, 1)


def is_current(metric: str, version: int | None) -> bool:
    """Whether a stored score has the current version of its definition; None means version 1."""
    return (1 if version is None else version) == version_of(metric)


def metric_for(metric: str, multi: bool) -> str:
    """Metric to use for single-label or multi-label songs.

    Multi-label songs have no single right prediction, so single-label metrics are replaced by
    ``macro_average_precision``.

    Raises
    ------
    ConfigError : an unknown metric.
    """
    _check(metric)
    return "macro_average_precision" if multi and metric not in RANKING_METRICS else metric


def score(metric: str, truth: AnyArray, scores: AnyArray) -> Score:
    """Compute a metric from class scores; the predicted class has the highest score, ties by class index.

    Parameters
    ----------
    metric : one of :data:`SELECTING`.
    truth : (n_songs,) int class index, or (n_songs, n_classes) bool.
    scores : (n_songs, n_classes) float; higher means more likely.

    Returns
    -------
    Value of the metric, 0 to 1, higher is better, and the number of classes without songs.

    Raises
    ------
    ConfigError : an unknown metric, or a single-label metric for multi-label songs.
    ValueError : there are no songs, or no song has a genre.
    """
    _check(metric)
    if len(truth) == 0:
        raise ValueError("no songs to score")
    if truth.ndim == 2 and metric not in RANKING_METRICS:
        raise ConfigError(f"train.metric = {metric!r} needs one genre a song; use macro_average_precision.")
    n_classes = scores.shape[1]
    if metric in TOTALS_METRICS:
        return score_predicted(metric, truth, np.argmax(scores, axis=1), n_classes)
    hits = one_hot(truth, n_classes)
    present = np.flatnonzero(hits.any(axis=0))
    if len(present) == 0:
        raise ValueError("no song has a genre to rank")
    if metric == "micro_average_precision":
        value = average_precision(scores.ravel(), hits.ravel())
    else:
        value = float(np.mean([average_precision(scores[:, k], hits[:, k]) for k in present]))
    return Score(value, n_classes - len(present))


def score_predicted(metric: str, truth: Indices, predicted: Indices, n_classes: int) -> Score:
    """Compute one of :data:`TOTALS_METRICS` from predicted classes; see :func:`score`.

    Parameters
    ----------
    metric : one of :data:`TOTALS_METRICS`.
    truth, predicted : (n_songs,) int class index.
    n_classes : number of classes.

    Raises
    ------
    ConfigError : a song has several genres.
    """
    if truth.ndim == 2:
        raise ConfigError(f"train.metric = {metric!r} needs one genre a song; use macro_average_precision.")
    right, called, support = totals_of(truth, predicted, n_classes)
    return Score(float(totals_figure(metric, right, called, support)), int(absent(support)))


def totals_of(truth: Indices, predicted: Indices, n_classes: int) -> tuple[Array, Array, Array]:
    """Number of correctly predicted, predicted and true songs of each class, each (n_classes,), from class indices."""
    found = (truth[truth == predicted], predicted, truth)
    right, called, support = (np.bincount(one, minlength=n_classes).astype(np.float64) for one in found)
    return right, called, support


def one_hot(truth: AnyArray, n_classes: int) -> NDArray[np.bool_]:
    """Truth as (n_songs, n_classes) bool; two-dimensional truth is only converted to bool."""
    return truth.astype(bool) if truth.ndim == 2 else truth[:, None] == np.arange(n_classes)


def absent(support: Array) -> NDArray[np.int64]:
    """Number of genres without songs."""
    without: NDArray[np.int64] = (np.asarray(support) <= 0).sum(axis=-1)
    return without


def recall(right: Array, support: Array) -> Array:
    """Share of a genre's songs that were predicted right (TP / (TP + FN)).

    Parameters
    ----------
    right : (..., n_genres) songs of each genre that were predicted right.
    support : (..., n_genres) songs of each genre.

    Returns
    -------
    (..., n_genres) 0 to 1; NaN for a genre without songs.
    """
    return _ratio(right, support)


def precision(right: Array, predicted: Array) -> Array:
    """Share of the songs predicted as a genre that are of it (TP / (TP + FP)).

    Parameters
    ----------
    right : (..., n_genres) songs of each genre that were predicted right.
    predicted : (..., n_genres) songs that were predicted to be of each genre.

    Returns
    -------
    (..., n_genres) 0 to 1; NaN for a genre that was never predicted.
    """
    return _ratio(right, predicted)


def f1(right: Array, predicted: Array, support: Array) -> Array:
    """Harmonic mean of precision and recall as 2 TP / (2 TP + FP + FN).

    Parameters
    ----------
    right : (..., n_genres) songs of each genre that were predicted right.
    predicted : (..., n_genres) songs that were predicted to be of each genre.
    support : (..., n_genres) songs of each genre.

    Returns
    -------
    (..., n_genres) 0 to 1; 0 for a genre without correct predictions; NaN for a genre with neither songs nor
    predictions.
    """
    return _ratio(2.0 * right, predicted + support)


def accuracy(right: Array, support: Array) -> Array:
    """Share of all songs that were predicted right.

    Parameters
    ----------
    right : (..., n_genres) songs of each genre that were predicted right.
    support : (..., n_genres) songs of each genre.

    Returns
    -------
    (...) 0 to 1; NaN without songs.
    """
    return _ratio(right.sum(axis=-1), support.sum(axis=-1))


def balanced_accuracy(right: Array, support: Array) -> Array:
    """Mean recall over the genres that have songs (Brodersen et al. 2010).

    Parameters
    ----------
    right : (..., n_genres) songs of each genre that were predicted right.
    support : (..., n_genres) songs of each genre.

    Returns
    -------
    (...) 0 to 1; NaN without songs.
    """
    return _mean_where(recall(right, support), support > 0)


def macro_f1(right: Array, predicted: Array, support: Array) -> Array:
    """Mean F1 over the genres that have songs (version 2; version 1 counted absent genres as 0).

    Parameters
    ----------
    right : (..., n_genres) songs of each genre that were predicted right.
    predicted : (..., n_genres) songs that were predicted to be of each genre.
    support : (..., n_genres) songs of each genre.

    Returns
    -------
    (...) 0 to 1; NaN without songs.
    """
    return _mean_where(f1(right, predicted, support), support > 0)


def weighted_f1(right: Array, predicted: Array, support: Array) -> Array:
    """Mean F1 over genres, each weighted by its number of songs.

    Parameters
    ----------
    right : (..., n_genres) songs of each genre that were predicted right.
    predicted : (..., n_genres) songs that were predicted to be of each genre.
    support : (..., n_genres) songs of each genre.

    Returns
    -------
    (...) 0 to 1; NaN without songs.
    """
    weighted = np.where(support > 0, np.nan_to_num(f1(right, predicted, support)) * support, 0.0)
    return _ratio(weighted.sum(axis=-1), support.sum(axis=-1))


def totals_figure(metric: str, right: Array, predicted: Array, support: Array) -> Array:
    """Compute one of :data:`TOTALS_METRICS` by name.

    Parameters
    ----------
    metric : name of the metric.
    right, predicted, support : (..., n_genres) see :func:`f1`.

    Returns
    -------
    (...) 0 to 1; NaN without songs.

    Raises
    ------
    KeyError : the metric is not one of :data:`TOTALS_METRICS`.
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


def hit_at(k: int, n_greater: Array, n_equal: Array) -> Array:
    """Probability that the true genre is among the first ``k`` if ties are broken at random.

    Parameters
    ----------
    k : number of first genres.
    n_greater : (n_songs,) number of genres with a higher score than the true genre.
    n_equal : (n_songs,) number of genres with the same score, including the true genre.
    """
    return np.clip((k - n_greater) / np.maximum(n_equal, 1.0), 0.0, 1.0)


def reciprocal_rank(n_greater: Array, n_equal: Array) -> Array:
    """Expected value of 1 / rank of the true genre if ties are broken at random; 1 if it is first.

    Parameters
    ----------
    n_greater, n_equal : see :func:`hit_at`.
    """
    equal = np.maximum(n_equal, 1.0)
    return np.asarray((special.digamma(n_greater + equal + 1) - special.digamma(n_greater + 1)) / equal)


def log_loss(probability: Array) -> Array:
    """Negative logarithm of the true genre's probability, per song.

    Parameters
    ----------
    probability : (n_songs,) probability of the true genre, 0 to 1; clipped from below at :data:`SMALLEST`.
    """
    return -np.log(np.maximum(probability, SMALLEST))


def from_version_1(metric: str, value: float, n_classes: int, n_absent: int) -> float:
    """Convert a score of version 1 of a metric's definition to the current version.

    The conversion is exact: absent genres had F1 0 in version 1, so only the number of genres in the mean differs.

    Parameters
    ----------
    metric : name of the metric.
    value : score by version 1.
    n_classes : number of genres of the model.
    n_absent : number of these genres without evaluated songs.
    """
    changed = {"macro_f1": n_classes / max(n_classes - n_absent, 1)}
    return value * changed.get(metric, 1.0)


def _check(metric: str) -> None:
    if metric not in SELECTING:
        raise ConfigError(f"train.metric = {metric!r}: unknown. Known: {', '.join(SELECTING)}.")


def _ratio(numerator: Array, denominator: Array) -> Array:
    undefined = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    ratio: Array = np.divide(numerator, denominator, out=undefined, where=np.asarray(denominator) > 0)
    return ratio


def _mean_where(values: Array, counted: NDArray[np.bool_]) -> Array:
    return _ratio(np.where(counted, values, 0.0).sum(axis=-1), counted.sum(axis=-1).astype(np.float64))


@dataclass(frozen=True)
class Ranking:
    """Ranking of songs by one score, reduced to the k thresholds with at least one song of the genre.

    ``pieces`` (2 k + 1, n_groups), sparse, counts songs per group: odd rows are the songs at each of the k thresholds
    (ties included), even rows the songs between them. ``right`` (k, n_groups), sparse, counts the songs of the genre at
    each threshold.
    """

    pieces: sparse.csr_array
    right: sparse.csr_array

    @classmethod
    def of(cls, scores: Array, truth: NDArray[np.bool_], group: NDArray[np.int64], n_groups: int) -> "Ranking":
        """Rank songs.

        Parameters
        ----------
        scores : (n,) scores for one genre.
        truth : (n,) whether the song has the genre.
        group : (n,) index of the song's group.
        n_groups : number of groups.
        """
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        threshold = np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])]) if len(ordered) else order
        with_right = np.unique(threshold[truth[order]])
        place = np.searchsorted(with_right, threshold, side="left")
        own = np.isin(threshold, with_right)
        piece = 2 * place + own
        hits = truth[order]
        shape = (2 * len(with_right) + 1, n_groups)
        ones = np.ones(len(order))
        return cls(
            pieces=sparse.csr_array((ones, (piece, group[order])), shape=shape),
            right=sparse.csr_array((ones[hits], (place[hits], group[order][hits])), shape=(len(with_right), n_groups)),
        )

    def figures(self, weights: Array | NDArray[np.uint8]) -> tuple[Array, Array]:
        """Average precision and ROC-AUC with weighted groups.

        Parameters
        ----------
        weights : (n_groups, n_samples) weight of each group in each sample.

        Returns
        -------
        Average precision (n_samples,) and ROC-AUC (n_samples,); NaN if undefined.
        """
        n_samples = weights.shape[1]
        block = max(1, BLOCK_CELLS // self.pieces.shape[0])
        parts = [
            self._figures(weights[:, start : start + block].astype(np.float64)) for start in range(0, n_samples, block)
        ]
        return np.concatenate([p for p, _ in parts]), np.concatenate([a for _, a in parts])

    def _figures(self, weights: Array) -> tuple[Array, Array]:
        songs = self.pieces @ weights
        right = self.right @ weights
        ahead = np.cumsum(songs, axis=0)[1::2]
        found = np.cumsum(right, axis=0)
        wrong_own = songs[1::2] - right
        n_right = right.sum(axis=0)
        n_wrong = songs.sum(axis=0) - n_right
        precision = np.divide(found, ahead, out=np.zeros_like(found), where=ahead > 0)
        wrong_ahead = (ahead - found) - wrong_own / 2.0
        undefined = np.full(weights.shape[1], np.nan)
        average = np.divide((right * precision).sum(axis=0), n_right, out=undefined.copy(), where=n_right > 0)
        pairs = n_right * n_wrong
        lost = np.divide((right * wrong_ahead).sum(axis=0), pairs, out=undefined.copy(), where=pairs > 0)
        return average, 1.0 - lost


def threshold_precision(found: NDArray[np.int64], ahead: NDArray[np.int64], n_right: int, n: int) -> float:
    """Average precision of a ranking whose last part is unknown and counts as one threshold at the end.

    Parameters
    ----------
    found : (k,) number of positives at each threshold that has any, highest threshold first.
    ahead : (k,) number of items at or above each of these thresholds.
    n_right : total number of positives; those not in ``found`` are at the end.
    n : total number of items.
    """
    above = np.cumsum(found)
    told = int(above[-1]) if len(above) else 0
    precisions = float((found * (above / ahead)).sum()) if told else 0.0
    return (precisions + (n_right - told) * n_right / n) / n_right


def average_precision(scores: Array, truth: NDArray[np.bool_]) -> float:
    """Average precision of one ranking with equal weights.

    Parameters
    ----------
    scores : (n_songs,) scores for one genre; equal scores form one threshold.
    truth : (n_songs,) whether the song has the genre.

    Returns
    -------
    0 to 1; NaN if no song has the genre.
    """
    ranking = Ranking.of(scores, truth, np.zeros(len(scores), dtype=np.int64), 1)
    return float(ranking.figures(np.ones((1, 1)))[0][0])
