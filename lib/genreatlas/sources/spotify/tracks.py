"""Tracks as the Web API describes them, in playlists, in searches and alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from genreatlas.sources.folder.catalogue import clean_isrc
from genreatlas.sources.spotify.links import parse_link
from genreatlas.sources.spotify.values import address, boolean, identifier, integer, mapping, mappings, text

PRECISIONS = ("year", "month", "day")
_KIND = re.compile(r"[a-z_]{1,20}")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?", re.ASCII)


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
    Track, or why it is none: ``null`` (not sold here), ``withdrawn`` (neither name nor length are left of it),
    ``local`` (a file on somebody's computer), the type of another thing (``episode``), or ``no_id``.
    """
    if not isinstance(body, dict):
        return "null"
    uri = text(body.get("uri")) or ""
    if body.get("is_local") is True or uri.startswith("spotify:local:"):
        return "local"
    kind = text(body.get("type")) or _kind_of(uri)
    if kind != "track" or body.get("episode") is True:
        return "episode" if kind == "track" else kind if _KIND.fullmatch(kind) else "other"
    identity = identifier(body.get("id"))
    if identity is None and text(body.get("id")) is None and (link := parse_link(uri)) is not None:
        identity = link.id
    if identity is None:
        return "no_id"  # very old entries are "spotify:track:null"
    title, duration_ms = text(body.get("name")), integer(body.get("duration_ms"), low=1)
    if title is None and duration_ms is None:
        return "withdrawn"
    album = mapping(body.get("album"))
    precision = album.get("release_date_precision")
    return Track(
        spotify_id=identity,
        title=title,
        artists=_named(body.get("artists"), "name"),
        artist_ids=tuple(found for one in mappings(body.get("artists")) if (found := identifier(one.get("id")))),
        album=text(album.get("name")),
        album_id=identifier(album.get("id")),
        album_artists=_named(album.get("artists"), "name"),
        track_number=integer(body.get("track_number"), low=0),
        disc_number=integer(body.get("disc_number"), low=0),
        duration_ms=duration_ms,
        explicit=boolean(body.get("explicit")),
        isrc=clean_isrc(text(mapping(body.get("external_ids")).get("isrc")) or ""),
        release_date=_date(album.get("release_date")),
        release_date_precision=precision if precision in PRECISIONS else None,
        popularity=integer(body.get("popularity"), 0, 100),
        cover_url=_largest(album),
        preview_url=address(body.get("preview_url")),
    )


def _kind_of(uri: str) -> str:
    parts = uri.split(":")
    return parts[1] if len(parts) > 2 and parts[0] == "spotify" else "track"


def _named(artists: Any, key: str) -> tuple[str, ...]:
    return tuple(value for artist in mappings(artists) if (value := text(artist.get(key))) is not None)


def _date(value: Any) -> str | None:
    """A date as given, of a year, month or day that there is; a year of zeros is Spotify's way of not knowing."""
    if not isinstance(value, str) or not _DATE.fullmatch(value) or value.startswith("0000"):
        return None
    try:
        date.fromisoformat(value + "0000-01-01"[len(value) :])
    except ValueError:
        return None
    return value


def _largest(album: Mapping[str, Any]) -> str | None:
    """The widest cover; the first where widths are not given, as Spotify lists the widest first."""
    images = [
        (integer(image.get("width"), low=0) or 0, address(image.get("url"))) for image in mappings(album.get("images"))
    ]
    return max(((width, url) for width, url in images if url), key=lambda image: image[0], default=(0, None))[1]
