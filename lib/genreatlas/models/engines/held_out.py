"""Scores of songs by models that were fitted without them, for fitting calibration and prediction sets.

For few genres the scores are kept. For thousands of genres the models are kept instead and score block by block each
time, so that no array of songs × genres is in memory.
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

#: Up to this number of scores (64 MB of float32) the scores of a fold are kept; above, they are computed twice.
KEPT_CELLS = 16_000_000

#: No further parts are fitted once this number of songs has scores. The standard error of a quantile is then a fifth of
#: a point for independent songs, and with thousands of genres each fit takes minutes.
ENOUGH_SONGS = 25_000
#: The same per genre. With 10 songs per genre, no genre had enough songs in half of the artists to join a cluster of
#: genres with similar scores. With 3,000 genres the gap of coverage by genre was then 2.3 points above chance; with 30
#: songs per genre it is 1.1 points (docs/calibration.md).
ENOUGH_SONGS_PER_GENRE = 30

#: Minimum and maximum number of parts, and number of artists per genre from which the minimum suffices.
LEAST_PARTS, MOST_PARTS, MANY_ARTISTS = 6, 30, 50
#: Bound on the number of songs in all fits for confidence; at least :data:`LEAST_PARTS` models are fitted.
_FITTED_SONGS = 120_000


def parts_to_hold_out(fold: Array, group: Array, y: Array, song: Array) -> list[tuple[Array, Array]]:
    """Split each fold's groups into parts that are held out one after the other.

    A model fitted without some artists of a genre is worse than the final model, so that sets fitted on its scores are
    too large for the final model: with 3 to 8 artists per genre, 90 % sets cover 91 to 95 % with 6 parts, and 90 % with
    30. So parts are smaller if genres have few artists. For large tables only some of the parts are returned.

    Parameters
    ----------
    fold, group, y, song : arrays of the training matrix.

    Returns
    -------
    (rows to fit, rows held out) for each part.
    """
    y, group = np.asarray(y), np.asarray(group)
    first = np.unique(np.asarray(song), return_index=True)[1]
    artists = np.unique(np.stack([y[first], group[first].astype(np.int64)]), axis=1)[0]
    usual = float(np.median(np.bincount(artists)[y[first]]))  # over songs: artists of the song's genre
    n_folds = len(np.unique(fold))
    asked = np.clip(LEAST_PARTS * MANY_ARTISTS / usual, LEAST_PARTS, MOST_PARTS)
    pieces = max(1, int(np.ceil(asked / n_folds - 1e-9)))
    # Order: the first piece of each fold, then the second, so that the first parts cover all folds.
    numbers = np.unique(group, return_inverse=True)[1]
    part = (numbers % pieces) * (int(np.max(fold)) + 1) + np.asarray(fold, dtype=np.int64)
    most = max(LEAST_PARTS, _FITTED_SONGS // len(first))
    return [(np.flatnonzero(part != one), np.flatnonzero(part == one)) for one in np.unique(part)[:most]]


@dataclass(frozen=True)
class _Known:
    """Stored scores with the interface of a model."""

    rows: Array
    n_classes: int

    def matrix_scores(self, X: Array, rows: RowIndex, song: Array) -> Array:
        return np.asarray(self.rows[rows])


class HeldOut:
    """Held-out songs with scores of models that were fitted without them.

    Parameters
    ----------
    X, y, song, group : arrays of the training matrix (:class:`genreatlas.datasets.types.Matrix`), one genre per song.
    n_classes : number of genres.
    """

    def __init__(self, X: Array, y: Array, song: Array, group: Array, n_classes: int) -> None:
        self._X, self._y, self._song, self._group = X, np.asarray(y), song, np.asarray(group)
        self._n_classes = n_classes
        self._kept: list[SongBlock] = []
        self._models: list[tuple[FileModel, Array]] = []
        #: (n_rows,) number of artists of the row's genre in the fit of the model that scored it; -1 if not scored.
        self._known = np.full(len(self._y), -1, dtype=np.int64)
        self.n_songs = 0

    def add(self, model: FileModel, fitted: Array, rows: Array) -> None:
        """Add held-out songs with a model that scores them.

        Parameters
        ----------
        model : model that returns probabilities.
        fitted : indices of the rows that it was fitted on.
        rows : indices of the held-out rows, ascending.
        """
        if self._count(fitted, rows) * self._n_classes <= KEPT_CELLS:
            self._kept += self._kept_scores(model, rows)
        else:
            self._models.append((model, rows))

    def add_scores(self, scores: Array, parts: Iterable[tuple[Array, Array]]) -> None:
        """Add held-out songs with existing scores, such as calibrated margins.

        Parameters
        ----------
        scores : (n_rows, n_classes) probabilities of all rows of the matrix.
        parts : (rows that the model was fitted on, rows that it scored) for each model.
        """
        for fitted, rows in parts:
            self._count(fitted, rows)
            self._kept += self._kept_scores(_Known(scores, self._n_classes), rows)

    @property
    def is_enough(self) -> bool:
        """Whether no further parts need to be fitted."""
        return self.n_songs >= max(ENOUGH_SONGS, ENOUGH_SONGS_PER_GENRE * self._n_classes)

    def confidence(self) -> tuple[Confidence | None, list[str]]:
        """Fit temperatures and prediction sets.

        Returns
        -------
        The fit, None if there are too few songs; and notes for the user.
        """
        first = np.unique(np.asarray(self._song), return_index=True)[1]
        scored = first[self._known[first] >= 0]
        weighing = weigh(self._known[scored], self._group[scored])
        weight = np.zeros(len(self._y))
        weight[scored] = weighing.weight
        found = fit_confidence(partial(self._blocks, weight), self._n_classes, unheard=weighing.unheard)
        if not weighing.unheard:
            return found, []
        lacking = f"{weighing.unheard:.0%} of the songs are of genres with too few artists to hold one out"
        what = "prediction sets are larger as a result" if found else "no calibration and no prediction sets"
        return found, [f"{lacking}: {what}"]

    def _count(self, fitted: Array, rows: Array) -> int:
        """Store the number of artists per genre in a model's fit for the rows it scores; return their song count."""
        self._known[rows] = self._artists(fitted)[self._y[rows]]
        n_songs = len(np.unique(self._song[rows]))
        self.n_songs += n_songs
        return n_songs

    def _artists(self, rows: Array) -> NDArray[np.int64]:
        """Number of artists of each genre among some rows, (n_classes,)."""
        pairs = np.unique(self._group[rows].astype(np.int64) * self._n_classes + self._y[rows])
        return np.bincount(pairs % self._n_classes, minlength=self._n_classes)

    def _blocks(self, weight: NDArray[np.float64]) -> Iterator[Block]:
        """Mean scores of the songs with weight above 0, block by block; the same at each call."""
        scored = (found for model, rows in self._models for found in song_blocks(model, self._X, self._song, rows))
        for found in chain(self._kept, scored):
            inside = weight[found.rows] > 0
            rows = found.rows[inside]
            yield Block(found.means[inside].astype(np.float32), self._y[rows], self._group[rows], weight[rows])

    def _kept_scores(self, model: Any, rows: Array) -> Iterator[SongBlock]:
        for found in song_blocks(model, self._X, self._song, rows):
            yield SongBlock(found.songs, found.rows, found.means.astype(np.float32))
