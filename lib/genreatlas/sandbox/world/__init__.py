"""The sandbox world: a server that speaks Every Noise, Spotify, Deezer and a clip CDN, and misbehaves on request.

Everything follows from a seed and a number: nothing is stored, so a world of 3,000 genres costs no more
memory than one of eight. Song, artist and playlist ids look like Spotify's and hold what they name.
"""

from genreatlas.sandbox.world.contents import Catalogue
from genreatlas.sandbox.world.process import World, running_world
from genreatlas.sandbox.world.scripted_faults import Faults, Rule

__all__ = ["Catalogue", "Faults", "Rule", "World", "running_world"]
