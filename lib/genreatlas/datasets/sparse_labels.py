"""Sparse multi-label targets, stored as pairs of row and genre: a row has few of thousands of genres."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray

#: Maximum cells of a dense block.
_CELLS = 32_000_000


@dataclass(frozen=True)
class SparseLabels:
    """Sparse boolean array (n_rows, n_classes); ``labels[rows]`` is a dense array of bool.

    Attributes
    ----------
    start : (n_rows + 1,) int, index into ``genre`` at which each row begins.
    genre : (n_labels,) int32, class indices, ascending within a row.
    n_classes : number of genres.
    """

    start: NDArray[np.integer]
    genre: NDArray[np.int32]
    n_classes: int

    ndim = 2

    @classmethod
    def of(cls, genres: Sequence[Sequence[int]], n_classes: int) -> SparseLabels:
        """Create from the class indices of each row."""
        start = np.concatenate([[0], np.cumsum([len(mine) for mine in genres])]).astype(np.int64)
        flat = [genre for mine in genres for genre in sorted(mine)]
        return cls(start, np.array(flat, dtype=np.int32), n_classes)

    @classmethod
    def from_array(cls, packed: NDArray[np.int64]) -> SparseLabels:
        """Create from the array of :attr:`packed`, which may be memory-mapped."""
        n_classes, n_rows = int(packed[0]), int(packed[1])
        return cls(packed[2 : n_rows + 3], packed[n_rows + 3 :].astype(np.int32), n_classes)

    @property
    def packed(self) -> NDArray[np.int64]:
        """All data in one array: n_classes, n_rows, start, genre."""
        head = np.array([self.n_classes, len(self)], dtype=np.int64)
        return np.concatenate([head, self.start.astype(np.int64), self.genre.astype(np.int64)])

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the dense array."""
        return len(self), self.n_classes

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, rows: Any) -> NDArray[np.bool_]:
        """Dense labels of the rows selected by a slice, indices or a boolean mask."""
        chosen = np.arange(len(self))[rows]
        one = chosen.ndim == 0
        places, genres = self.pairs(np.atleast_1d(chosen))
        found = np.zeros((1 if one else len(chosen), self.n_classes), dtype=bool)
        found[places, genres] = True
        return found[0] if one else found

    def pairs(self, rows: NDArray[np.integer] | None = None) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Row position (within ``rows``) and class of every label, in order of the rows; None for all rows."""
        chosen = np.arange(len(self)) if rows is None else np.asarray(rows)
        first = np.asarray(self.start)[chosen]
        counts = np.asarray(self.start)[chosen + 1] - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(np.arange(len(chosen)), counts), self.genre[np.repeat(first, counts) + within]

    def columns(self, first: int, last: int) -> NDArray[np.bool_]:
        """Dense labels of all rows for the classes ``first`` to ``last`` - 1."""
        places, genres = self.pairs()
        mine = (genres >= first) & (genres < last)
        found = np.zeros((len(self), last - first), dtype=bool)
        found[places[mine], genres[mine] - first] = True
        return found

    def take(self, rows: NDArray[np.integer]) -> SparseLabels:
        """Sparse labels of some rows."""
        places, genres = self.pairs(rows)
        start = np.searchsorted(places, np.arange(len(rows) + 1))
        return SparseLabels(start, genres, self.n_classes)

    def sha256(self) -> str:
        """SHA-256 of the dense array, computed block by block."""
        digest = hashlib.sha256()
        step = max(1, _CELLS // max(1, self.n_classes))
        for at in range(0, len(self), step):
            digest.update(self[at : at + step].tobytes())
        return digest.hexdigest()


def labels_of(array: AnyArray, multi: bool) -> Any:
    """Labels from the file of a training matrix: class indices, or :class:`SparseLabels` if packed."""
    return SparseLabels.from_array(array) if multi and array.ndim == 1 else array


def take_labels(labels: AnyArray | SparseLabels, rows: NDArray[np.integer]) -> AnyArray | SparseLabels:
    """Labels of some rows; sparse labels stay sparse."""
    return labels.take(rows) if isinstance(labels, SparseLabels) else labels[rows]
