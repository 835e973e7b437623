"""k nearest neighbours: shares of genres among the nearest training songs; exact search, by faiss if installed.

faiss and numpy find the same songs except where distances agree to six digits, as both use float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from genreatlas.datasets.sparse_labels import SparseLabels
from genreatlas.models.engines.thousands.array_models import Array, ArrayModel, Columns, Table, expect
from genreatlas.models.engines.thousands.thousands_facts import has_faiss
from genreatlas.values import JsonObject, JsonView, Params

KIND = "neighbours"

#: Weight of the prior, in neighbours, so that no genre has probability 0.
_PRIOR = 1.0

#: Number of training songs per block of the search without faiss.
_KNOWN = 65_536


@dataclass(frozen=True)
class NeighbourModel(ArrayModel):
    """A k-NN model: the training rows and their genres.

    Attributes
    ----------
    columns : imputation and scaling.
    known : (n_songs, n_features) float32, scaled training rows.
    song, genre : (n_labels,) int32, pairs of row index and class index, sorted by row.
    prior : (n_classes,) float64, share of each genre; the sum is 1 unless songs have several genres.
    boost : (n_classes,) float64, weight of a neighbour of the genre.
    n_neighbors : number of neighbours.
    multi : whether a song may have several genres.
    """

    columns: Columns
    known: Array
    song: Array
    genre: Array
    prior: Array
    boost: Array
    n_neighbors: int
    multi: bool = False

    kind = KIND

    @property
    def n_classes(self) -> int:  # type: ignore[override]
        """Number of genres."""
        return len(self.prior)

    @property
    def arrays(self) -> dict[str, Array]:
        """Training rows and genres, by name."""
        names = ("known", "song", "genre", "prior", "boost")
        return {name: getattr(self, name) for name in names}

    @property
    def facts(self) -> JsonObject:
        """Number of neighbours."""
        return {"n_neighbors": self.n_neighbors}

    def _scores(self, X: Array) -> Array:
        near = self._near(np.ascontiguousarray(X))
        first = np.searchsorted(self.song, near)
        counts = np.searchsorted(self.song, near, side="right") - first
        # One entry for each genre of each neighbour.
        row = np.repeat(np.repeat(np.arange(len(X)), near.shape[1]), counts.ravel())
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts.ravel()) - counts.ravel(), counts.ravel())
        genre = self.genre[np.repeat(first.ravel(), counts.ravel()) + within]
        counted = np.bincount(row * self.n_classes + genre, self.boost[genre], len(X) * self.n_classes)
        votes = counted.reshape(len(X), self.n_classes) + _PRIOR * self.prior
        if self.multi:
            return votes / (near.shape[1] + _PRIOR)
        return votes / votes.sum(axis=1, keepdims=True)

    def _near(self, X: Array) -> Array:
        """Indices (n, k) of the nearest training rows."""
        k = min(self.n_neighbors, len(self.known))
        if self._index is not None:
            return np.asarray(self._index.search(X, k)[1])
        found = np.empty((len(X), 0), dtype=np.int64)
        distance = np.empty((len(X), 0), dtype=np.float32)
        for start in range(0, len(self.known), _KNOWN):
            part = self.known[start : start + _KNOWN]
            here = (part**2).sum(axis=1) - 2.0 * (X @ part.T)
            places = np.broadcast_to(np.arange(start, start + len(part)), here.shape)
            distance, found = np.hstack([distance, here]), np.hstack([found, places])
            kept = np.argpartition(distance, k - 1, axis=1)[:, :k] if distance.shape[1] > k else slice(None)
            if not isinstance(kept, slice):
                distance, found = np.take_along_axis(distance, kept, 1), np.take_along_axis(found, kept, 1)
        return found

    @cached_property
    def _index(self) -> Any:
        """Exact faiss index; None if faiss is not installed."""
        if not has_faiss():
            return None
        import faiss

        faiss.omp_set_num_threads(1)
        index = faiss.IndexFlatL2(self.n_features)
        index.add(np.ascontiguousarray(self.known))
        return index


def fit(table: Table, params: Params) -> tuple[NeighbourModel, list[str]]:
    """Fit k-NN: store the scaled rows of a table.

    Parameters
    ----------
    table : training rows.
    params : ``n_neighbors``; ``even``: whether neighbours are weighted inversely to the size of their genre.
    """
    known = np.concatenate([values for _, values, _ in table.blocks()])
    n = len(table.rows)
    if isinstance(table.y, SparseLabels):
        song, genre = table.y.pairs(table.rows)
    elif table.multi:
        song, genre = np.nonzero(table.y[table.rows])
    else:
        song, genre = np.arange(n), np.asarray(table.y[table.rows])
    counts = np.bincount(genre, minlength=table.n_classes).astype(np.float64)
    seen = counts > 0
    even = bool(params.get("even", False))
    boost = np.where(seen, counts[seen].mean() / np.where(seen, counts, 1.0), 0.0) if even else np.ones(len(counts))
    prior = seen / seen.sum() if even and not table.multi else counts / (n if table.multi else counts.sum())
    model = NeighbourModel(
        table.columns, known, song.astype(np.int32), genre.astype(np.int32), prior, boost,
        int(params.get("n_neighbors", 15)), table.multi,
    )  # fmt: skip
    notes = [] if table.weight is None else ["knn does not support weights: all rows have the same weight"]
    return model, notes


def read(facts: JsonView, columns: Columns, arrays: Mapping[str, Array]) -> NeighbourModel:
    """Build a model from the content of a file; ValueError if it is inconsistent."""
    n_classes, n = int(facts["n_classes"]), len(arrays["known"])
    known = expect(arrays, "known", (n, len(columns.fill)))
    song, genre = arrays["song"], expect(arrays, "genre", arrays["song"].shape)
    if song.ndim != 1 or (len(song) and (song.min() < 0 or song.max() >= n or np.any(np.diff(song) < 0))):
        raise ValueError("song is not a sorted list of indices of the known songs")
    if len(genre) and (genre.min() < 0 or genre.max() >= n_classes):
        raise ValueError("genre has indices outside of the classes")
    if int(facts["n_neighbors"]) < 1 or not n:
        raise ValueError("no neighbours")
    prior, boost = expect(arrays, "prior", (n_classes,)), expect(arrays, "boost", (n_classes,))
    return NeighbourModel(
        columns, known.astype(np.float32, copy=False), song, genre, prior, boost, int(facts["n_neighbors"]),
        bool(facts["multi"]),
    )  # fmt: skip
