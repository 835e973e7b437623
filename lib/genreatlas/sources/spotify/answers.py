"""Answers of a fan-out as rows of the tables: what many lists say together of songs, artists and genres."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = dict[str, Any]

#: ``song_genres.label_source`` by route; every other route names playlists.
_LABEL_SOURCES = {"artists": "artist", "search": "search"}


@dataclass
class ListRows:
    """Rows of each table, each key once.

    Where lists say different things of one song, that of the smaller row counts, so that the order of lists
    does not matter; an artist has the first of its spellings in sorted order.
    """

    songs: dict[str, Row] = field(default_factory=dict)
    artists: dict[str, str] = field(default_factory=dict)
    credits: dict[str, list[Row]] = field(default_factory=dict)
    labels: list[Row] = field(default_factory=list)
    playlists: list[Row] = field(default_factory=list)

    @property
    def song_artists(self) -> list[Row]:
        """Rows of ``song_artists``."""
        names = ("position", "artist_id", "role")
        return [
            {"song_id": song, **{name: credit[name] for name in names}}
            for song, them in self.credits.items()
            for credit in them
        ]

    @property
    def artist_rows(self) -> list[Row]:
        """Rows of ``artists``."""
        return [{"artist_id": identity, "name": name} for identity, name in self.artists.items()]


def list_rows(answers: Iterable[Mapping[str, Any]]) -> ListRows:
    """Rows of lists that were read; see :mod:`genreatlas.sources.spotify.lists` for what an answer is."""
    rows = ListRows()
    for answer in answers:
        playlist, genres = answer["playlist"], {genre["genre_id"]: genre for genre in answer["genres"]}
        for listed in answer["songs"]:
            song = listed["song"]
            _add_song(rows, song, listed["credits"])
            rows.labels += [
                _label(playlist, genres[genre_id], song["song_id"], listed) for genre_id in listed["genres"]
            ]
        kept = ("genre_id", "genre", "route", "role", "selection", "kept")
        rows.playlists += [playlist | {name: genre[name] for name in kept} for genre in genres.values()]
    return rows


def list_source(playlist: Mapping[str, Any]) -> str:
    """``song_genres.source`` of a list: its URI."""
    kind = "spotify:playlist:" if playlist["kind"] == "playlist" else "spotify:"
    return f"{kind}{playlist['playlist_id']}"


def _add_song(rows: ListRows, song: Row, credits: list[Row]) -> None:
    identity = song["song_id"]
    before = rows.songs.get(identity)
    if before is None or _order(song) < _order(before):
        rows.songs[identity], rows.credits[identity] = song, credits
    for credit in credits:
        name = credit["name"]
        rows.artists[credit["artist_id"]] = min(rows.artists.get(credit["artist_id"], name), name)


def _order(song: Row) -> list[tuple[bool, str]]:
    return [(value is not None, str(value)) for value in song.values()]


def _label(playlist: Row, genre: Row, song_id: str, listed: Row) -> Row:
    return {
        "song_id": song_id,
        "genre_id": genre["genre_id"],
        "source": list_source(playlist),
        "genre": genre["genre"],
        "weight": genre["weight"],
        "label_source": _LABEL_SOURCES.get(genre["route"], "playlist"),
        "playlist_id": playlist["playlist_id"],
        "position": listed["position"],
        "snapshot": playlist.get("snapshot"),
        "listed_at": datetime.fromisoformat(listed["listed_at"]) if listed["listed_at"] else None,
        "retired_at": None,
    }
