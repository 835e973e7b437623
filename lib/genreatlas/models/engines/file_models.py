"""Models in memory that score matrices and clips without Spark: protocol and shared code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray, RowIndex
from genreatlas.errors import ModelError
from genreatlas.models.types import ScoreKind

if TYPE_CHECKING:  # Spark tasks import this module without configuration
    import pyarrow as pa


class FileModel(Protocol):
    """A model in memory that needs no Spark."""

    @property
    def n_classes(self) -> int:
        """Number of genres."""
        ...

    @property
    def multi(self) -> bool:
        """Whether a song may have several genres."""
        ...

    @property
    def score_kind(self) -> ScoreKind:
        """Kind of the scores: probability or margin."""
        ...

    @property
    def format(self) -> str:
        """Format of the model's file."""
        ...

    def dumps(self) -> bytes:
        """Content of the model's file."""
        ...

    def matrix_scores(self, X: AnyArray, rows: RowIndex, song: AnyArray) -> NDArray[np.float64]:
        """Score some rows of a training matrix.

        Parameters
        ----------
        X : the matrix, which may be memory-mapped.
        rows : index of the rows, or a slice.
        song : key of the song of each row of X.

        Returns
        -------
        (n_rows, n_classes)
        """
        ...

    def clip_scores(self, clips: Clips) -> ClipScores:
        """Sums of scores over the rows of each clip."""
        ...


@dataclass(frozen=True)
class Clips:
    """Clips to be scored.

    Attributes
    ----------
    songs, clips : ids of songs and clips.
    column : list of values of each clip, row by row; NULL or NaN = missing. Frames are in order of time.
    lengths : (n_clips,) number of values of each clip.
    widths : (n_clips,) number of values per row of each clip.
    several : whether a clip has several rows, such as frames; else one row.
    """

    songs: pa.Array
    clips: pa.Array
    column: pa.ListArray
    lengths: NDArray[np.int64]
    widths: NDArray[np.int64]
    several: bool

    @property
    def values(self) -> NDArray[np.float32]:
        """Values of all clips, flat; NaN = missing."""
        return np.asarray(self.column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False))

    def rows(self, n_features: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Number of rows of each clip, (n_clips,), and all rows, (n_rows, n_features).

        Raises
        ------
        ModelError : the rows of a clip do not have ``n_features`` values.
        """
        wrong = (self.widths != n_features) | (self.lengths % max(n_features, 1) != 0)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ModelError(
                f"clip {self.clips[at]} has {self.widths[at]} features; the model was trained on {n_features}"
            )
        return self.lengths // n_features, self.values.reshape(-1, n_features)


@dataclass(frozen=True)
class ClipScores:
    """Predictions for clips.

    Attributes
    ----------
    n_rows : (n_clips,) number of scored rows of each clip.
    sums : (n_clips, n_classes) sums of the scores of these rows.
    votes : (n_clips, n_classes) number of rows that predict the class.
    """

    n_rows: NDArray[np.int64]
    sums: NDArray[np.float64]
    votes: NDArray[np.int64]


class RowModel:
    """Base of models that score each row on its own; implements :class:`FileModel` with the method ``scores``.

    A subclass has ``format``, ``n_classes``, ``n_features``, ``multi``, ``score_kind``, ``dumps`` and ``scores``. If
    its ``score_kind`` is margin it may have ``calibrated``, which returns the model with a sigmoid for each class.
    """

    def matrix_scores(self: Any, X: AnyArray, rows: RowIndex, song: AnyArray) -> NDArray[np.float64]:
        """Score some rows of a training matrix; see :meth:`FileModel.matrix_scores`."""
        return np.asarray(self.scores(X[rows]))

    def clip_scores(self: Any, clips: Clips) -> ClipScores:
        """Sums of scores over the rows of each clip.

        Raises
        ------
        ModelError : the rows of a clip have another number of features than in training.
        """
        n_rows, X = clips.rows(self.n_features)
        clip_of_row = np.repeat(np.arange(len(n_rows)), n_rows)
        sums = np.zeros((len(n_rows), self.n_classes))
        counted = np.zeros((len(n_rows), self.n_classes), dtype=np.int64)
        single = len(X) == len(n_rows) and bool((n_rows == 1).all())
        for block in blocks(len(X), self.n_features + 4 * self.n_classes):  # a score and a vote are 16 bytes
            scores = self.scores(X[block])
            if single:  # takes a tenth of the time with thousands of classes
                sums[block], counted[block] = scores, votes(scores, self)
                continue
            np.add.at(sums, clip_of_row[block], scores)
            np.add.at(counted, clip_of_row[block], votes(scores, self))
        return ClipScores(n_rows, sums, counted)


def votes(scores: NDArray[np.float64], model: FileModel) -> NDArray[np.int64]:
    """Votes (n_rows, n_classes): 1 for the class with the highest score; multi-label: for each predicted class."""
    if model.multi:
        return (scores > 0 if model.score_kind == "margin" else scores >= 0.5).astype(np.int64)
    found = np.zeros(scores.shape, dtype=np.int64)
    found[np.arange(len(scores)), np.argmax(scores, axis=1)] = 1
    return found


def release(version: str) -> list[int]:
    """Major and minor version of a library; earlier releases may not be able to read files of this version."""
    return [int(part) for part in re.findall(r"\d+", version)[:2]]


def blocks(n_rows: int, n_features: int, block_bytes: int = 32_000_000) -> Iterable[slice]:
    """Cut rows into slices of at most ``block_bytes`` of float32, so that scoring needs little memory."""
    step = max(1, block_bytes // max(1, 4 * n_features))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
