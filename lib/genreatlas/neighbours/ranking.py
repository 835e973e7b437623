"""Nearest songs of one vector, with the same correction of hubs as in the table ``song_neighbours``."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from genreatlas.neighbours.search import SCALE_OF, Lists, local_scale, measure
from genreatlas.neighbours.space import Floats, Vectors

_NO_SCALE = 0.0


@dataclass(frozen=True)
class Ranking:
    """Vectors of all songs, and the correction of distances.

    Attributes
    ----------
    vectors : (n, n_features).
    weight : weight of local scales (``neighbour_spaces.scale_weight``); 0: distances are not corrected.
    scales : (n,) local scale of each song; not used if ``weight`` is 0.
    fitted : (n,) whether local scales are measured on the song.
    """

    vectors: Vectors
    weight: float
    scales: Floats
    fitted: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def _squares(self) -> Floats:
        found: Floats = np.einsum("ij,ij->i", self.vectors, self.vectors, dtype=np.float64)
        return found

    @cached_property
    def _pull(self) -> Floats | None:
        return self.weight * self.scales.astype(np.float64) if self.weight else None

    def nearest(self, vector: Vectors, place: int, k: int) -> Lists:
        """Find the k nearest songs of a vector.

        Parameters
        ----------
        vector : (n_features,).
        place : index of the song with this vector, which is left out; -1: the vector is not that of a song.
        k : number of songs.
        """
        k = min(k, len(self) - (place >= 0))
        plain = self._squares - 2.0 * (self.vectors @ vector).astype(np.float64)
        if place >= 0:
            plain[place] = np.inf
        pull = self._pull
        if pull is None:
            return self._measured(vector, _least(plain, k), k, None, _NO_SCALE)
        own = float(pull[place]) if place >= 0 else self.weight * self._scale(vector, plain)
        keys = plain - self.vectors.shape[1] * pull
        return self._measured(vector, _least(keys, k + 8), k, pull, own)

    def _scale(self, vector: Vectors, plain: Floats) -> float:
        candidates = _least(np.where(self.fitted, plain, np.inf), SCALE_OF)
        candidates = candidates[self.fitted[candidates]]
        found = self._measured(vector, candidates, SCALE_OF, None, _NO_SCALE)
        return float(local_scale(found, int(self.fitted.sum()))[0])

    def _measured(self, vector: Vectors, candidates: np.ndarray, k: int, pull: Floats | None, own: float) -> Lists:
        some = np.concatenate([self.vectors[candidates], vector[None]])
        pulls = None if pull is None else np.append(pull[candidates], own)
        asking = np.array([len(candidates)], dtype=np.int32)
        found = measure(some, asking, np.arange(len(candidates), dtype=np.int32)[None], k, pulls)
        places = np.where(found.places >= 0, candidates[found.places], -1).astype(np.int32)
        return replace(found, places=places)


def _least(values: Floats, k: int) -> np.ndarray:
    """Indices of the k smallest finite values, in ascending order of index."""
    k = min(k, len(values))
    places = np.argpartition(values, k - 1)[:k] if k < len(values) else np.arange(len(values))
    places = places[np.isfinite(values[places])]
    return np.sort(places)
