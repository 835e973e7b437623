"""Scores of songs by models that were fitted without them, as calibration and prediction sets need them.

Scores of few genres are kept; of thousands the models are kept instead, and score block by block each time that they
are asked, so that no array of songs × genres is held.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray, RowIndex
from genreatlas.models.confidence import Confidence
from genreatlas.models.confidence_fits import Block, fit_confidence
from genreatlas.models.confidence_weights import weigh
from genreatlas.models.engines.file_models import FileModel
from genreatlas.models.engines.song_blocks import SongBlock, song_blocks

Array = AnyArray

#: Scores of a fold that are kept rather than made twice: 64 MB of float32.
KEPT_CELLS = 16_000_000

#: With so many songs scored, further parts are not fitted: a quantile of so many independent ones is known to a fifth
#: of a point, and with thousands of genres each part is a fit of minutes.
ENOUGH_SONGS = 25_000

#: Parts of the artists at least and at most, and artists of a genre from which fewer are enough.
LEAST_PARTS, MOST_PARTS, MANY_ARTISTS = 6, 30, 50
#: Songs that are fitted on for confidence, over all parts: so many fits, but at least :data:`LEAST_PARTS`.
_FITTED_SONGS = 120_000


def parts_to_hold_out(fold: Array, group: Array, y: Array, song: Array) -> list[tuple[Array, Array]]:
    """(rows to fit, rows held out) for pieces of each fold's groups.

    A model that is fitted without some artists of a genre is worse than the one that knows all, and its sets would be
    too large for that one: with 3 to 8 artists a genre, 90 % sets cover 91 to 95 % with six parts, and 90 % with
    thirty. So the fewer artists genres have, the smaller are the parts; of large tables some are enough.

    Parameters
    ----------
    fold, group, y, song : arrays of the training matrix.
    """
    y, group = np.asarray(y), np.asarray(group)
    first = np.unique(np.asarray(song), return_index=True)[1]
    artists = np.unique(np.stack([y[first], group[first].astype(np.int64)]), axis=1)[0]
    usual = float(np.median(np.bincount(artists)[y[first]]))  # of the genre that a song is of
    n_folds = len(np.unique(fold))
    asked = np.clip(LEAST_PARTS * MANY_ARTISTS / usual, LEAST_PARTS, MOST_PARTS)
    pieces = max(1, int(np.ceil(asked / n_folds - 1e-9)))
    # The first piece of each fold, then the second, so that some parts are of all folds.
    numbers = np.unique(group, return_inverse=True)[1]
    part = (numbers % pieces) * (int(np.max(fold)) + 1) + np.asarray(fold, dtype=np.int64)
    most = max(LEAST_PARTS, _FITTED_SONGS // len(first))
    return [(np.flatnonzero(part != one), np.flatnonzero(part == one)) for one in np.unique(part)[:most]]


@dataclass(frozen=True)
class _Known:
    """Scores that were made before, in place of a model."""

    rows: Array
    n_classes: int

    def matrix_scores(self, X: Array, rows: RowIndex, song: Array) -> Array:
        return np.asarray(self.rows[rows])


class HeldOut:
    """Songs of some folds with the scores of a model that was fitted without their fold.

    Parameters
    ----------
    X, y, song, group : arrays of the training matrix (:class:`genreatlas.datasets.types.Matrix`), one genre a song.
    """

    def __init__(self, X: Array, y: Array, song: Array, group: Array, n_classes: int) -> None:
        self._X, self._y, self._song, self._group = X, np.asarray(y), song, np.asarray(group)
        self._n_classes = n_classes
        self._kept: list[SongBlock] = []
        self._models: list[tuple[FileModel, Array]] = []
        #: Of each row of a song that was added, the artists of its genre that its model was fitted on; -1 of others.
        self._known = np.full(len(self._y), -1, dtype=np.int64)
        self.n_songs = 0

    def add(self, model: FileModel, fitted: Array, rows: Array) -> None:
        """Add the songs of a fold.

        Parameters
        ----------
        model : gives probabilities.
        fitted : places of the rows in the matrix that it was fitted on.
        rows : places of the fold's rows, ascending.
        """
        if self._count(fitted, rows) * self._n_classes <= KEPT_CELLS:
            self._kept += self._kept_scores(model, rows)
        else:
            self._models.append((model, rows))

    def add_scores(self, scores: Array, parts: Iterable[tuple[Array, Array]]) -> None:
        """Add songs with scores (n_rows, n_classes) that were made before, such as calibrated margins.

        Parameters
        ----------
        parts : of each model that scored, the rows that it was fitted on and those that it scored.
        """
        for fitted, rows in parts:
            self._count(fitted, rows)
            self._kept += self._kept_scores(_Known(scores, self._n_classes), rows)

    def confidence(self) -> tuple[Confidence | None, list[str]]:
        """Temperatures and prediction sets, None where the songs say too little; and what is to be noted."""
        first = np.unique(np.asarray(self._song), return_index=True)[1]
        scored = first[self._known[first] >= 0]
        weighing = weigh(self._known[scored], self._group[scored])
        weight = np.zeros(len(self._y))
        weight[scored] = weighing.weight
        found = fit_confidence(partial(self._blocks, weight), self._n_classes, unheard=weighing.unheard)
        if not weighing.unheard:
            return found, []
        lacking = f"{weighing.unheard:.0%} of the songs are of genres with no artist to spare"
        what = "prediction sets are larger for it" if found else "neither calibrated nor given prediction sets"
        return found, [f"{lacking}: {what}"]

    def _count(self, fitted: Array, rows: Array) -> int:
        """Note what a model knew of the genres of rows that it scores; the number of their songs."""
        self._known[rows] = self._artists(fitted)[self._y[rows]]
        n_songs = len(np.unique(self._song[rows]))
        self.n_songs += n_songs
        return n_songs

    def _artists(self, rows: Array) -> NDArray[np.int64]:
        """Artists of each genre among some rows, (n_classes,)."""
        pairs = np.unique(self._group[rows].astype(np.int64) * self._n_classes + self._y[rows])
        return np.bincount(pairs % self._n_classes, minlength=self._n_classes)

    def _blocks(self, weight: NDArray[np.float64]) -> Iterator[Block]:
        """Mean scores of the songs that stand for any, block by block, the same each time."""
        scored = (found for model, rows in self._models for found in song_blocks(model, self._X, self._song, rows))
        for found in chain(self._kept, scored):
            inside = weight[found.rows] > 0
            rows = found.rows[inside]
            yield Block(found.means[inside].astype(np.float32), self._y[rows], self._group[rows], weight[rows])

    def _kept_scores(self, model: Any, rows: Array) -> Iterator[SongBlock]:
        for found in song_blocks(model, self._X, self._song, rows):
            yield SongBlock(found.songs, found.rows, found.means.astype(np.float32))
