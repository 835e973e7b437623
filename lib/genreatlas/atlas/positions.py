"""Where genres lie on a map: an unsupervised one by t-SNE, and the axes of Every Noise by regression.

The map of the same profiles and the same start is the same to the bit: one thread, exact neighbours, and a start from
principal components whose signs are fixed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreatlas.atlas.profiles import Floats, Ints

#: Below so many genres t-SNE has nothing to unfold: two principal components are the map.
MIN_TSNE = 12
#: Early exaggeration and iterations, openTSNE's defaults.
_EARLY, _ITERATIONS = 250, 500
#: A map that starts from the last one only has to settle.
_SETTLING = 250
#: Fewer genres with coordinates teach no axis.
MIN_LABELLED = 50
_TREES = 300


def embed(space: Floats, perplexity: float, seed: int, start: Floats | None = None) -> Floats:
    """Lay genres out in two dimensions by t-SNE.

    Parameters
    ----------
    space : (n, n_features) standardised profiles.
    perplexity : how many neighbours a genre is to keep; bounded by a third of the genres.
    start : (n, 2) places to start from; None: principal components.

    Returns
    -------
    (n, 2) centred, with a root mean square radius of 1.
    """
    if len(space) < MIN_TSNE:
        return _scaled(principal(space))
    from openTSNE import TSNEEmbedding, affinity

    affinities = affinity.PerplexityBasedNN(
        space, perplexity=min(perplexity, (len(space) - 1) / 3), method="exact", n_jobs=1, random_state=seed
    )
    gradient = "fft" if len(space) > 2000 else "bh"
    first = principal(space) if start is None else start
    # openTSNE's advice: start so small that points are free to pass each other, or where they lay before.
    first = first / max(float(np.std(first[:, 0])), 1e-12) * (1e-4 if start is None else 10.0)
    embedding = TSNEEmbedding(
        first, affinities, negative_gradient_method=gradient, n_jobs=1, random_state=seed, verbose=False
    )
    if start is None:
        embedding = embedding.optimize(_EARLY, exaggeration=12, momentum=0.5)
    embedding = embedding.optimize(_ITERATIONS if start is None else _SETTLING, momentum=0.8)
    return _scaled(np.asarray(embedding, dtype=np.float64))


def principal(space: Floats) -> Floats:
    """Two principal components, (n, 2), the largest loading of each positive."""
    centred = space - space.mean(axis=0)
    left, size, axes = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(space), 2))
    for k in range(min(2, len(size))):
        sign = 1.0 if axes[k, np.argmax(np.abs(axes[k]))] >= 0 else -1.0
        found[:, k] = left[:, k] * size[k] * sign
    return found


def align(points: Floats, target: Floats) -> Floats:
    """The turn (with reflection), scale and shift that bring shared places nearest to where they were: (3, 2).

    Apply it with :func:`moved`. Both arrays hold the same genres in the same order; NaN rows are left out.
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
    """Points after the motion that :func:`align` found."""
    return np.asarray(points @ by[:2] + by[2], dtype=np.float64)


def procrustes_r2(points: Floats, target: Floats) -> float:
    """Share of the variance of the target that the aligned points explain, 1 where they agree; NaN is left out."""
    both = np.isfinite(points).all(axis=1) & np.isfinite(target).all(axis=1)
    points, target = points[both], target[both]
    left = target - moved(points, align(points, target))
    return float(1.0 - (left**2).sum() / ((target - target.mean(axis=0)) ** 2).sum())


def start_from(last: Floats, neighbours: Ints) -> Floats:
    """Places to start from: those of the last map, and for new genres the mean of their nearest genres that had one.

    Parameters
    ----------
    last : (n, 2) places on the last map; NaN for genres that it had not.
    neighbours : (n, k) nearest genres of each, the nearest first.
    """
    start = last.copy()
    for genre in np.flatnonzero(~np.isfinite(last).all(axis=1)):
        known = [other for other in neighbours[genre] if np.isfinite(last[other]).all()][:5]
        start[genre] = last[known].mean(axis=0) if known else np.nanmean(last, axis=0)
    # No two at one place: t-SNE could not part them.
    angle = np.arange(len(start)) * 2.399963
    return start + 1e-3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def instability(places: Floats, halves: list[Floats]) -> Floats:
    """How far a genre's place strays over maps of half of the songs, in units of the map's radius, (n,).

    Parameters
    ----------
    places : (n, 2) the map.
    halves : maps of half-samples, in the same order; NaN rows for genres that a half lacks.
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
    """The labelled lens.

    Attributes
    ----------
    places : (n, 2) ranks from 0 to 1: dense to spiky, electric to organic. Known ones stay where they are.
    predicted : (n, 2) what the profiles say, of genres with coordinates when these were held out.
    r2 : of the ranks of both axes, on genres that were held out.
    """

    places: Floats
    predicted: Floats
    r2: tuple[float, float]


def label_axes(space: Floats, coordinates: Floats, seed: int, folds: int = 5) -> Axes:
    """Fit the axes of a known map, and give genres without coordinates a place on it.

    Parameters
    ----------
    space : (n, n_features) profiles.
    coordinates : (n, 2), NaN where unknown. Ranks are fitted, since distances on that map are those of a list.

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
    """Mean of extra trees and of support vectors on normal scores: they err differently."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer
    from sklearn.svm import SVR

    trees = ExtraTreesRegressor(_TREES, random_state=seed, n_jobs=1).fit(space, ranks).predict(other)
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
