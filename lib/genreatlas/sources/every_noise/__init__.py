"""Every Noise At Once: the map of genres, the list of genres, and a page for each genre.

The pages were made by the same scripts from 2013 to November 2023, and changed in details only.
What is read here has been there all along; what came and went (preview URLs, keyboard roles, link
forms) is read where it is.
"""

from genreatlas.sources.every_noise.genre_page import GenrePage, MappedArtist, Neighbour, PlaylistLink, parse_genre_page
from genreatlas.sources.every_noise.map_page import (
    ListedGenre,
    ListPage,
    MapPage,
    MappedGenre,
    parse_list,
    parse_list_page,
    parse_map,
    parse_map_page,
)
from genreatlas.sources.genres import genre_slug

__all__ = [
    "GenrePage",
    "ListPage",
    "ListedGenre",
    "MapPage",
    "MappedArtist",
    "MappedGenre",
    "Neighbour",
    "PlaylistLink",
    "genre_slug",
    "parse_genre_page",
    "parse_list",
    "parse_list_page",
    "parse_map",
    "parse_map_page",
]
