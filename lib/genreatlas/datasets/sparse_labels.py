"""Labels of rows that may have several genres, kept as pairs of row and genre: few of thousands are true of a row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray

#: Truth values that are made at once.
_CELLS = 32_000_000


@dataclass(frozen=True)
class SparseLabels:
    """Truth values (n_rows, n_classes), made of the rows that are asked for: ``labels[rows]`` is an array of bool.

    Attributes
    ----------
    start : (n_rows + 1,) int, where each row's genres begin.
    genre : (n_labels,) int32, class indices, ascending within a row.
    n_classes : genres.
    """

    start: NDArray[np.integer]
    genre: NDArray[np.int32]
    n_classes: int

    ndim = 2

    @classmethod
    def of(cls, genres: Sequence[Sequence[int]], n_classes: int) -> SparseLabels:
        """From the class indices of each row."""
        start = np.concatenate([[0], np.cumsum([len(mine) for mine in genres])]).astype(np.int64)
        flat = [genre for mine in genres for genre in sorted(mine)]
        return cls(start, np.array(flat, dtype=np.int32), n_classes)

    @classmethod
    def from_array(cls, packed: NDArray[np.int64]) -> SparseLabels:
        """What :attr:`packed` gave; it may lie in a file."""
        n_classes, n_rows = int(packed[0]), int(packed[1])
        return cls(packed[2 : n_rows + 3], packed[n_rows + 3 :].astype(np.int32), n_classes)

    @property
    def packed(self) -> NDArray[np.int64]:
        """All of it in one array: classes, rows, where each begins, genres."""
        head = np.array([self.n_classes, len(self)], dtype=np.int64)
        return np.concatenate([head, self.start.astype(np.int64), self.genre.astype(np.int64)])

    @property
    def shape(self) -> tuple[int, int]:
        """As of the array of truth values."""
        return len(self), self.n_classes

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, rows: Any) -> NDArray[np.bool_]:
        """Truth values of some rows, given by a slice, indices or truth values."""
        chosen = np.arange(len(self))[rows]
        one = chosen.ndim == 0
        places, genres = self.pairs(np.atleast_1d(chosen))
        found = np.zeros((1 if one else len(chosen), self.n_classes), dtype=bool)
        found[places, genres] = True
        return found[0] if one else found

    def pairs(self, rows: NDArray[np.integer] | None = None) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Place among the rows and class of every label of some rows, or of all, row after row."""
        chosen = np.arange(len(self)) if rows is None else np.asarray(rows)
        first = np.asarray(self.start)[chosen]
        counts = np.asarray(self.start)[chosen + 1] - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(np.arange(len(chosen)), counts), self.genre[np.repeat(first, counts) + within]

    def columns(self, first: int, last: int) -> NDArray[np.bool_]:
        """Truth values of the classes from one to before another, of all rows."""
        places, genres = self.pairs()
        mine = (genres >= first) & (genres < last)
        found = np.zeros((len(self), last - first), dtype=bool)
        found[places[mine], genres[mine] - first] = True
        return found

    def take(self, rows: NDArray[np.integer]) -> SparseLabels:
        """Labels of some rows."""
        places, genres = self.pairs(rows)
        start = np.searchsorted(places, np.arange(len(rows) + 1))
        return SparseLabels(start, genres, self.n_classes)

    def sha256(self) -> str:
        """Of the array of truth values, which is never there as a whole."""
        digest = hashlib.sha256()
        step = max(1, _CELLS // max(1, self.n_classes))
        for at in range(0, len(self), step):
            digest.update(self[at : at + step].tobytes())
        return digest.hexdigest()


def labels_of(array: AnyArray, multi: bool) -> Any:
    """Labels as the file of a training matrix has them: numbers, or several of a row."""
    return SparseLabels.from_array(array) if multi and array.ndim == 1 else array


def take_labels(labels: AnyArray | SparseLabels, rows: NDArray[np.integer]) -> AnyArray | SparseLabels:
    """Labels of some rows, sparse where they were."""
    return labels.take(rows) if isinstance(labels, SparseLabels) else labels[rows]
