"""Rows of the tables that a genre's page fills, all but their snapshot."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genreatlas.errors import InputError
from genreatlas.sources.every_noise.genre_page import GenrePage

Row = dict[str, Any]


@dataclass
class PageRows:
    """Rows by table."""

    artists: list[Row] = field(default_factory=list)
    neighbours: list[Row] = field(default_factory=list)
    playlists: list[Row] = field(default_factory=list)

    def add(self, other: "PageRows") -> None:
        """Add the rows of another page."""
        self.artists += other.artists
        self.neighbours += other.neighbours
        self.playlists += other.playlists


def rows_of_page(genre_id: str, page: GenrePage) -> PageRows:
    """Turn a page into rows of the genre that it was asked for."""
    genre = {"genre_id": genre_id}
    positions = _distinct([artist.position for artist in page.artists])
    return PageRows(
        artists=[
            genre
            | {
                "position": position,
                "name": artist.name,
                "spotify_artist_id": artist.artist_id,
                "weight": artist.weight,
                "map_x": artist.x,
                "map_y": artist.y,
                "colour": artist.colour,
                "example_track": artist.example_track,
                "example_track_id": artist.example_track_id,
                "preview_url": artist.preview_url,
            }
            for position, artist in zip(positions, page.artists, strict=True)
        ],
        neighbours=[
            genre
            | {
                "box": neighbour.box,
                "neighbour_id": neighbour.slug,
                "neighbour": neighbour.name,
                "position": neighbour.position,
                "weight": neighbour.weight,
                "box_x": neighbour.x,
                "box_y": neighbour.y,
                "colour": neighbour.colour,
            }
            for neighbour in page.neighbours
            if neighbour.slug != genre_id
        ],
        playlists=[
            genre | {"role": link.role, "playlist_id": link.playlist_id, "year": link.year, "owner": link.owner}
            for link in page.playlists
        ],
    )


def saved_pages(folder: str) -> Iterator[tuple[str, Path]]:
    """Saved genre pages of a folder and those below it, with the slug that their name holds, in order of names.

    Raises
    ------
    InputError : there is no such folder, or no page in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"[every_noise] pages: {folder} is no folder. Name a folder, or an address with {{slug}}.")
    files = sorted(path for path in root.rglob("engenremap-*.htm*") if path.is_file())
    if not files:
        raise InputError(f"[every_noise] pages: {folder} has no files called engenremap-<slug>.html.")
    for path in files:
        # Dated copies lie beside each other: engenremap-pop_2022-06-13.html.
        yield re.sub(r"[_ .(-]+\d{4}-?\d\d-?\d\d.*$", "", path.stem.removeprefix("engenremap-")).lower(), path


def _distinct(positions: list[int]) -> list[int]:
    """Positions as the page numbers them, or in order where it gives a number twice."""
    return positions if len(set(positions)) == len(positions) else list(range(1, len(positions) + 1))
