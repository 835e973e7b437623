"""Scores of songs by models that were fitted without them, as calibration and prediction sets need them.

Scores of few genres are kept; of thousands the models are kept instead, and score block by block each time that they
are asked, so that no array of songs × genres is held.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.models.confidence_fits import Block
from genreatlas.models.engines.protocol import FileModel
from genreatlas.models.engines.song_blocks import song_blocks

Array = NDArray[Any]

#: Scores of a fold that are kept rather than made twice: 64 MB of float32.
KEPT_CELLS = 16_000_000

#: With so many songs scored, further folds are not fitted: a quantile of them is known to a fifth of a point.
ENOUGH_SONGS = 60_000


def half_folds(fold: Array, group: Array) -> list[tuple[Array, Array]]:
    """(rows to fit, rows held out) for halves of each fold's groups.

    A model that is fitted without a fifth of the songs is a little worse than the one fitted on all, and its sets would
    be a little too large for that one: measured with 75 songs a genre, 90 % sets covered 91.1 % with fifths.
    """
    part = 2 * np.asarray(fold, dtype=np.int64) + np.asarray(group) % 2
    parts = np.unique(part)
    return [(np.flatnonzero(part != one), np.flatnonzero(part == one)) for one in parts]


@dataclass(frozen=True)
class _Known:
    """Scores that were made before, in place of a model."""

    rows: Array
    n_classes: int

    def matrix_scores(self, X: Array, rows: Any, song: Array) -> Array:
        return np.asarray(self.rows[rows])


class HeldOut:
    """Songs of some folds with the scores of a model that was fitted without their fold.

    Parameters
    ----------
    X, y, song, group : arrays of the training matrix (:class:`genreatlas.datasets.types.Matrix`), one genre a song.
    """

    def __init__(self, X: Array, y: Array, song: Array, group: Array, n_classes: int) -> None:
        self._X, self._y, self._song, self._group = X, y, song, group
        self._n_classes = n_classes
        self._kept: list[Block] = []
        self._models: list[tuple[FileModel, Array]] = []
        self.n_songs = 0

    def add(self, model: FileModel, rows: Array) -> None:
        """Add the songs of a fold.

        Parameters
        ----------
        model : gives probabilities.
        rows : places of the fold's rows in the matrix, ascending.
        """
        n_songs = len(np.unique(self._song[rows]))
        self.n_songs += n_songs
        if n_songs * self._n_classes <= KEPT_CELLS:
            self._kept += list(self._scored(model, rows))
        else:
            self._models.append((model, rows))

    def add_scores(self, scores: Array) -> None:
        """Add all songs with scores (n_rows, n_classes) of held-out rows, such as calibrated margins."""
        self._kept += list(self._scored(_Known(scores, self._n_classes), np.arange(len(self._song))))
        self.n_songs += len(np.unique(self._song))

    def blocks(self) -> Iterator[Block]:
        """Mean scores of songs, block by block, the same each time."""
        yield from self._kept
        for model, rows in self._models:
            yield from self._scored(model, rows)

    def _scored(self, model: Any, rows: Array) -> Iterator[Block]:
        for found in song_blocks(model, self._X, self._song, rows):
            truth, group = (np.asarray(array[found.rows]) for array in (self._y, self._group))
            yield Block(found.means.astype(np.float32), truth, group)
