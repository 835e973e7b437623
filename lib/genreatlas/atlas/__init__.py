"""The map of genres: profiles, positions, neighbours, regions and parents of genres, computed from features of songs.

:mod:`genreatlas.atlas.reading` reads songs from the store; the other modules compute with numpy.
"""
