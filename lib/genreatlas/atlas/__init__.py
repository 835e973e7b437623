"""The map of genres: their profiles, places, neighbours, regions and parents, drawn from what their songs sound like.

:mod:`genreatlas.atlas.reading` brings songs from the store; every other module here is numpy in, numpy out.
"""
