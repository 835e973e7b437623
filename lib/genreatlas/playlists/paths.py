"""A path from one song to another: songs are put into the largest step until it is as long as was asked for."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from genreatlas.playlists.choosing import Basket, fit
from genreatlas.playlists.music import Floats, Ints, Songs, distances, steps_from

#: Songs that a path may take: those with the smallest detour from its ends; more where these are not enough.
_CORRIDORS = (3000, 30_000, 1 << 62)
_SWEEPS = 3


@dataclass
class _Chain:
    """The path so far, and the steps from each of its songs to every candidate."""

    songs: Songs
    basket: Basket
    rows: Ints
    noise: Floats
    steps: dict[int, Floats] = field(default_factory=dict)

    def to(self, row: int) -> Floats:
        """Steps from a song to the candidates."""
        if row not in self.steps:
            self.steps[row] = steps_from(self.songs, row, self.rows)
        return self.steps[row]

    def between(self, one: int, other: int) -> tuple[int, float] | None:
        """The candidate whose larger step to both is smallest, and that step; None where none is left."""
        larger = np.maximum(self.to(one), self.to(other))
        tried = np.where(self.basket.takes(self.rows), larger * self.noise, np.inf)
        place = int(tried.argmin()) if len(tried) else 0
        return (int(self.rows[place]), float(larger[place])) if len(tried) and np.isfinite(tried[place]) else None


def walk(
    basket: Basket, start: tuple[Floats, Ints], end: tuple[Floats, Ints], variety: float, random: np.random.Generator
) -> Basket:
    """Fill a basket with a path; the basket's order is that of the path.

    Parameters
    ----------
    start, end : vector of each end, and the songs that may stand there, the best first.
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
    """Put the first song that fits at an end of the path."""
    return next((int(row) for row in rows if basket.add(int(row), place)), None)


def _size(songs: Songs, one: int, other: int) -> float:
    return float(steps_from(songs, one, np.array([other]))[0])


def _insert(chain: _Chain) -> None:
    """Put songs into the largest step as long as that makes it smaller; then where they make the smallest steps."""
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
    """Replace songs by others that make the larger of their two steps smaller; whether one was."""
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
