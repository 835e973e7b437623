"""Tracks as rows of ``songs`` and ``song_artists``, and the choice among them."""

from collections.abc import Iterable
from typing import Any

from genreatlas.ids import stable_id
from genreatlas.sources.credits import Credit, artist_id, is_no_artist, title_guests
from genreatlas.sources.spotify.tracks import Track

#: ``songs.source`` of every song of this source.
SOURCE = "spotify"


def song_id(spotify_id: str) -> str:
    """Id of a song by Spotify's id of the track."""
    return stable_id("song", SOURCE, spotify_id)


def clip_id(spotify_id: str) -> str:
    """Key of a track's rows in tables of features: they are of the whole recording, not of a clip that we have."""
    return stable_id("clip", SOURCE, spotify_id)


def song_row(track: Track, market: str = "") -> dict[str, Any]:
    """Columns of ``songs``, but the time."""
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
    """Who made a track, in Spotify's order, whose first artist is the primary one; then guests that the title names.

    Spotify's names are names already, so they are not taken apart.
    """
    named = [name for name in track.artists if not is_no_artist(name)]
    guests = title_guests(track.title or "") if named else ()
    found: dict[str, Credit] = {}
    for place, name in enumerate([*named, *(guest for guest in guests if not is_no_artist(guest))]):
        identity = artist_id(name)
        found.setdefault(identity, Credit(identity, name, "guest" if place else "primary"))
    return tuple(found.values())


def choose(spotify_ids: Iterable[str], number: int, seed: int, genre_id: str) -> set[str]:
    """Choose at most so many tracks of a list for a genre.

    The tracks are shuffled by a hash of seed, genre and track, so the choice does not depend on their order,
    and a list that changes a little changes the choice a little.
    """
    shuffled = sorted(set(spotify_ids), key=lambda identity: stable_id(seed, genre_id, identity))
    return set(shuffled[:number])
