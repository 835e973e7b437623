"""How unevenly songs are spread over each other's lists, and how much of the catalogue can be reached over them."""

from dataclasses import dataclass

import numpy as np

from genreatlas.neighbours.search import Places

#: Lists are judged by their first so many songs.
JUDGED = 10
#: Songs from which the graph is walked.
_STARTS = 10


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
