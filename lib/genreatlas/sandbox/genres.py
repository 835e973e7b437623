"""The genres. Each differs in rhythm, tempo, timbre, harmony and dynamics, and shares voices with its neighbours.

The order matters: neighbours are what a song under two genres is made of.
"""

from dataclasses import replace

from genreatlas.sandbox.acoustic import FOLK, ROCK, SWING, WALTZ
from genreatlas.sandbox.electronic import AMBIENT, HIP_HOP, HOUSE, TECHNO
from genreatlas.sandbox.style import Genre

GENRES: dict[str, Genre] = {genre.name: genre for genre in (HOUSE, TECHNO, HIP_HOP, SWING, WALTZ, FOLK, ROCK, AMBIENT)}


def blend(first: Genre, second: Genre) -> Genre:
    """Return the genre of a song that is both: it moves like `first` and sounds and harmonises like `second`."""
    return replace(second, name=f"{first.name};{second.name}", grooves=first.grooves, live=first.live)
