"""Hubness of neighbour lists: skewness of the k-occurrence, antihubs, and reachability of songs."""

from dataclasses import dataclass

import numpy as np

from genreatlas.neighbours.search import SCALE_OF, Places, local_scale, nearest
from genreatlas.neighbours.space import Vectors

#: Length of the lists for measures of hubness.
JUDGED = 10
#: Number of random start songs to measure reachability.
_STARTS = 10
#: Sample size to choose the correction, weights that are tried, and limits for skewness and share of antihubs.
_SAMPLE, _WEIGHTS, _MOST_SKEW, _MOST_ANTIHUBS = 20_000, (0.0, 0.25, 0.5, 0.75), 1.0, 0.02


@dataclass(frozen=True)
class Hubness:
    """Measures of hubness of neighbour lists.

    Attributes
    ----------
    skew : skewness of the k-occurrence: the number of lists that contain a song.
    antihubs : share of songs on no list, 0..1.
    reachable : share of songs reachable from a song by following lists, 0..1; mean over ten start songs.
    """

    skew: float
    antihubs: float
    reachable: float


def judge_lists(lists: Places, seed: int = 7) -> Hubness:
    """Measure the hubness of neighbour lists.

    Parameters
    ----------
    lists : (n_songs, k) indices of the nearest songs of each song, -1 where there are fewer than k.
    seed : seed of the start songs.

    References: Radovanovic, Nanopoulos & Ivanovic 2010 (skewness of k-occurrence); Flexer & Stevens 2017 (reach).
    """
    n = len(lists)
    if not n:
        return Hubness(float("nan"), float("nan"), float("nan"))
    occurs = np.bincount(lists[lists >= 0].ravel(), minlength=n).astype(np.float64)
    off = occurs - occurs.mean()
    spread = np.sqrt(np.mean(off**2))
    skew = float(np.mean(off**3) / spread**3) if spread > 0 else 0.0
    starts = np.random.default_rng(seed).permutation(n)[:_STARTS]
    return Hubness(skew, float(np.mean(occurs == 0)), float(np.mean([_reached(lists, start) for start in starts])))


def choose_weight(songs: Vectors, seed: int) -> float:
    """Choose the weight of local scales, which are subtracted from squared distances to avoid hubs: 0 to 3/4.

    The result is the smallest weight with a skewness of at most 1 and at most 2 % antihubs on a sample, because without
    hubs a correction only makes lists worse. If no weight is sufficient, it is 3/4; larger weights are not used since
    outliers would become hubs.

    Parameters
    ----------
    songs : (n_songs, n_features) vectors.
    seed : seed of the sample.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(songs))[:_SAMPLE])
    sample = np.ascontiguousarray(songs[chosen])
    everybody = np.arange(len(sample), dtype=np.int32)
    plain = nearest(sample, everybody, everybody, max(SCALE_OF, JUDGED))
    scale = local_scale(plain, len(sample))
    for weight in _WEIGHTS[:-1]:
        lists = plain if not weight else nearest(sample, everybody, everybody, JUDGED, weight * scale)
        found = judge_lists(lists.places[:, :JUDGED], seed)
        if found.skew <= _MOST_SKEW and found.antihubs <= _MOST_ANTIHUBS:
            return weight
    return _WEIGHTS[-1]


def _reached(lists: Places, start: int) -> float:
    """Share of the other songs that are reachable from the start song."""
    seen = np.zeros(len(lists), dtype=bool)
    seen[start] = True
    edge = np.array([start])
    while len(edge):
        following = np.unique(lists[edge])
        following = following[following >= 0]
        edge = following[~seen[following]]
        seen[edge] = True
    return float((seen.sum() - 1) / max(len(lists) - 1, 1))
