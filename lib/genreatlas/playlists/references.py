"""Resolve references of recipes to genres, songs and artists of the store."""

import re
from dataclasses import dataclass

import numpy as np

from genreatlas.errors import InputError, nearest
from genreatlas.ids import slug
from genreatlas.playlists.music import Floats, Ints, Songs, centre, title_key
from genreatlas.sources.credits import artist_key
from genreatlas.sources.spotify.links import parse_link

_ID = re.compile(r"[0-9A-Za-z]{22}")


@dataclass(frozen=True)
class Named:
    """A resolved reference.

    Attributes
    ----------
    kind : genre, song or artist.
    label : display name.
    rows : rows of its songs: the song, songs of the genre, or songs on which the artist is credited.
    point : mean of their vectors; None if none of them has features.
    genre : number of the genre; None for songs and artists.
    """

    kind: str
    label: str
    rows: Ints
    point: Floats | None
    genre: int | None = None

    def require_point(self, feature_set: str) -> Floats:
        """Return ``point``, or raise an error if it is None.

        Raises
        ------
        InputError : none of its songs has features.
        """
        if self.point is None:
            raise InputError(
                f"{self.kind}:{self.label}: none of its songs has features of {feature_set}. Extract them, or set "
                "playlist.feature_set."
            )
        return self.point


def find(songs: Songs, reference: str) -> Named:
    """Resolve a reference such as ``genre:techno``, ``song:Artist - Title`` or ``artist:Name``.

    Raises
    ------
    InputError : the store has no such genre, song or artist; the message suggests a similar name.
    """
    kind, _, name = reference.partition(":")
    name = name.strip()
    if kind == "genre":
        return _genre(songs, name)
    return _artist(songs, name) if kind == "artist" else _song(songs, name)


def _genre(songs: Songs, name: str) -> Named:
    wanted = slug(name)
    for number, (genre_id, genre) in enumerate(zip(songs.genre_ids, songs.genre_names, strict=True)):
        if genre_id in (name, wanted) or genre.casefold() == name.casefold():
            rows = songs.of_genre(number)
            return Named("genre", genre, rows, centre(songs, rows), number)
    raise InputError(f"genre:{name}: no song of the store has this genre. {nearest(name, sorted(songs.genre_names))}")


def _artist(songs: Songs, name: str) -> Named:
    number = songs.artist_keys.get(artist_key(name))
    if number is None:
        known = sorted({text for text in songs.facts["artist"] if isinstance(text, str)})
        raise InputError(f"artist:{name}: the store has no such artist. {nearest(name, known)}")
    rows = songs.of_artist(number)
    return Named("artist", name, rows, centre(songs, rows))


def _song(songs: Songs, name: str) -> Named:
    """Find a song by id, Spotify id or link, or artist and title; of several songs, the first with features."""
    rows = np.flatnonzero((songs.facts["song_id"] == name).to_numpy(dtype=bool))
    link = parse_link(name)
    spotify = link.id if link is not None and link.kind == "track" else name if _ID.fullmatch(name) else None
    if not len(rows) and spotify:
        rows = np.flatnonzero((songs.facts["spotify_id"] == spotify).to_numpy(dtype=bool))
    if not len(rows):
        rows = titled(songs, name)
    if not len(rows):
        raise InputError(
            f"song:{name}: the store has no such song. Write song:ARTIST - TITLE, or an id: SELECT song_id, artist, "
            "title FROM songs."
        )
    row = next((int(row) for row in rows if songs.heard[row]), int(rows[0]))
    point = songs.vectors[row].astype(np.float64) if songs.heard[row] else None
    return Named("song", songs.called(row), np.array([row]), point)


def titled(songs: Songs, text: str) -> Ints:
    """Rows of songs that match a text such as ``Artist - Title``, ignoring case and spelling variants of the artist."""
    parts = re.split(r"\s+[-\u2013\u2014]\s+", text)
    found: set[int] = set()
    for cut in range(1, len(parts)):
        artist, title = artist_key(" - ".join(parts[:cut])), title_key(" - ".join(parts[cut:]))
        found.update(songs.by_title.get((artist, title), ()))
    return np.array(sorted(found), dtype=np.int64)
