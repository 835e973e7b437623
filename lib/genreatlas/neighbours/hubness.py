"""How unevenly songs are spread over each other's lists, and how much of the catalogue can be reached over them."""

from dataclasses import dataclass

import numpy as np

from genreatlas.neighbours.search import SCALE_OF, Places, local_scale, nearest
from genreatlas.neighbours.space import Vectors

#: Lists are judged by their first so many songs.
JUDGED = 10
#: Songs from which the graph is walked.
_STARTS = 10
#: Songs on which the correction is chosen, shares of the local scales that are tried, and what has to be met.
_SAMPLE, _WEIGHTS, _MOST_SKEW, _MOST_ANTIHUBS = 20_000, (0.0, 0.25, 0.5, 0.75), 1.0, 0.02


@dataclass(frozen=True)
class Hubness:
    """Figures of the lists of all songs.

    Attributes
    ----------
    skew : skewness of how often a song is on others' lists.
    antihubs : share of songs on nobody's list, 0..1.
    reachable : share of songs that are reached from another over lists, 0..1; the mean over ten songs to start from.
    """

    skew: float
    antihubs: float
    reachable: float


def judge_lists(lists: Places, seed: int = 7) -> Hubness:
    """Measure hubness of lists, (n_songs, k): places of the nearest of each song, -1 where there are no more.

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
    """Share of the local scales that has to be taken off squared distances, so that there are no hubs: 0 to 3/4.

    It is the least by which lists of a sample have a skewness of 1 and 2 % antihubs at most: where there are no hubs, a
    correction only makes lists worse. More than 3/4 is not tried, since then songs that lie apart become hubs.
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
    """Share of the other songs that can be reached from one."""
    seen = np.zeros(len(lists), dtype=bool)
    seen[start] = True
    edge = np.array([start])
    while len(edge):
        following = np.unique(lists[edge])
        following = following[following >= 0]
        edge = following[~seen[following]]
        seen[edge] = True
    return float((seen.sum() - 1) / max(len(lists) - 1, 1))
