"""Tracks as the Web API describes them, in playlists, in searches and alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genreatlas.sources.folder.catalogue import clean_isrc
from genreatlas.sources.spotify.links import parse_link
from genreatlas.sources.spotify.values import address, boolean, integer, mapping, mappings, text

_ID = re.compile(r"(?!null$)[0-9A-Za-z]+")
PRECISIONS = ("year", "month", "day")


@dataclass(frozen=True)
class Track:
    """A track that Spotify has; what a body does not say is None.

    Attributes
    ----------
    spotify_id : id of the recording that is played; of a relinked track, not that of the list's own entry.
    artists, album_artists : names, in the order of the credit; ``artist_ids`` those of artists that Spotify knows.
    release_date : of the album, as precise as ``release_date_precision`` (year, month or day); not the first
        release of the recording. Its precision is None where Spotify does not say, or says something else.
    preview_url : as seen; None in development mode and for apps made since 2024-11-27.
    """

    spotify_id: str
    title: str | None = None
    artists: tuple[str, ...] = ()
    artist_ids: tuple[str, ...] = ()
    album: str | None = None
    album_id: str | None = None
    album_artists: tuple[str, ...] = ()
    track_number: int | None = None
    disc_number: int | None = None
    duration_ms: int | None = None
    explicit: bool | None = None
    isrc: str | None = None
    release_date: str | None = None
    release_date_precision: str | None = None
    popularity: int | None = None
    cover_url: str | None = None
    preview_url: str | None = None


def parse_track(body: Any) -> Track | str:
    """Read a track object, full or simplified, of any year.

    Returns
    -------
    Track, or why it is none: ``null`` (withdrawn, or not sold here), ``local`` (a file on somebody's
    computer), the type of another thing (``episode``), or ``no_id``.
    """
    if not isinstance(body, dict):
        return "null"
    uri = text(body.get("uri")) or ""
    if body.get("is_local") is True or uri.startswith("spotify:local:"):
        return "local"
    kind = text(body.get("type")) or _kind_of(uri)
    if kind != "track" or body.get("episode") is True:
        return kind if kind != "track" else "episode"
    identity = text(body.get("id"))
    if identity is None and (link := parse_link(uri)) is not None:
        identity = link.id
    if identity is None or not _ID.fullmatch(identity):
        return "no_id"  # very old entries are "spotify:track:null"
    album = mapping(body.get("album"))
    precision = album.get("release_date_precision")
    return Track(
        spotify_id=identity,
        title=text(body.get("name")),
        artists=_named(body.get("artists"), "name"),
        artist_ids=_named(body.get("artists"), "id"),
        album=text(album.get("name")),
        album_id=text(album.get("id")),
        album_artists=_named(album.get("artists"), "name"),
        track_number=integer(body.get("track_number")),
        disc_number=integer(body.get("disc_number")),
        duration_ms=integer(body.get("duration_ms")),
        explicit=boolean(body.get("explicit")),
        isrc=clean_isrc(text(mapping(body.get("external_ids")).get("isrc")) or ""),
        release_date=_date(album.get("release_date")),
        release_date_precision=precision if precision in PRECISIONS else None,
        popularity=integer(body.get("popularity")),
        cover_url=_largest(album),
        preview_url=address(body.get("preview_url")),
    )


def _kind_of(uri: str) -> str:
    parts = uri.split(":")
    return parts[1] if len(parts) > 2 and parts[0] == "spotify" else "track"


def _named(artists: Any, key: str) -> tuple[str, ...]:
    return tuple(value for artist in mappings(artists) if (value := text(artist.get(key))) is not None)


def _date(value: Any) -> str | None:
    """A date as given; a year of zeros is Spotify's way of not knowing."""
    given = text(value)
    return None if given is None or given.startswith("0000") else given


def _largest(album: Mapping[str, Any]) -> str | None:
    """The widest cover; the first where widths are not given, as Spotify lists the widest first."""
    images = [(integer(image.get("width")) or 0, address(image.get("url"))) for image in mappings(album.get("images"))]
    return max(((width, url) for width, url in images if url), key=lambda image: image[0], default=(0, None))[1]
