"""The best way through a signal in steps of nearly one period: dynamic programming in numba.

This module imports numba, which takes a second: import it late.
"""

import numba
import numpy as np
import numpy.typing as npt


def beat_path(activation: npt.NDArray[np.float64], period: float, tightness: float) -> npt.NDArray[np.int64]:
    """Positions, one about every period, that together collect the most activation.

    A step of ``k`` costs ``tightness * log(k / period)**2``; steps lie within a tenth of the period.

    Parameters
    ----------
    activation : (n,) how likely a beat falls on each position.
    period : positions from beat to beat, at least 2; need not be whole.

    Returns
    -------
    (n_beats,) ascending positions. The last lies within the last period.

    References: Ellis 2007, "Beat tracking by dynamic programming".
    """
    scores, links = _search(np.ascontiguousarray(activation, dtype=np.float64), period, tightness)
    return _follow(scores, links, period)


def beat_path_plain(activation: npt.NDArray[np.float64], period: float, tightness: float) -> npt.NDArray[np.int64]:
    """The same in numpy, for tests, which hold the kernel against it."""
    steps = np.arange(int(period * 0.9), int(np.ceil(period * 1.1)) + 1)
    costs = tightness * np.log(steps / period) ** 2
    scores, links = np.zeros(len(activation)), np.full(len(activation), -1)
    for place in range(len(activation)):
        reached = steps[steps <= place]
        if len(reached):
            totals = scores[place - reached] - costs[: len(reached)]
            best = int(np.argmax(totals))
            if totals[best] > 0.0:
                scores[place], links[place] = totals[best], place - reached[best]
        scores[place] += activation[place]
    return _follow(scores, links, period)


def _follow(scores: npt.NDArray, links: npt.NDArray, period: float) -> npt.NDArray[np.int64]:
    if not len(scores):
        return np.zeros(0, dtype=np.int64)
    last = max(len(scores) - 1 - int(period), 0)
    place = last + int(np.argmax(scores[last:]))
    path = []
    while place >= 0:
        path.append(place)
        place = int(links[place])
    return np.array(path[::-1], dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def _search(activation: np.ndarray, period: float, tightness: float) -> tuple[np.ndarray, np.ndarray]:
    first, last = int(period * 0.9), int(np.ceil(period * 1.1))
    costs = tightness * np.log(np.arange(first, last + 1) / period) ** 2
    scores, links = np.zeros(len(activation)), np.full(len(activation), -1)
    for place in range(len(activation)):
        best, link = 0.0, -1
        for step in range(first, min(last, place) + 1):
            total = scores[place - step] - costs[step - first]
            if total > best:
                best, link = total, place - step
        scores[place], links[place] = activation[place] + best, link
    return scores, links
