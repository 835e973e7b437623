"""Judge scores of rows at song level: what selects a candidate, on every engine.

A song may have many rows (clips, frames). Its score of a genre is the mean over its rows, so that a
long song counts as much as a short one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, recall_score

from genreatlas.errors import ConfigError

Array = NDArray[Any]


@dataclass(frozen=True)
class SongScores:
    """Scores of rows, summed up per song.

    Attributes
    ----------
    songs : (n_songs,) int, the song indices, ascending.
    sums : (n_songs, n_classes) float64, scores summed over the song's rows.
    votes : (n_songs, n_classes) int64, rows whose highest score is the class.
    n_rows : (n_songs,) int64, rows of the song.
    """

    songs: Array
    sums: Array
    votes: Array
    n_rows: Array

    @property
    def means(self) -> Array:
        """Mean score of each class, (n_songs, n_classes)."""
        return self.sums / self.n_rows[:, None]


def sum_by_song(song: Array, scores: Array) -> SongScores:
    """Aggregate rows by song.

    Parameters
    ----------
    song : (n_rows,) int, song index of each row, in any order.
    scores : (n_rows, n_classes) float; higher means more likely.
    """
    songs, position = np.unique(song, return_inverse=True)
    n_classes = scores.shape[1]
    best = np.argmax(scores, axis=1)
    votes = np.bincount(position * n_classes + best, minlength=len(songs) * n_classes).reshape(len(songs), n_classes)
    sums = np.stack(
        [np.bincount(position, weights=scores[:, k], minlength=len(songs)) for k in range(n_classes)], axis=1
    )
    return SongScores(songs, sums, votes, np.bincount(position, minlength=len(songs)))


def add_songs(one: SongScores, other: SongScores) -> SongScores:
    """Add up the aggregates of two blocks of rows; a song may have rows in both."""
    songs, position = np.unique(np.concatenate([one.songs, other.songs]), return_inverse=True)
    sums = np.zeros((len(songs), one.sums.shape[1]))
    votes = np.zeros(sums.shape, dtype=np.int64)
    n_rows = np.zeros(len(songs), dtype=np.int64)
    np.add.at(sums, position, np.concatenate([one.sums, other.sums]))
    np.add.at(votes, position, np.concatenate([one.votes, other.votes]))
    np.add.at(n_rows, position, np.concatenate([one.n_rows, other.n_rows]))
    return SongScores(songs, sums, votes, n_rows)


def predicted_by_mean(scores: SongScores) -> Array:
    """Class with the highest mean score, (n_songs,); the first of equal ones."""
    return np.asarray(np.argmax(scores.means, axis=1))


def predicted_by_vote(scores: SongScores) -> Array:
    """Class with most votes, (n_songs,); a tie goes to the higher mean score."""
    tied = scores.votes == scores.votes.max(axis=1, keepdims=True)
    return np.asarray(np.argmax(np.where(tied, scores.means, -np.inf), axis=1))


def truth_by_song(song: Array, y: Array) -> Array:
    """Label of each song in the order of :class:`SongScores`, from its first row.

    Parameters
    ----------
    song : (n_rows,) int.
    y : (n_rows,) int class index, or (n_rows, n_classes) bool where a song has several genres.
    """
    _, first = np.unique(song, return_index=True)
    return np.asarray(y[first])


def metric_for(metric: str, multi: bool) -> str:
    """Metric that really selects: songs with several genres are judged by ranking alone.

    With ``multi`` labels there is no single right answer, so every metric of single labels is
    replaced by ``macro_average_precision``.
    """
    if metric not in METRICS:
        raise ConfigError(f"train.metric = {metric!r}: unknown. Known: {', '.join(METRICS)}.")
    return "macro_average_precision" if multi and not metric.endswith("average_precision") else metric


def score(metric: str, truth: Array, scores: Array) -> float:
    """Score one row of class scores per song.

    Parameters
    ----------
    metric : a key of ``METRICS``.
    truth : (n_songs,) int class index, or (n_songs, n_classes) bool.
    scores : (n_songs, n_classes) float.

    Returns
    -------
    0..1, higher is better. ``macro_f1`` averages over all declared classes, and one without a song
    and without a prediction counts 0; ``balanced_accuracy`` and average precision leave out classes
    without a song, for which they are undefined.

    Raises
    ------
    ConfigError : an unknown metric, or a metric of single labels asked of several.
    ValueError : no songs.
    """
    if metric not in METRICS:
        raise ConfigError(f"train.metric = {metric!r}: unknown. Known: {', '.join(METRICS)}.")
    if len(truth) == 0:
        raise ValueError("no songs to score")
    if truth.ndim == 2 and not metric.endswith("average_precision"):
        raise ConfigError(f"train.metric = {metric!r} needs one genre a song; use macro_average_precision.")
    return float(METRICS[metric](truth, scores))


def score_rows(metric: str, song: Array, y: Array, scores: Array) -> float:
    """Score rows at song level by their mean score; shapes as in :func:`sum_by_song` and :func:`truth_by_song`."""
    return score(metric, truth_by_song(song, y), sum_by_song(song, scores).means)


def one_hot(truth: Array, n_classes: int) -> Array:
    """Truth as (n_songs, n_classes) bool; already two-dimensional truth is returned as it is."""
    return truth.astype(bool) if truth.ndim == 2 else truth[:, None] == np.arange(n_classes)


def _accuracy(truth: Array, scores: Array) -> float:
    return accuracy_score(truth, np.argmax(scores, axis=1))


def _balanced_accuracy(truth: Array, scores: Array) -> float:
    present = np.unique(truth)
    return recall_score(truth, np.argmax(scores, axis=1), labels=present, average="macro", zero_division=0)


def _f1(average: str) -> Callable[[Array, Array], float]:
    def of(truth: Array, scores: Array) -> float:
        labels = np.arange(scores.shape[1])
        return f1_score(truth, np.argmax(scores, axis=1), labels=labels, average=average, zero_division=0)

    return of


def _macro_average_precision(truth: Array, scores: Array) -> float:
    hits = one_hot(truth, scores.shape[1])
    present = np.flatnonzero(hits.any(axis=0))
    if len(present) == 0:
        raise ValueError("no song has a genre to rank")
    return float(np.mean([average_precision_score(hits[:, k], scores[:, k]) for k in present]))


def _micro_average_precision(truth: Array, scores: Array) -> float:
    hits = one_hot(truth, scores.shape[1])
    if not hits.any():
        raise ValueError("no song has a genre to rank")
    return float(average_precision_score(hits.ravel(), scores.ravel()))


#: Metric name = (truth, scores) -> figure; see :func:`score`.
METRICS: dict[str, Callable[[Array, Array], float]] = {
    "macro_f1": _f1("macro"),
    "weighted_f1": _f1("weighted"),
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_average_precision": _macro_average_precision,
    "micro_average_precision": _micro_average_precision,
}
