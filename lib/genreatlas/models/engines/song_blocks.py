"""Scores of songs block by block, so that no array of all songs × all genres is in memory.

100,000 songs × 3,000 genres are 2.4 GB of float64. Callers reduce each block of :func:`song_blocks` to what they need
of a song: a prediction, the rank of its genre, or the input of calibration. :func:`top_scores` and :func:`true_ranks`
are two such reductions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from genreatlas.arrays import AnyArray
from genreatlas.models.engines.file_models import FileModel, blocks

#: Number of highest scores that are kept of a song; with at most this number of genres all scores are kept.
TOP = 100

#: Size of a block in bytes of float32 values: 4 million float64 scores, 32 MB.
BLOCK_BYTES = 32_000_000


@dataclass(frozen=True)
class SongBlock:
    """Scores of some songs.

    Attributes
    ----------
    songs : (n,) int, indices of the songs, ascending.
    rows : (n,) int, first row of each song in the matrix; ``y[rows]`` are the songs' genres.
    means : (n, n_classes) float64, mean score of each class over the song's rows.
    """

    songs: NDArray[np.int64]
    rows: NDArray[np.int64]
    means: NDArray[np.float64]


def song_blocks(
    model: FileModel, X: AnyArray, song: AnyArray, rows: AnyArray, block_bytes: int = BLOCK_BYTES
) -> Iterator[SongBlock]:
    """Score whole songs of a training matrix, some at a time.

    Parameters
    ----------
    model : model that scores.
    X, song : arrays of :class:`genreatlas.datasets.types.Matrix`; X may be memory-mapped.
    rows : (n_rows,) int, the rows to score; all rows of a song are scored together, in their order.
    block_bytes : size of the values and scores of a block in float32; the rows of a song are never divided.

    Yields
    ------
    :class:`SongBlock`, with each song once, in the order of song indices. Scores do not depend on ``block_bytes``.
    """
    rows = np.asarray(rows)
    of_row = np.asarray(song[rows])
    if np.any(of_row[1:] < of_row[:-1]):
        order = np.argsort(of_row, kind="stable")
        rows, of_row = rows[order], of_row[order]
    starts = np.flatnonzero(np.diff(of_row, prepend=-1))
    counts = np.diff(np.append(starts, len(rows)))
    most = max(1, block_bytes // (4 * (X.shape[1] + 2 * model.n_classes)))
    at = 0
    while at < len(starts):
        until = max(at + 1, int(np.searchsorted(starts + counts, starts[at] + most, side="right")))
        part = rows[starts[at] : starts[until - 1] + counts[until - 1]]
        scores = model.matrix_scores(X, part, song)
        means = scores
        if len(part) > until - at:
            means = sums_of_runs(scores, starts[at:until] - starts[at])
            means /= counts[at:until, None]
        yield SongBlock(of_row[starts[at:until]].astype(np.int64), rows[starts[at:until]].astype(np.int64), means)
        at = until


def sums_of_runs(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over contiguous runs of rows, added in order as Spark adds clips; ``reduceat`` adds in another order.

    Parameters
    ----------
    values : (n_rows, n) float.
    starts : (n_runs,) first row of each run, ascending from 0.

    Returns
    -------
    (n_runs, n) float.
    """
    ends = np.append(starts, len(values))
    runs = sparse.csr_array((np.ones(len(values)), np.arange(len(values)), ends), shape=(len(starts), len(values)))
    return np.asarray(runs @ values)


def top_scores(means: NDArray[np.float64], k: int = TOP) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The k highest scores of each song, highest first; ties by class index.

    Parameters
    ----------
    means : (n_songs, n_classes) float.

    Returns
    -------
    Class indices and scores, each (n_songs, min(k, n_classes)).
    """
    n_classes = means.shape[1]
    if k < n_classes:
        # All scores above the k-th highest, and of the scores equal to it those of the first classes.
        bound = -np.partition(-means, k - 1, axis=1)[:, k - 1 : k]
        above = means > bound
        room = k - above.sum(axis=1, keepdims=True)
        equal = means == bound
        kept = above | (equal & (np.cumsum(equal, axis=1) <= room))
        places = np.nonzero(kept)[1].reshape(len(means), k)
    else:
        places = np.tile(np.arange(n_classes), (len(means), 1))
    scores = np.take_along_axis(means, places, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1).astype(np.int32), np.take_along_axis(scores, order, axis=1)


def true_ranks(
    means: NDArray[np.float64], song: NDArray[np.integer], genre: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Score and rank of true genres.

    Parameters
    ----------
    means : (n_songs, n_classes) float.
    song, genre : (n,) row of the song in ``means`` and index of its class, one pair for each true genre.

    Returns
    -------
    For each pair (n,): its score, the number of classes with a higher score, and with the same (itself included).
    """
    score = means[song, genre]
    greater, equal = np.empty(len(song), dtype=np.int64), np.empty(len(song), dtype=np.int64)
    for block in blocks(len(song), means.shape[1], BLOCK_BYTES):
        values, mine = means[song[block]], score[block, None]
        greater[block], equal[block] = (values > mine).sum(axis=1), (values == mine).sum(axis=1)
    return score, greater, equal
