"""Compare a flat classifier, with probabilities summed over families, and a top-down classifier of families and genres.

The flat model classifies all genres at once; a family's probability is the sum over its genres. The top-down model has
one classifier of families, and one of the genres of each family; a genre's probability is the product. Both use the
same estimator with the same parameters, and are tested on artists that were not used for training.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit
from genreatlas.models.types import Trial

#: Function that returns probabilities (n, n_classes) of rows.
Score = Callable[[np.ndarray], np.ndarray]

#: Compared methods.
METHODS = ("flat", "summed", "top_down")


def fit_one(X: np.ndarray, y: np.ndarray, n_classes: int, engine: str, estimator: str, params: dict) -> Score:
    """Fit a candidate of the package; classes without rows get probability 0."""
    trial = Trial(estimator, engine, estimator, "levels", params, 7)
    n = len(y)
    arrays = {
        "X": X.astype(np.float32), "y": y.astype(np.int32), "song": np.arange(n, dtype=np.int32),
        "group": np.arange(n), "fold": np.zeros(n, np.int16), "weight": np.ones(n, np.float32),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            np.save(Path(folder) / f"l-{name}.npy", array)
        files = MatrixFiles("l", n_classes, False, folder)
        model = fit(trial, files, GridSettings("accuracy", False, False), np.arange(n))[0]
    return lambda rows: model.matrix_scores(rows, slice(None), np.arange(len(rows)))


def summed(probabilities: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """(n, n_parents) sums of (n, n_genres) probabilities, where genre k belongs to ``parent[k]``."""
    return probabilities @ np.eye(int(parent.max()) + 1)[parent]


def top_down(X: np.ndarray, y: np.ndarray, parent: np.ndarray, engine: str, estimator: str, params: dict) -> Score:
    """Fit a model of families and one of the genres of each family; probabilities are multiplied."""
    n_parents = int(parent.max()) + 1
    above = fit_one(X, parent[y], n_parents, engine, estimator, params)
    within: list[tuple[np.ndarray, Score | None]] = []
    for family in range(n_parents):
        genres = np.flatnonzero(parent == family)
        mine = np.flatnonzero(parent[y] == family)
        place = np.searchsorted(genres, y[mine])
        alone = len(np.unique(place)) < 2
        within.append((genres, None if alone else fit_one(X[mine], place, len(genres), engine, estimator, params)))

    def score(rows: np.ndarray) -> np.ndarray:
        families = above(rows)
        found = np.zeros((len(rows), len(parent)))
        for family, (genres, below) in enumerate(within):
            share = np.full((len(rows), len(genres)), 1.0 / len(genres)) if below is None else below(rows)
            found[:, genres] = families[:, [family]] * share
        return found

    return score


def compare(
    X: np.ndarray, y: np.ndarray, artist: np.ndarray, parent: np.ndarray, n: int, seed: int, candidate: tuple
) -> dict[str, object]:
    """Evaluate the methods on ``n`` divisions of the artists, with a quarter of them for testing.

    Parameters
    ----------
    X, y, artist : (n_songs, n_features) features, (n_songs,) genre and artist.
    parent : (n_genres,) family of each genre.
    n : number of divisions.
    seed : random seed.
    candidate : engine, estimator and parameters.

    Returns
    -------
    Mean accuracy over divisions, of genres and families, by method; and standard errors of the differences to ``flat``.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    for number in range(n):
        test = (np.random.default_rng(seed + number).random(int(artist.max()) + 1) < 0.25)[artist]
        train = ~test
        flat = fit_one(X[train], y[train], len(parent), *candidate)(X[test])
        down = top_down(X[train], y[train], parent, *candidate)(X[test])
        truth = y[test]
        first = flat.argmax(axis=1)
        genre = {"flat": first, "summed": first, "top_down": down.argmax(axis=1)}
        family = {
            "flat": parent[first],
            "summed": summed(flat, parent).argmax(axis=1),
            "top_down": summed(down, parent).argmax(axis=1),
        }
        for name in METHODS:
            right = float(np.mean(genre[name] == truth)), float(np.mean(family[name] == parent[truth]))
            found[name].append(right)
    rows = {}
    for name, values in found.items():
        here, beside = np.array(values), np.array(found["flat"])
        error = (here - beside).std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(2, np.nan)
        rows[name] = {
            "genres": round(float(here[:, 0].mean()), 4), "families": round(float(here[:, 1].mean()), 4),
            "genres_error": round(float(error[0]), 4), "families_error": round(float(error[1]), 4),
        }  # fmt: skip
    return {"methods": rows, "divisions": n, "genres": len(parent), "families": int(parent.max()) + 1}
