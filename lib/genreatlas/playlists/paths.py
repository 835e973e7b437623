"""Paths from one song to another: songs are inserted into the largest step until the path has the requested length."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from genreatlas.playlists.choosing import Basket, fit
from genreatlas.playlists.music import Floats, Ints, Songs, distances, steps_from

#: Number of candidates of a path, those with the smallest detour; the next number is used if they are not enough.
_CORRIDORS = (3000, 30_000, 1 << 62)
_SWEEPS = 3


@dataclass
class _Chain:
    """The path so far, with a cache of steps from its songs to all candidates."""

    songs: Songs
    basket: Basket
    rows: Ints
    noise: Floats
    steps: dict[int, Floats] = field(default_factory=dict)

    def to(self, row: int) -> Floats:
        """Step sizes from a song to all candidates."""
        if row not in self.steps:
            self.steps[row] = steps_from(self.songs, row, self.rows)
        return self.steps[row]

    def between(self, one: int, other: int) -> tuple[int, float] | None:
        """The candidate that minimises the larger of its steps to both songs, and that step; None if none is left."""
        larger = np.maximum(self.to(one), self.to(other))
        tried = np.where(self.basket.takes(self.rows), larger * self.noise, np.inf)
        place = int(tried.argmin()) if len(tried) else 0
        return (int(self.rows[place]), float(larger[place])) if len(tried) and np.isfinite(tried[place]) else None


def walk(
    basket: Basket, start: tuple[Floats, Ints], end: tuple[Floats, Ints], variety: float, random: np.random.Generator
) -> Basket:
    """Fill a basket with a path, in the order of the path.

    Parameters
    ----------
    basket : empty basket.
    start, end : for each end, its vector and candidates for the end song, the best first.
    variety : amount of randomness in the choice, 0: none.
    random : random generator.
    """
    songs = basket.songs
    first = _stand(basket, start[1], 0)
    last = _stand(basket, end[1], None)
    if first is None or last is None:
        basket.look_at(np.flatnonzero(songs.heard))
        return basket
    detour = distances(songs, start[0]) + distances(songs, end[0])
    rows = fit(songs, basket.limits, np.flatnonzero(songs.heard))
    rows = rows[np.argsort(detour[rows], kind="stable")]
    noise = np.exp(0.2 * variety * random.normal(size=len(rows))) if variety else np.ones(len(rows))
    for width in _CORRIDORS:
        chain = _Chain(songs, basket, rows[:width], noise[:width])
        _insert(chain)
        if width >= len(rows) or basket.full or not basket.shortfall(0):
            break
    for _ in range(_SWEEPS):
        if not _improve(chain):
            break
    basket.look_at(np.flatnonzero(songs.heard))
    return basket


def _stand(basket: Basket, rows: Ints, place: int | None) -> int | None:
    """Add the first song that the basket accepts at an end of the path."""
    return next((int(row) for row in rows if basket.add(int(row), place)), None)


def _size(songs: Songs, one: int, other: int) -> float:
    return float(steps_from(songs, one, np.array([other]))[0])


def _insert(chain: _Chain) -> None:
    """Insert songs into the largest step while this makes it smaller; then where the new steps are smallest."""
    basket = chain.basket
    sizes = {pair: _size(chain.songs, *pair) for pair in _pairs(basket.rows)}
    closed: set[tuple[int, int]] = set()
    while not basket.full:
        pairs = _pairs(basket.rows)
        waiting = [pair for pair in pairs if pair not in closed]
        if waiting:
            pair = max(waiting, key=lambda one: sizes[one])
            found = chain.between(*pair)
            if found is None:
                return
            if found[1] >= sizes[pair]:
                closed.add(pair)
                continue
        else:
            every = [(pair, chain.between(*pair)) for pair in pairs]
            there = [(pair, one) for pair, one in every if one is not None]
            if not there:
                return
            pair, found = min(there, key=lambda each: each[1][1])
        row = found[0]
        if not basket.add(row, basket.rows.index(pair[1])):
            return
        for one in ((pair[0], row), (row, pair[1])):
            sizes[one] = _size(chain.songs, *one)


def _improve(chain: _Chain) -> bool:
    """Replace songs by candidates that reduce the larger of their two steps; return whether any was replaced."""
    basket, changed = chain.basket, False
    for place in range(1, len(basket.rows) - 1):
        before, row, after = basket.rows[place - 1 : place + 2]
        now = max(_size(chain.songs, before, row), _size(chain.songs, row, after))
        basket.drop(row)
        found = chain.between(before, after)
        better = found is not None and found[1] < now - 1e-9
        basket.add(found[0] if better and found is not None else row, place)
        changed |= better
    return changed


def _pairs(rows: list[int]) -> list[tuple[int, int]]:
    return list(pairwise(rows))
