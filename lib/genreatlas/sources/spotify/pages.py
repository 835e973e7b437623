"""Parse tracks, playlists and search results of the Web API.

Two generations of the playlist API are supported. Until 2026 a playlist has ``tracks``, a page of entries with a
``track``. Since February 2026 apps in development mode get ``items``, with entries that have an ``item``, and only for
playlists of their user. Some bodies have both.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from genreatlas.sources.folder.catalogue import clean_isrc
from genreatlas.sources.json_values import (
    UnexpectedBody,
    address,
    boolean,
    identifier,
    integer,
    mapping,
    mappings,
    moment,
    text,
)
from genreatlas.sources.spotify.links import parse_link
from genreatlas.values import JsonView

PRECISIONS = ("year", "month", "day")
_KIND = re.compile(r"[a-z_]{1,20}")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?", re.ASCII)


@dataclass(frozen=True)
class Track:
    """A track of Spotify; missing values are None.

    Attributes
    ----------
    spotify_id : id of the recording that is played; for a relinked track, not the id of the list's entry.
    artists, album_artists : names, in the order of the credit.
    artist_ids : ids of those artists that have one.
    release_date : release date of the album, with the precision ``release_date_precision`` (year, month or day, or None
        if unknown); not the first release of the recording.
    preview_url : address of the preview; None in development mode and for apps created since 2024-11-27.
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


def parse_track(body: object) -> Track | str:
    """Parse a track object, full or simplified, of any year.

    Returns
    -------
    Track, or the reason why it is not a track: ``null`` (not available in the market), ``withdrawn`` (without name and
    length), ``local`` (a local file of a user), the type of another object (``episode``), or ``no_id``.
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


def _named(artists: object, key: str) -> tuple[str, ...]:
    return tuple(value for artist in mappings(artists) if (value := text(artist.get(key))) is not None)


def _date(value: object) -> str | None:
    """A valid date of a year, month or day, as given; otherwise None. Spotify writes unknown years as zeros."""
    if not isinstance(value, str) or not _DATE.fullmatch(value) or value.startswith("0000"):
        return None
    try:
        date.fromisoformat(value + "0000-01-01"[len(value) :])
    except ValueError:
        return None
    return value


def _largest(album: Mapping[str, object]) -> str | None:
    """Address of the widest cover; of the first if widths are missing, because Spotify lists the widest first."""
    images = [
        (integer(image.get("width"), low=0) or 0, address(image.get("url"))) for image in mappings(album.get("images"))
    ]
    return max(((width, url) for width, url in images if url), key=lambda image: image[0], default=(0, None))[1]


Form = Literal["tracks", "items"]


@dataclass(frozen=True)
class Listed:
    """A track with its position in a list, from 0; ``added_at`` is the time when it was added, if known."""

    position: int
    track: Track
    added_at: datetime | None = None


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes
    ----------
    left_out : number of entries that are not tracks, by kind: null, withdrawn, local, episode, no_id.
    total : length of the whole list as stated on the page; lists may change between pages.
    address, next : addresses of this page and of the next one, as given by the server.
    """

    tracks: tuple[Listed, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    offset: int = 0
    entries: int = 0
    limit: int | None = None
    total: int | None = None
    address: str | None = None
    next: str | None = None


@dataclass(frozen=True)
class Playlist:
    """Head of a playlist, with its first page if the body has one.

    ``form`` is the generation of the API; None if the body has no page, as for apps in development mode and playlists
    of other users.
    """

    playlist_id: str | None
    name: str | None
    owner_id: str | None
    owner: str | None
    snapshot: str | None
    public: bool | None
    form: Form | None
    page: Page | None


@dataclass(frozen=True)
class FoundPlaylist:
    """A playlist among the results of a search."""

    playlist_id: str
    name: str | None
    owner_id: str | None


def parse_playlist(body: object) -> Playlist:
    """Parse a playlist of either generation.

    Raises
    ------
    UnexpectedBody : the body is not a playlist, or its entries are not a page.
    """
    head = mapping(body)
    if text(head.get("type")) not in ("playlist", None) or not head.keys() & {"snapshot_id", "owner", "id"}:
        raise UnexpectedBody("a playlist was requested, but the body has neither id nor snapshot_id nor owner")
    forms: tuple[Form, ...] = ("items", "tracks")  # the newer form is preferred where both are given
    form = next((form for form in forms if isinstance(mapping(head.get(form)).get("items"), list)), None)
    for name in forms:
        held = head.get(name)
        if form is None and held is not None and (not isinstance(held, dict) or held.get("items") is not None):
            raise UnexpectedBody(f"a playlist was requested, but its {name} are not a page")
    owner = mapping(head.get("owner"))
    return Playlist(
        playlist_id=identifier(head.get("id")),
        name=text(head.get("name")),
        owner_id=text(owner.get("id")),
        owner=text(owner.get("display_name")),
        snapshot=text(head.get("snapshot_id")),
        public=boolean(head.get("public")),
        form=form,
        page=parse_page(head[form]) if form else None,
    )


def parse_page(body: object, offset: int = 0) -> Page:
    """Parse a page of a playlist's entries: objects with a ``track`` or an ``item``.

    Parameters
    ----------
    offset : position of the first entry, if the page does not state it.

    Raises
    ------
    UnexpectedBody : the body has no list of entries, or a list of other objects.
    """
    return _page(body, _entry, offset, _is_entry, "entries of a playlist")


def parse_track_page(body: object, offset: int = 0) -> Page:
    """Parse the tracks of a search, ``{"tracks": {"items": [track, ...]}}``.

    Raises
    ------
    UnexpectedBody : the body has no list of tracks, or a list of other objects.
    """
    found = mapping(body).get("tracks")
    return _page(found, lambda entry: (entry, None, False), offset, lambda entry: not _is_entry(entry), "tracks")


def parse_playlist_page(body: object) -> tuple[tuple[FoundPlaylist, ...], str | None]:
    """Parse the playlists of a search, in order, and the address of the next page.

    Playlists without access are null in the body, and left out.

    Raises
    ------
    UnexpectedBody : the body has no list of playlists.
    """
    page = mapping(mapping(body).get("playlists"))
    found = page.get("items")
    if not isinstance(found, list):
        raise UnexpectedBody("playlists were searched for, but the body has no playlists.items")
    entries = [entry for entry in mappings(found) if entry.get("type") in ("playlist", None)]
    if found and not entries and all(entry is not None for entry in found):
        raise UnexpectedBody("playlists were searched for, but the results are not playlists")
    playlists = (
        FoundPlaylist(identity, text(entry.get("name")), text(mapping(entry.get("owner")).get("id")))
        for entry in entries
        if (identity := identifier(entry.get("id"))) is not None
    )
    return tuple(playlists), text(page.get("next"))


def _entry(entry: Mapping[str, object]) -> tuple[object, object, bool]:
    """Track object, time of adding, and whether the entry is a local file."""
    held = entry.get("item") if isinstance(entry.get("item"), dict) else entry.get("track")
    return held, entry.get("added_at"), entry.get("is_local") is True


def _is_entry(entry: Mapping[str, object]) -> bool:
    """Whether an object is an entry of a playlist, and not a track, which may have a boolean ``track``."""
    return any(name in entry and not isinstance(entry[name], bool) for name in ("item", "track")) or (
        "added_at" in entry and "uri" not in entry
    )


def _page(body: object, read: Any, asked: int, fits: Callable[[JsonView], bool], what: str) -> Page:
    page = mapping(body)
    entries = page.get("items")
    if not isinstance(entries, list):
        raise UnexpectedBody("a page was requested, but the body has no list of items")
    objects = list(mappings(entries))
    others = objects or (entries and all(entry is not None for entry in entries))
    if others and not any(map(fits, objects)):
        raise UnexpectedBody(f"{what} were requested, but the body's items are something else")
    stated = integer(page.get("offset"), low=0)
    offset = asked if stated is None else stated
    tracks, left_out = [], Counter[str]()
    for position, entry in enumerate(entries, offset):
        held, added_at, local = read(mapping(entry))
        track = "local" if local else parse_track(held or None)
        if isinstance(track, Track):
            tracks.append(Listed(position, track, moment(added_at)))
        else:
            left_out[track] += 1
    return Page(
        tracks=tuple(tracks),
        left_out=dict(sorted(left_out.items())),
        offset=offset,
        entries=len(entries),
        limit=integer(page.get("limit"), low=1),
        total=integer(page.get("total"), low=0),
        address=text(page.get("href")),
        next=text(page.get("next")),
    )
