"""Playlists from recipes: which songs, in which order and why; files of playlists; no Spark but in ``reading``."""
