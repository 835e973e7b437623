"""Playlists from recipes: choice and order of songs with reasons, and files of playlists.

Only ``reading`` and ``publishing`` use Spark.
"""
