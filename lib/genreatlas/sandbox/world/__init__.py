"""The sandbox world: a local server that emulates Every Noise, Spotify, Deezer and a clip CDN, with optional faults.

All contents are computed from a seed and a number and not stored, so a world of 3,000 genres needs no more memory than
one of eight. Ids of songs, artists and playlists look like Spotify's and encode the number of the object.
"""

from genreatlas.sandbox.world.contents import Catalogue
from genreatlas.sandbox.world.process import World, running_world
from genreatlas.sandbox.world.scripted_faults import Faults, Rule

__all__ = ["Catalogue", "Faults", "Rule", "World", "running_world"]
