"""Order of a playlist: small steps between neighbouring songs, and optionally a curve of energy."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from genreatlas.playlists.music import Floats, Ints

#: Limits on evaluations per sweep and on sweeps. Playlists of 30 songs reach a local optimum; those of 2,000 do not.
_EVALUATIONS, _SWEEPS = 20_000, 12
#: Weight of deviations from the curve relative to steps: a deviation of 0.1 costs as much as a step of 0.2.
_CURVE = 6.0


def curve_at(levels: tuple[float, ...], places: int) -> Floats:
    """Level of a curve at each position of a playlist, (places,), interpolated linearly between equidistant levels."""
    where = np.linspace(0.0, 1.0, places) if places > 1 else np.array([0.0])
    return np.interp(where, np.linspace(0.0, 1.0, len(levels)), levels)


def ranks(values: Floats) -> Floats:
    """Ranks of values, scaled from 0 (lowest) to 1. Ties get their mean rank; NaN stays NaN."""
    made = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 1:
        made[known] = 0.5
    elif len(known):
        _, inverse, counts = np.unique(values[known], return_inverse=True, return_counts=True)
        first = np.cumsum(counts) - counts
        made[known] = (first + (counts - 1) / 2)[inverse] / (len(known) - 1)
    return made


def misses(energy: Floats, levels: tuple[float, ...], places: int) -> Floats:
    """Absolute deviation of each song's energy from the curve at each position, (k, places); 0.5 if unknown."""
    off = np.abs(energy[:, None] - curve_at(levels, places)[None, :])
    return np.nan_to_num(off, nan=0.5)


def fill_places(cost: Floats, energy: Floats, levels: tuple[float, ...], places: int) -> Ints:
    """Choose a different song for each position of a curve, minimising deviations and costs (Hungarian method).

    Parameters
    ----------
    cost : (k,) cost of each song for the recipe, 0 (best) to 1; k is at least ``places``.
    energy : (k,) 0 to 1.
    levels : levels of the curve, 0 to 1.
    places : number of positions.

    Returns
    -------
    (places,) index of the song at each position.
    """
    rows, columns = linear_sum_assignment(2.0 * misses(energy, levels, places) + cost[:, None])
    return rows[np.argsort(columns)]


def smooth(steps: Floats, places: Floats | None = None, first: int | None = None) -> Ints:
    """Order songs by small steps: greedily, then by local search with swaps, moves and reversals.

    Parameters
    ----------
    steps : (n, n) symmetric matrix of step sizes.
    places : (n, n) cost of song i at position j; None: no costs.
    first : index of the first song; None: any.

    Returns
    -------
    (n,) indices of songs in order.
    """
    n = len(steps)
    if n < 2:
        return np.arange(n)
    cost = np.zeros((n, n)) if places is None else places
    starts = [first] if first is not None else range(n) if n <= 40 and places is None else [int(cost[:, 0].argmin())]
    best = min((_greedy(steps, cost, start) for start in starts), key=lambda order: _total(steps, cost, order))
    fixed = 0 if first is None else 1
    reach = min(n, max(2, _EVALUATIONS // (3 * n)))
    total = _total(steps, cost, best)
    for _ in range(_SWEEPS):
        before = total
        for start in range(fixed, n - 1):
            for end in range(start + 1, min(n, start + reach)):
                for tried in _moves(best, start, end):
                    if (found := _total(steps, cost, tried)) < total - 1e-12:
                        best, total = tried, found
        if total >= before - 1e-9:
            break
    return best


def _moves(order: Ints, start: int, end: int) -> list[Ints]:
    """Neighbouring orders: a reversal, a swap, and moves of one song backward and forward."""
    reverse, swap = order.copy(), order.copy()
    reverse[start : end + 1] = order[start : end + 1][::-1]
    swap[start], swap[end] = order[end], order[start]
    back = np.concatenate([order[:start], order[end : end + 1], order[start:end], order[end + 1 :]])
    forth = np.concatenate([order[:start], order[start + 1 : end + 1], order[start : start + 1], order[end + 1 :]])
    return [reverse, swap, back, forth]


def _total(steps: Floats, cost: Floats, order: Ints) -> float:
    return float(steps[order[:-1], order[1:]].sum() + cost[order, np.arange(len(order))].sum())


def _greedy(steps: Floats, cost: Floats, start: int) -> Ints:
    order = [start]
    left = np.ones(len(steps), dtype=bool)
    left[start] = False
    for place in range(1, len(steps)):
        following = int(np.where(left, steps[order[-1]] + cost[:, place], np.inf).argmin())
        order.append(following)
        left[following] = False
    return np.array(order)


def curve_costs(energy: Floats, levels: tuple[float, ...]) -> Floats:
    """Costs of songs at positions for :func:`smooth`, from a curve of energy, (n, n)."""
    return _CURVE * misses(energy, levels, len(energy)) ** 1.5
