"""Playlists and searches: their heads, their pages, and what stands on them.

Two generations of the playlist API are read. Until 2026 a playlist has ``tracks``, a page of entries that
have a ``track``; since February 2026 apps in development mode get ``items``, with an ``item``, and only for
playlists that their user owns. Some bodies have both.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from genreatlas.sources.spotify.tracks import Track, parse_track
from genreatlas.sources.spotify.values import (
    UnexpectedBody,
    boolean,
    identifier,
    integer,
    mapping,
    mappings,
    moment,
    text,
)

Form = Literal["tracks", "items"]


@dataclass(frozen=True)
class Listed:
    """A track in its place on a list, from 0; ``added_at`` where the list says when it came there."""

    position: int
    track: Track
    added_at: datetime | None = None


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes
    ----------
    left_out : number of entries that are no track of Spotify's, by what they are: null, withdrawn, local, episode,
        no_id.
    total : length of the whole list as the page states it; lists may change between pages.
    address, next : addresses of this page and of the next one, as the server gives them.
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
    """Head of a playlist, with its first page where the body has one.

    ``form`` tells the generation of the API; None where the body has no page, as an app in development mode
    gets for playlists of others.
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


def parse_playlist(body: Any) -> Playlist:
    """Read a playlist of either generation.

    Raises
    ------
    UnexpectedBody : the body is no playlist, or its entries are no page.
    """
    head = mapping(body)
    if text(head.get("type")) not in ("playlist", None) or not head.keys() & {"snapshot_id", "owner", "id"}:
        raise UnexpectedBody("a playlist was asked for, and the body has neither id nor snapshot_id nor owner")
    forms: tuple[Form, ...] = ("items", "tracks")  # the newer form is preferred where both are given
    form = next((form for form in forms if isinstance(mapping(head.get(form)).get("items"), list)), None)
    for name in forms:
        held = head.get(name)
        if form is None and held is not None and (not isinstance(held, dict) or held.get("items") is not None):
            raise UnexpectedBody(f"a playlist was asked for, and its {name} are no page")
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


def parse_page(body: Any, offset: int = 0) -> Page:
    """Read a page of a playlist's entries: objects with a ``track`` or an ``item``.

    Parameters
    ----------
    offset : where the page begins, if it does not say so itself.

    Raises
    ------
    UnexpectedBody : the body has no list of entries, or one of something else.
    """
    return _page(body, _entry, offset, _is_entry, "entries of a playlist")


def parse_track_page(body: Any, offset: int = 0) -> Page:
    """Read the tracks of a search, ``{"tracks": {"items": [track, ...]}}``.

    Raises
    ------
    UnexpectedBody : the body has no list of tracks, or one of something else.
    """
    found = mapping(body).get("tracks")
    return _page(found, lambda entry: (entry, None, False), offset, lambda entry: not _is_entry(entry), "tracks")


def parse_playlist_page(body: Any) -> tuple[tuple[FoundPlaylist, ...], str | None]:
    """Read the playlists of a search, in order, and the address of the next page.

    Playlists that the app may not see are null, and left out.

    Raises
    ------
    UnexpectedBody : the body has no list of playlists.
    """
    page = mapping(mapping(body).get("playlists"))
    found = page.get("items")
    if not isinstance(found, list):
        raise UnexpectedBody("playlists were searched for, and the body has no playlists.items")
    entries = [entry for entry in mappings(found) if entry.get("type") in ("playlist", None)]
    if found and not entries and all(entry is not None for entry in found):
        raise UnexpectedBody("playlists were searched for, and what was found are no playlists")
    playlists = (
        FoundPlaylist(identity, text(entry.get("name")), text(mapping(entry.get("owner")).get("id")))
        for entry in entries
        if (identity := identifier(entry.get("id"))) is not None
    )
    return tuple(playlists), text(page.get("next"))


def _entry(entry: Mapping[str, Any]) -> tuple[Any, Any, bool]:
    """Track object, time of adding, and whether the entry is a local file."""
    held = entry.get("item") if isinstance(entry.get("item"), dict) else entry.get("track")
    return held, entry.get("added_at"), entry.get("is_local") is True


def _is_entry(entry: Mapping[str, Any]) -> bool:
    """Whether an object is an entry of a playlist, and not a track itself, which may have a flag ``track``."""
    return any(name in entry and not isinstance(entry[name], bool) for name in ("item", "track")) or (
        "added_at" in entry and "uri" not in entry
    )


def _page(body: Any, read: Any, asked: int, fits: Callable[[Mapping[str, Any]], bool], what: str) -> Page:
    page = mapping(body)
    entries = page.get("items")
    if not isinstance(entries, list):
        raise UnexpectedBody("a page was asked for, and the body has no list of items")
    objects = list(mappings(entries))
    others = objects or (entries and all(entry is not None for entry in entries))
    if others and not any(map(fits, objects)):
        raise UnexpectedBody(f"{what} were asked for, and the body's items are something else")
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
