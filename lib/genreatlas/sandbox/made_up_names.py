"""Names of artists, albums and songs, and random generators seeded by names.

Random numbers depend on names only, not on the order in which they are drawn.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_FIRST = (
    "Amber", "Blue", "Copper", "Distant", "Eastern", "Faded", "Gentle", "Hollow", "Idle", "Jagged", "Kindred", "Lunar",
    "Mellow", "Northern", "Olive", "Paper", "Quiet", "Rusty", "Señor", "Tidal", "Umber", "Velvet", "Winter", "Zwölf",
)  # fmt: skip
_SECOND = (
    "Anchors", "Birches", "Cables", "Dunes", "Engines", "Ferries", "Gardens", "Harbours", "Islands", "Junctions",
    "Kites", "Lanterns", "Meadows", "Needles", "Orchards", "Pilots", "Quarries", "Rivers", "Signals", "Towers",
    "Umbrellas", "Valleys", "Windows", "Zeppelins",
)  # fmt: skip
_TITLES = (
    "After the Rain", "Back to Harbour", "Cold Coffee", "Don't Wait Up", "Empty Platform", "First Snow", "Glasshouse",
    "Half a Moon", "Idle Hands", "Just Before Dawn", "Kitchen Radio", "Last Tram Home", "Morning Paper", "No Hurry",
    "Over the Bridge", "Passing Clouds", "Quarter to Nine", "Round the Corner", "Slow Elevator", "Two Left Shoes",
    "Under the Awning", "View from the Roof", "Waiting Room", "Year of the Kite",
)  # fmt: skip
_ALBUMS = ("Maps", "Letters", "Demos", "Seasons", "Rooms", "Postcards", "Tides", "Sketches")


def artist_name(seed: int, serial: int) -> str:
    """Return the unique name of the artist with this serial number in the world."""
    names = len(_FIRST) * len(_SECOND)
    turn, slot = divmod(serial, names)
    # 77 and 24 * 24 have no common factor, so every name is used once per turn.
    first, second = divmod((slot * 77 + _start(seed, names)) % names, len(_SECOND))
    name = f"{_FIRST[first]} {_SECOND[second]}"
    return name if turn == 0 else f"{name} {turn + 1}"


def song_title(seed: int, artist: str, number: int) -> str:
    """Return the title of an artist's song, unique within the artist."""
    turn, slot = divmod(number, len(_TITLES))
    title = _TITLES[_order(seed, artist)[slot]]
    return title if turn == 0 else f"{title}, Part {turn + 1}"


@lru_cache(8192)
def album_title(seed: int, artist: str) -> str:
    """Return the title of an artist's album."""
    return f"{artist.split()[-1]} and {pick(rng(seed, 'album', artist), _ALBUMS)}"


@lru_cache(16)
def _start(seed: int, names: int) -> int:
    return int(rng(seed, "names").integers(names))


# Large worlds request the same artists repeatedly.
@lru_cache(8192)
def _order(seed: int, artist: str) -> tuple[int, ...]:
    return tuple(rng(seed, "titles", artist).permutation(len(_TITLES)).tolist())


def rng(seed: int, *parts: str | int) -> np.random.Generator:
    """Return a random generator seeded by a name.

    Parameters
    ----------
    seed : seed of the world.
    parts : the name, such as ``"artist", "house", 3``.
    """
    name = "\x1f".join([str(seed), *map(str, parts)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def pick(random: np.random.Generator, items: Sequence[T]) -> T:
    """Return a random item. Unlike ``Generator.choice``, preserves the type of the item."""
    return items[int(random.integers(len(items)))]
