"""Quality measures of maps: preservation of neighbours, families of genres, and agreement of distances."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from genreatlas.atlas.profiles import Floats
from genreatlas.atlas.regions import nearest_genres

_BLOCK = 512


def neighbourhoods(space: Floats, places: Floats, k: int = 15) -> tuple[float, float]:
    """Trustworthiness and continuity (Venna & Kaski 2001).

    Genres that are neighbours only on the map reduce trustworthiness. Genres that are neighbours only in the full space
    reduce continuity.

    Parameters
    ----------
    space : (n, n_dimensions) profiles of genres.
    places : (n, 2) positions on the map.
    k : number of neighbours.

    Returns
    -------
    trustworthiness, continuity : at most 1 (best); NaN for fewer than 2 k + 1 genres.
    """
    return _kept(space, places, k), _kept(places, space, k)


def _kept(truth: Floats, shown: Floats, k: int) -> float:
    n = len(truth)
    if n < 2 * k + 1:
        return float("nan")
    near, _ = nearest_genres(shown, k)
    squares = (truth**2).sum(axis=1)
    penalty = 0.0
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n))
        block = squares[rows, None] + squares - 2.0 * (truth[rows] @ truth.T)
        block[np.arange(len(rows)), rows] = np.inf
        ordered = np.sort(block, axis=1)
        for number, row in enumerate(rows):
            ranks = np.searchsorted(ordered[number], block[number, near[row]]) + 1
            penalty += float(np.maximum(ranks - k, 0).sum())
    return 1.0 - 2.0 * penalty / (n * k * (2.0 * n - 3.0 * k - 1.0))


def families(names: Sequence[str], least: int = 40) -> npt.NDArray[np.object_]:
    """Family of each genre: the last word of its name.

    Parameters
    ----------
    names : (n,) names of genres.
    least : minimum number of genres of a family.

    Returns
    -------
    (n,) last word; empty if fewer than ``least`` genres share it.
    """
    last = np.array([name.split()[-1] if name.split() else "" for name in names], dtype=object)
    words, count = np.unique(last.astype(str), return_counts=True)
    large = set(words[count >= least])
    return np.array([word if word in large else "" for word in last], dtype=object)


def family_accuracy(places: Floats, family: npt.NDArray[np.object_], k: int = 15) -> float:
    """Leave-one-out accuracy of predicting a genre's family by its k nearest genres.

    Ties are broken in favour of the family of the nearest genre.

    Parameters
    ----------
    places : (n, n_dimensions) positions or profiles of genres.
    family : (n,) from :func:`families`; genres with an empty word are left out.
    k : number of neighbours.
    """
    mine = np.flatnonzero(family != "")
    near, _ = nearest_genres(places[mine], k)
    own = family[mine]
    right = 0
    for genre, others in enumerate(own[near]):
        words, count = np.unique(others.astype(str), return_counts=True)
        most = set(words[count == count.max()])
        right += next(word for word in others if word in most) == own[genre]
    return right / len(mine)


def mantel(places: Floats, other: Floats, shuffle: int | None = None) -> float:
    """Spearman correlation of the distances between all pairs of genres on two maps.

    Parameters
    ----------
    places, other : (n, 2) positions of the same genres.
    shuffle : seed of a random permutation of the second map's genres, for a control near 0; None: no permutation.
    """
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    if shuffle is not None:
        other = other[np.random.default_rng(shuffle).permutation(len(other))]
    return float(spearmanr(pdist(places), pdist(other)).statistic)
