"""Nearest genres in all dimensions of the profiles, and regions of similar genres with names."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from genreatlas.atlas.profiles import Floats, Ints

#: Number of rows whose distances to all others are computed at once.
_BLOCK = 1024
#: Stop words, which are not used in names of regions. Words for places and periods are kept.
_STOP = {"and", "the", "of", "de", "la", "el", "los", "las", "di", "da", "do", "del", "en"}
_WORDS = 3
_LARGEST = 4


def nearest_genres(space: Floats, k: int) -> tuple[Ints, Floats]:
    """Find the nearest other genres of each genre by exact search.

    Parameters
    ----------
    space : (n, n_dimensions) profiles of genres.
    k : number of neighbours, at most n - 1 are returned.

    Returns
    -------
    indices : (n, k) the nearest first, ties by index.
    distances : (n, k) root mean square difference over dimensions.
    """
    n = len(space)
    k = min(k, n - 1)
    indices = np.zeros((n, k), dtype=np.int64)
    distances = np.zeros((n, k))
    squares = (space**2).sum(axis=1)
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n))
        block = squares[rows, None] + squares - 2.0 * (space[rows] @ space.T)
        block[np.arange(len(rows)), rows] = np.inf
        order = np.argsort(block, axis=1, kind="stable")[:, :k]
        indices[rows] = order
    for column in range(k):  # from differences: the product above loses precision for close genres
        distances[:, column] = np.sqrt(((space - space[indices[:, column]]) ** 2).mean(axis=1))
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(indices, order, 1), np.take_along_axis(distances, order, 1)


def similarity(distances: Floats) -> Floats:
    """Similarity exp(-d / s), where s is the median distance to the nearest genre: 1 for equal profiles.

    Parameters
    ----------
    distances : (n, k) from :func:`nearest_genres`.
    """
    scale = float(np.median(distances[:, 0])) if distances.size else 1.0
    return np.asarray(np.exp(-distances / max(scale, 1e-12)), dtype=np.float64)


@dataclass(frozen=True)
class Regions:
    """Region numbers of genres at two resolutions. Each fine region is inside one coarse region.

    Regions are numbered from 0 by descending size.
    """

    coarse: Ints
    fine: Ints


def find_regions(indices: Ints, distances: Floats, resolutions: tuple[float, float], seed: int) -> Regions:
    """Find communities of the neighbour graph by the Leiden algorithm, and communities inside each of them.

    Parameters
    ----------
    indices, distances : (n, k) from :func:`nearest_genres`.
    resolutions : resolutions of coarse and fine regions; higher values give more regions.
    seed : seed of the Leiden algorithm.
    """
    graph = neighbour_graph(indices, distances)
    coarse = _leiden(graph, resolutions[0], seed)
    fine = np.zeros_like(coarse)
    for region in range(int(coarse.max()) + 1):
        mine = np.flatnonzero(coarse == region)
        fine[mine] = _leiden(graph[mine][:, mine], resolutions[1], seed) + region * len(coarse)
    return Regions(coarse, _by_size(fine))


def neighbour_graph(indices: Ints, distances: Floats) -> sparse.csr_matrix:
    """Symmetric graph of neighbours. The weight of an edge is the mean of the similarities in both directions.

    The similarity is exp(-(d / s)^2), where s is the distance to the genre's farthest listed neighbour.

    Parameters
    ----------
    indices, distances : (n, k) from :func:`nearest_genres`.

    Returns
    -------
    (n, n) weights, 0 to 1.
    """
    n, k = indices.shape
    local = np.maximum(distances[:, -1:], 1e-12)
    weight = np.exp(-((distances / local) ** 2))
    one_way = sparse.csr_matrix((weight.ravel(), (np.repeat(np.arange(n), k), indices.ravel())), shape=(n, n))
    return sparse.csr_matrix((one_way + one_way.T) / 2.0)


def _leiden(graph: sparse.csr_matrix, resolution: float, seed: int) -> Ints:
    if graph.shape[0] < 3 or graph.nnz == 0:
        return np.zeros(graph.shape[0], dtype=np.int64)
    from sknetwork.clustering import Leiden

    return _by_size(np.asarray(Leiden(resolution=resolution, random_state=seed).fit_predict(graph), dtype=np.int64))


def _by_size(labels: Ints) -> Ints:
    """Renumber groups by descending size; ties by first member."""
    _, first, place, count = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -count))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    return np.asarray(number[place], dtype=np.int64)


@dataclass(frozen=True)
class RegionName:
    """Name of a region, its characteristic words and its largest genres."""

    name: str
    words: tuple[str, ...]
    largest: tuple[int, ...]  #: indices of its largest genres


def name_regions(labels: Ints, names: Sequence[str], sizes: Floats) -> list[RegionName]:
    """Name each region after words that are more frequent in names of its genres than in all names.

    The score of a word is the number of genres with it, times the logarithm of the ratio of its share in the region to
    its share in all genres. A word must be in at least two names. A region without such a word is named after its two
    largest genres.

    Parameters
    ----------
    labels : (n,) region of each genre.
    names : (n,) names of genres.
    sizes : (n,) sizes of genres.
    """
    words = [sorted(set(_tokens(name))) for name in names]
    everywhere = Counter(word for each in words for word in each)
    found = []
    for region in range(int(labels.max()) + 1 if len(labels) else 0):
        mine = np.flatnonzero(labels == region)
        inside = Counter(word for genre in mine.tolist() for word in words[genre])
        score = {
            word: count * np.log(count / len(mine) / (everywhere[word] / len(names)))
            for word, count in inside.items()
            if count > 1
        }
        best = [word for word in sorted(score, key=lambda w: (-score[w], w)) if score[word] > 0][:_WORDS]
        largest = tuple(sorted(mine.tolist(), key=lambda genre: (-sizes[genre], names[genre]))[:_LARGEST])
        said = best or [names[genre] for genre in largest[:2]]
        found.append(RegionName(" / ".join(said), tuple(best), largest))
    return found


def _tokens(name: str) -> list[str]:
    return [word for word in re.findall(r"[^\W_]+", name.casefold()) if word not in _STOP and len(word) > 1]
