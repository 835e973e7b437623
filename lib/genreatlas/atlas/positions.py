"""Positions of genres: on a map without axes by t-SNE or another method, and on the axes of Every Noise by regression.

Maps are reproducible to the bit for the same profiles and initial positions: one thread, exact neighbours, and
initial positions from principal components with fixed signs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from genreatlas.atlas.profiles import Floats, Ints

Method = Literal["tsne", "umap", "pacmap"]

#: Minimum number of genres for t-SNE, UMAP and PaCMAP. The map of fewer genres is two principal components.
MIN_PLACED = 12
#: Iterations with early exaggeration and without, openTSNE's defaults.
_EARLY, _ITERATIONS = 250, 500
#: Iterations of a map that starts from the previous map.
_SETTLING = 250
#: Epochs of UMAP, its default for up to 10,000 points, and iterations of PaCMAP, its defaults.
_UMAP_EPOCHS = 500
_PACMAP_PHASES = (100, 100, 250)
#: Minimum number of genres with coordinates to fit the axes.
MIN_LABELLED = 50
_TREES = 300


def embed(space: Floats, perplexity: float, seed: int, start: Floats | None = None, method: Method = "tsne") -> Floats:
    """Embed genres in two dimensions.

    Parameters
    ----------
    space : (n, n_features) standardised profiles.
    perplexity : perplexity of t-SNE, at most (n - 1) / 3. The number of neighbours is half of it for UMAP and a third
        for PaCMAP, so that 30 corresponds to the defaults of all three: 30, 15 and 10.
    seed : seed of the method.
    start : (n, 2) initial positions; None: principal components.
    method : t-SNE (van der Maaten & Hinton 2008), UMAP (McInnes et al. 2018) or PaCMAP (Wang et al. 2021).

    Returns
    -------
    (n, 2) centred, with a root mean square radius of 1.
    """
    if len(space) < MIN_PLACED:
        return _scaled(principal(space))
    first = principal(space) if start is None else start
    by = {"tsne": _tsne, "umap": _umap, "pacmap": _pacmap}[method]
    return _scaled(by(space, min(perplexity, (len(space) - 1) / 3), seed, first, start is None))


def method_of(n: int, method: Method) -> str:
    """Name of the method that :func:`embed` uses for n genres."""
    return method if n >= MIN_PLACED else "principal components"


def _tsne(space: Floats, perplexity: float, seed: int, first: Floats, new: bool) -> npt.NDArray[np.floating]:
    from openTSNE import TSNEEmbedding, affinity

    affinities = affinity.PerplexityBasedNN(space, perplexity=perplexity, method="exact", n_jobs=1, random_state=seed)
    gradient = "fft" if len(space) > 2000 else "bh"
    # As openTSNE recommends: a small scale, so that points can pass each other; a larger scale for a previous map.
    first = first / max(float(np.std(first[:, 0])), 1e-12) * (1e-4 if new else 10.0)
    embedding = TSNEEmbedding(
        first, affinities, negative_gradient_method=gradient, n_jobs=1, random_state=seed, verbose=False
    )
    if new:
        embedding = embedding.optimize(_EARLY, exaggeration=12, momentum=0.5)
    embedding = embedding.optimize(_ITERATIONS if new else _SETTLING, momentum=0.8)
    return np.asarray(embedding, dtype=np.float64)


def _umap(space: Floats, perplexity: float, seed: int, first: Floats, new: bool) -> npt.NDArray[np.floating]:
    import warnings

    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP warns that a fixed seed disables threads
        model = UMAP(
            n_neighbors=max(2, round(perplexity / 2)),
            init=first.astype(np.float32),
            n_epochs=_UMAP_EPOCHS if new else _UMAP_EPOCHS // 4,
            random_state=seed,
            n_jobs=1,
            force_approximation_algorithm=False,
        )
        return np.asarray(model.fit_transform(space), dtype=np.float64)


def _pacmap(space: Floats, perplexity: float, seed: int, first: Floats, new: bool) -> npt.NDArray[np.floating]:
    import warnings

    from numba import get_num_threads, set_num_threads
    from pacmap import PaCMAP

    # The first two phases of iterations optimise the global structure, the last phase the neighbourhoods.
    phases = _PACMAP_PHASES if new else (0, 0, _PACMAP_PHASES[2])
    threads = get_num_threads()
    set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = PaCMAP(
                n_components=2,
                n_neighbors=max(2, round(perplexity / 3)),
                num_iters=phases,
                random_state=seed,
                apply_pca=False,
            )
            return np.asarray(model.fit_transform(space.astype(np.float32), init=first), dtype=np.float64)
    finally:
        set_num_threads(threads)


def principal(space: Floats) -> Floats:
    """Scores of the first two principal components, (n, 2). The loading of the largest magnitude is positive."""
    centred = space - space.mean(axis=0)
    left, size, axes = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(space), 2))
    for k in range(min(2, len(size))):
        sign = 1.0 if axes[k, np.argmax(np.abs(axes[k]))] >= 0 else -1.0
        found[:, k] = left[:, k] * size[k] * sign
    return found


def align(points: Floats, target: Floats) -> Floats:
    """Find the rotation (with reflection), scale and translation that best fit points to a target (Procrustes).

    Parameters
    ----------
    points, target : (n, 2) the same genres in the same order; rows with NaN are left out.

    Returns
    -------
    (3, 2) the scaled rotation, followed by a row with the translation, for :func:`moved`.
    """
    both = np.isfinite(points).all(axis=1) & np.isfinite(target).all(axis=1)
    a, b = points[both], target[both]
    if len(a) < 2:
        return np.vstack([np.eye(2), np.zeros(2)])
    middle_a, middle_b = a.mean(axis=0), b.mean(axis=0)
    u, size, vt = np.linalg.svd((a - middle_a).T @ (b - middle_b))
    total = float(((a - middle_a) ** 2).sum())
    turn = u @ vt * (float(size.sum()) / total if total > 0 else 1.0)
    return np.vstack([turn, middle_b - middle_a @ turn])


def moved(points: Floats, by: Floats) -> Floats:
    """Apply the transformation that :func:`align` returned.

    Parameters
    ----------
    points : (n, 2).
    by : (3, 2).

    Returns
    -------
    (n, 2).
    """
    return np.asarray(points @ by[:2] + by[2], dtype=np.float64)


def procrustes_r2(points: Floats, target: Floats) -> float:
    """Share of the variance of the target that the points explain after :func:`align`.

    Parameters
    ----------
    points, target : (n, 2) the same genres in the same order; rows with NaN are left out.

    Returns
    -------
    1 for perfect agreement, 0 for none.
    """
    both = np.isfinite(points).all(axis=1) & np.isfinite(target).all(axis=1)
    points, target = points[both], target[both]
    left = target - moved(points, align(points, target))
    return float(1.0 - (left**2).sum() / ((target - target.mean(axis=0)) ** 2).sum())


def start_from(last: Floats, neighbours: Ints) -> Floats:
    """Initial positions from the previous map.

    A new genre gets the mean position of up to five nearest genres that were on the previous map.

    Parameters
    ----------
    last : (n, 2) positions on the previous map; NaN for new genres.
    neighbours : (n, k) nearest genres of each genre, the nearest first.
    """
    start = last.copy()
    for genre in np.flatnonzero(~np.isfinite(last).all(axis=1)):
        known = [other for other in neighbours[genre] if np.isfinite(last[other]).all()][:5]
        start[genre] = last[known].mean(axis=0) if known else np.nanmean(last, axis=0)
    # A small offset, because t-SNE cannot separate genres at the same position.
    angle = np.arange(len(start)) * 2.399963
    return start + 1e-3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def instability(places: Floats, halves: list[Floats]) -> Floats:
    """Root mean square deviation of each genre's position on maps of half-samples after alignment.

    Parameters
    ----------
    places : (n, 2) the map.
    halves : maps of half-samples in the same order, (n, 2) each; NaN rows for genres that a half lacks.

    Returns
    -------
    (n,) in units of the map's radius; NaN without halves.
    """
    if not halves:
        return np.full(len(places), np.nan)
    squares = np.stack([((moved(half, align(half, places)) - places) ** 2).sum(axis=1) for half in halves])
    known = np.isfinite(squares)
    count = known.sum(axis=0)
    total = np.where(known, squares, 0.0).sum(axis=0)
    return np.sqrt(np.divide(total, count, out=np.full(len(places), np.nan), where=count > 0))


@dataclass(frozen=True)
class Axes:
    """Positions of the labelled lens.

    Attributes
    ----------
    places : (n, 2) ranks from 0 to 1: dense to spiky, electric to organic. Known ranks, or else predicted ones.
    predicted : (n, 2) predicted ranks; for genres with coordinates, predicted on held-out folds.
    r2 : R2 of the ranks of both axes on held-out genres.
    """

    places: Floats
    predicted: Floats
    r2: tuple[float, float]


def label_axes(space: Floats, coordinates: Floats, seed: int, folds: int = 5) -> Axes:
    """Fit the axes of a known map, and predict positions of genres without coordinates.

    Parameters
    ----------
    space : (n, n_features) profiles.
    coordinates : (n, 2), NaN where unknown. Their ranks are fitted, because distances on that map have no meaning.
    seed : seed of folds and models.
    folds : number of folds to measure ``r2``.

    Raises
    ------
    ValueError : fewer than :data:`MIN_LABELLED` genres have coordinates.
    """
    known = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
    if len(known) < MIN_LABELLED:
        raise ValueError(f"{len(known)} genres have coordinates; axes need {MIN_LABELLED}")
    ranks = np.stack([_ranks(coordinates[known, axis]) for axis in range(2)], axis=1)
    held_out = np.zeros_like(ranks)
    fold = np.random.default_rng(seed).permutation(len(known)) % folds
    for number in range(folds):
        train, test = fold != number, fold == number
        held_out[test] = _regress(space[known[train]], ranks[train], space[known[test]], seed)
    predicted = np.full((len(space), 2), np.nan)
    predicted[known] = held_out
    others = np.flatnonzero(~np.isfinite(predicted).all(axis=1))
    if len(others):
        predicted[others] = _regress(space[known], ranks, space[others], seed)
    places = predicted.copy()
    places[known] = ranks
    error = ((ranks - held_out) ** 2).sum(axis=0) / ((ranks - ranks.mean(axis=0)) ** 2).sum(axis=0)
    return Axes(places, predicted, (float(1 - error[0]), float(1 - error[1])))


def _regress(space: Floats, ranks: Floats, other: Floats, seed: int) -> Floats:
    """Mean of the predictions of extra trees and of support vectors on normal scores, whose errors differ."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer
    from sklearn.svm import SVR

    forest = ExtraTreesRegressor(_TREES, random_state=seed, n_jobs=-1).fit(space, ranks)
    trees = forest.set_params(n_jobs=1).predict(other)  # on one core, for a fixed order of summation
    scores = QuantileTransformer(n_quantiles=min(1000, len(space)), output_distribution="normal", random_state=seed)
    machines = make_pipeline(scores, SVR(C=1.0, epsilon=0.02))
    smooth = np.stack([machines.fit(space, ranks[:, axis]).predict(other) for axis in range(2)], axis=1)
    return np.asarray((trees + smooth) / 2, dtype=np.float64)


def _ranks(values: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray((rankdata(values) - 1) / max(len(values) - 1, 1), dtype=np.float64)


def _scaled(points: npt.NDArray[np.floating]) -> Floats:
    centred = points - points.mean(axis=0)
    size = float(np.sqrt((centred**2).sum(axis=1).mean()))
    return np.asarray(centred / size if size > 0 else centred, dtype=np.float64)
