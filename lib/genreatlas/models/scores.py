"""From scores of rows to scores of songs, which :mod:`genreatlas.metrics` judges, on every engine.

A song may have many rows (clips, frames). Its score of a genre is the mean over its rows, so that a
long song counts as much as a short one.
"""

from dataclasses import dataclass

import numpy as np

from genreatlas.metrics import Score, score
from genreatlas.models.calibration import Array


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


def score_rows(metric: str, song: Array, y: Array, scores: Array) -> Score:
    """Score rows at song level by their mean score; shapes as in :func:`sum_by_song` and :func:`truth_by_song`."""
    return score(metric, truth_by_song(song, y), sum_by_song(song, scores).means)
