"""Parse a genre's page: its artists, nearby and opposite genres, and playlists."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from genreatlas.config.collecting import PlaylistRole
from genreatlas.errors import Reason
from genreatlas.sources.every_noise.markup import Item, Markup, read_markup
from genreatlas.sources.every_noise.names import (
    artist_id_of_href,
    example,
    slug_of_href,
    track_id,
    unarchived,
)
from genreatlas.sources.genres import genre_slug
from genreatlas.sources.spotify.links import parse_link

Box = Literal["nearby", "opposite"]
Role = PlaylistRole

_SITE = re.compile(r"^every noise at once\s*[·•|:–-]?\s*", re.IGNORECASE)
_AS_OF = re.compile(r"as of (\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True)
class MappedArtist:
    """An artist on a genre's map."""

    position: int
    name: str
    artist_id: str | None  #: Spotify's id
    x: int | None
    y: int | None
    colour: str | None
    weight: float | None  #: font size in per cent
    example_track: str | None
    example_track_id: str | None
    preview_url: str | None


@dataclass(frozen=True)
class Neighbour:
    """A genre in one of the two boxes below the map, nearby or opposite; the page's own genre is excluded."""

    box: Box
    position: int
    slug: str
    name: str
    x: int | None
    y: int | None
    colour: str | None
    weight: float | None


@dataclass(frozen=True)
class PlaylistLink:
    """A playlist linked on the page."""

    role: Role
    year: int | None
    playlist_id: str
    owner: str | None


@dataclass(frozen=True)
class GenrePage:
    """Content of a genre's page."""

    slug: str
    name: str
    as_of: date | None  #: date of the data as the page states it
    complete: bool  #: whether the end of the page was found, so that it is not truncated
    artists: tuple[MappedArtist, ...]
    neighbours: tuple[Neighbour, ...]
    playlists: tuple[PlaylistLink, ...]

    def playlist_id(self, role: Role = "sound") -> str | None:
        """Id of the first playlist with a role; None if there is none."""
        return next((link.playlist_id for link in self.playlists if link.role == role), None)

    def problem(self, genre_id: str, name: str | None) -> tuple[Reason, str] | None:
        """Reason and text why this is not the complete page of a genre; None if no problem was found.

        Parameters
        ----------
        genre_id, name : id and name of the expected genre on the map.
        """
        if not self.complete:
            return Reason.INCOMPLETE_BODY, "the page is truncated"
        if self.slug != genre_id and (name is None or _plain(self.name) != _plain(name)):
            what = f"it is the page of {self.name!r}" if self.name else "it is not a genre's page"
            return Reason.WRONG_CONTENT, what
        if not (self.artists or self.neighbours):
            return Reason.WRONG_CONTENT, "it lists neither artists nor genres"
        places = sum(artist.x is not None and artist.y is not None for artist in self.artists)
        styled = any(artist.weight or artist.colour for artist in self.artists) or places > 0
        if self.artists and (not styled or (len(self.artists) >= _SEVERAL and places < len(self.artists) / 2)):
            said = f"it has positions of {places} of {len(self.artists)} artists: its styles were stripped or changed"
            return Reason.WRONG_CONTENT, said
        return None


#: Number of artists from which at least half must have a position.
_SEVERAL = 5


def parse_genre_page(page: str | bytes) -> GenrePage:
    """Parse a genre's page of any year, as served or as saved by a browser."""
    markup = read_markup(page)
    name = _SITE.sub("", markup.heading) or _SITE.sub("", markup.title)
    boxes = [item for item in markup.items if item.box and item.name]
    own = [item for item in boxes if item.box == "nearby" and _is_list(item)]
    name = own[0].name if own else name
    slug = (slug_of_href(own[0].href) if own else None) or genre_slug(name)
    artists = [item for item in markup.items if not item.box and item.name]
    return GenrePage(
        slug=slug,
        name=name,
        as_of=_as_of(markup.text),
        complete=markup.complete,
        artists=tuple(_artist(item, place) for place, item in enumerate(artists, start=1)),
        neighbours=_neighbours([item for item in boxes if item not in own], slug),
        playlists=_playlists(markup),
    )


def _is_list(item: Item) -> bool:
    return "everynoise1d" in (item.href or "").lower()


def _artist(item: Item, place: int) -> MappedArtist:
    _, track = example(item.attributes.get("title"))
    left, top = item.style("left"), item.style("top")
    return MappedArtist(
        position=item.number or place,
        name=item.name,
        artist_id=artist_id_of_href(item.href),
        x=None if left is None else round(left),
        y=None if top is None else round(top),
        colour=item.colour,
        weight=item.style("font-size"),
        example_track=track,
        example_track_id=track_id(item.key),
        preview_url=item.preview_url,
    )


def _neighbours(items: Sequence[Item], own: str) -> tuple[Neighbour, ...]:
    found: dict[tuple[str, str], Neighbour] = {}
    for item in items:
        left, top = item.style("left"), item.style("top")
        neighbour = Neighbour(
            box="nearby" if item.box == "nearby" else "opposite",
            position=item.number,
            slug=slug_of_href(item.href) or genre_slug(item.name),
            name=item.name,
            x=None if left is None else round(left),
            y=None if top is None else round(top),
            colour=item.colour,
            weight=item.style("font-size"),
        )
        if neighbour.slug != own:
            found.setdefault((neighbour.box, neighbour.slug), neighbour)
    return tuple(found.values())


def _playlists(markup: Markup) -> tuple[PlaylistLink, ...]:
    """Playlists with roles, derived from the link's text, or from the title "The Sound of …"."""
    found: dict[tuple[Role, int | None, str], PlaylistLink] = {}
    for anchor in markup.links:
        link = parse_link(unarchived(anchor.href))
        if link is None or link.kind != "playlist":
            continue
        text = anchor.text.lower()
        role: Role = "other"
        if re.fullmatch(r"(19|20)\d\d", text):
            role = "year"
        elif text in ("intro", "pulse", "edge"):
            role = text  # type: ignore[assignment]
        elif text in ("playlist", "sound") or "the sound of" in f"{text} {anchor.title}".lower():
            role = "sound"
        playlist = PlaylistLink(role, int(text) if role == "year" else None, link.id, link.user)
        found.setdefault((role, playlist.year, link.id), playlist)
    playlists = list(found.values())
    if len(playlists) == 1 and playlists[0].role == "other":
        # Until 2014 pages had one playlist, with varying link texts.
        playlists[0] = replace(playlists[0], role="sound")
    return tuple(playlists)


def _plain(name: str) -> str:
    """Name without the differences in spelling that occur between two pages."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _as_of(text: str) -> date | None:
    found = _AS_OF.search(text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
