"""Songs of a catalogue as rows of ``songs``, ``artists``, ``song_artists`` and ``song_genres``."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from genreatlas.ids import stable_id
from genreatlas.sources.credits import credits
from genreatlas.sources.folder.catalogue import Song

#: ``songs.source`` of every song of the folder, and ``clips.provider``.
SOURCE = "folder"


@dataclass(frozen=True)
class SongRows:
    """Rows of each table, in the order of the songs' ids."""

    songs: list[dict[str, Any]] = field(default_factory=list)
    artists: list[dict[str, Any]] = field(default_factory=list)
    song_artists: list[dict[str, Any]] = field(default_factory=list)
    song_genres: list[dict[str, Any]] = field(default_factory=list)


def song_id(key: str) -> str:
    """Id of a song of the folder by its key."""
    return stable_id("song", SOURCE, key)


def song_rows(songs: Iterable[Song], labels: str, licence: str = "") -> SongRows:
    """Rows of songs.

    Parameters
    ----------
    labels : kind of source, stored with each genre.
    licence : what a song gets that states none.
    """
    rows = SongRows()
    artists: dict[str, str] = {}
    for song in sorted(songs, key=lambda song: song_id(song.key)):
        identity = song_id(song.key)
        rows.songs.append(
            {
                "song_id": identity,
                "source": SOURCE,
                "source_key": song.key,
                "title": song.title,
                "artist": song.artist,
                "album": song.album,
                "album_artist": song.album_artist,
                "compilation": song.compilation,
                "isrc": song.isrc,
                "declared_split": song.split,
                "licence": song.licence or licence or None,
            }
        )
        for position, credit in enumerate(credits(song.artist, album_artist=song.album_artist, title=song.title)):
            artists[credit.artist_id] = min(artists.get(credit.artist_id, credit.name), credit.name)
            rows.song_artists.append(
                {"song_id": identity, "position": position, "artist_id": credit.artist_id, "role": credit.role}
            )
        rows.song_genres.extend(
            {
                "song_id": identity,
                "genre_id": genre.genre_id,
                "source": labels,
                "genre": genre.name,
                "weight": 1.0,
                "label_source": SOURCE,
            }
            for genre in song.genres
        )
    rows.artists.extend({"artist_id": artist_id, "name": artists[artist_id]} for artist_id in sorted(artists))
    return rows
