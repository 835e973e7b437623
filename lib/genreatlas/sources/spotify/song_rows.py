"""Rows of the song tables, from single tracks and from many lists of songs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from genreatlas.ids import stable_id
from genreatlas.sources.credits import Credit, artist_id, is_no_artist, title_guests
from genreatlas.sources.spotify.pages import Track
from genreatlas.values import JsonView, Row, RowView

#: ``songs.source`` of songs from Spotify.
SOURCE = "spotify"


def song_id(spotify_id: str) -> str:
    """Id of a song, derived from the Spotify id of the track."""
    return stable_id("song", SOURCE, spotify_id)


def clip_id(spotify_id: str) -> str:
    """Key of a track's rows in feature tables. Its features cover the whole recording; no clip is stored for it."""
    return stable_id("clip", SOURCE, spotify_id)


def song_row(track: Track, market: str = "") -> dict[str, object]:
    """Columns of ``songs``, except the time."""
    return {
        "song_id": song_id(track.spotify_id),
        "source": SOURCE,
        "source_key": track.spotify_id,
        "title": track.title,
        "artist": "; ".join(track.artists) or None,
        "album": track.album,
        "album_artist": "; ".join(track.album_artists) or None,
        "isrc": track.isrc,
        "spotify_id": track.spotify_id,
        "album_id": track.album_id,
        "track_number": track.track_number,
        "disc_number": track.disc_number,
        "duration_ms": track.duration_ms,
        "explicit": track.explicit,
        "release_date": track.release_date,
        "release_date_precision": track.release_date_precision,
        "popularity": track.popularity,
        "cover_url": track.cover_url,
        "preview_url": track.preview_url,
        "market": market or None,
    }


def credits_of(track: Track) -> tuple[Credit, ...]:
    """Credits of a track: artists in Spotify's order, the first of which is primary, then guests in the title.

    Spotify lists each artist separately, so names are not split.
    """
    named = [name for name in track.artists if not is_no_artist(name)]
    guests = title_guests(track.title or "") if named else ()
    found: dict[str, Credit] = {}
    for place, name in enumerate([*named, *(guest for guest in guests if not is_no_artist(guest))]):
        identity = artist_id(name)
        found.setdefault(identity, Credit(identity, name, "guest" if place else "primary"))
    return tuple(found.values())


def choose(spotify_ids: Iterable[str], number: int, seed: int, genre_id: str) -> set[str]:
    """Choose at most ``number`` tracks of a list for a genre.

    Tracks are ordered by a hash of seed, genre and track. So the choice does not depend on their order in the list, and
    a small change of the list changes the choice only slightly.
    """
    shuffled = sorted(set(spotify_ids), key=lambda identity: stable_id(seed, genre_id, identity))
    return set(shuffled[:number])


#: ``song_genres.label_source`` by route; ``playlist`` for all other routes.
_LABEL_SOURCES = {"artists": "artist", "search": "search"}


@dataclass
class ListRows:
    """Rows of each table with distinct keys.

    If lists have different data for one song, the smaller row in sorted order is used, so that the result does not
    depend on the order of lists. Likewise, an artist has the first of its spellings in sorted order.
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


def list_rows(answers: Iterable[RowView]) -> ListRows:
    """Rows of fetched lists; :mod:`genreatlas.sources.spotify.lists` describes the content of ``answers``."""
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


def list_source(playlist: JsonView) -> str:
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
