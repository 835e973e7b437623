"""Songs of a catalogue as rows of ``songs``, ``artists``, ``song_artists`` and ``song_genres``."""

from collections.abc import Callable, Iterable
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


class SongIds:
    """Which id each song of the folder has.

    A song keeps the id that it was first stored with, also when its key has changed since, as that of a file that was
    moved. A new song at the key that another one had gets an id of its own.

    Parameters
    ----------
    stored : id and key of the songs that the store has. Where several have had a key, the first one has it now.
    """

    def __init__(self, stored: Iterable[tuple[str, str]] = ()) -> None:
        self._keys: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        for identity, key in stored:
            self._keys[identity] = key
            self._ids.setdefault(key, identity)
        self._stored = set(self._keys)

    def __call__(self, key: str) -> str:
        """Id of a song by its key."""
        if key not in self._ids:
            identity, number = song_id(key), 1
            while identity in self._keys:
                number += 1
                identity = stable_id("song", SOURCE, key, number)
            self._ids[key] = identity
            self._keys[identity] = key
        return self._ids[key]

    def stored_at(self, key: str | None) -> str | None:
        """The stored song that has a key; None where there is none."""
        found = self._ids.get(key or "")
        return found if found in self._stored else None

    def key_of(self, identity: str) -> str | None:
        """The key that a song has, or had where another song has it now."""
        return self._keys.get(identity)

    def move(self, identity: str, key: str) -> None:
        """Let a stored song have another key, also where another song has it."""
        before = self._ids.get(key)
        if before is not None and before not in self._stored:
            del self._keys[before]
        if self._ids.get(self._keys[identity]) == identity:
            del self._ids[self._keys[identity]]
        self._keys[identity], self._ids[key] = key, identity


def song_rows(
    songs: Iterable[Song],
    labels: str,
    licence: str = "",
    ids: Callable[[str], str] = song_id,
    listed_in: str | None = None,
) -> SongRows:
    """Rows of songs.

    Parameters
    ----------
    labels : kind of source, stored with each genre.
    licence : what a song gets that states none.
    ids : id of a song by its key.
    listed_in : URI of the folder or list that names them.
    """
    rows = SongRows()
    artists: dict[str, str] = {}
    for song in sorted(songs, key=lambda song: ids(song.key)):
        identity = ids(song.key)
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
                "listed_in": listed_in,
                "retired_at": None,
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
                "retired_at": None,
            }
            for genre in song.genres
        )
    rows.artists.extend({"artist_id": artist_id, "name": artists[artist_id]} for artist_id in sorted(artists))
    return rows
