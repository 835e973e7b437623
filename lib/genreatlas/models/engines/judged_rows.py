"""Rows on which permutation importances are measured, as a file that is sent to every worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class JudgedRows:
    """Rows on which permutation importances are measured.

    Attributes
    ----------
    X : (n_rows, n_features) float32, NaN = missing; rows of a song are contiguous.
    song : (n_rows,) index of the song, ascending from 0 without gaps.
    donor : (repeats, n_rows) permutation: index of the row whose values a row gets.
    """

    X: NDArray[np.float32]
    song: NDArray[np.int64]
    donor: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file."""
        with path.open("wb") as file:
            np.savez(file, X=self.X, song=self.song, donor=self.donor)

    @classmethod
    def load(cls, path: str) -> JudgedRows:
        """Read the file; ``X`` is in memory and may be changed."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["X"], stored["song"], stored["donor"])
