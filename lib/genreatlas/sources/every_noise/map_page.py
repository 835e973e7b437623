"""Parse the map with the position of every genre, and the list of all genres (``everynoise1d``) with rank and playlist.

Map and list together can replace thousands of genre pages: the list links each genre's "The Sound of …" playlist.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from genreatlas.ids import stable_id
from genreatlas.sources.every_noise.markup import Item, Row, colour_of, read_markup
from genreatlas.sources.every_noise.names import example, slug_of_href, track_id, unarchived
from genreatlas.sources.genres import genre_slug
from genreatlas.sources.spotify.links import parse_link


@dataclass(frozen=True)
class MappedGenre:
    """A genre on the map; ``x`` ranges from dense to spiky, ``y`` from electric to organic, both in pixels."""

    slug: str
    name: str
    position: int  #: number of the item on its page; since 2023 the most popular comes first
    x: int | None
    y: int | None
    x_scaled: float | None  #: 0 is the leftmost genre, 1 the rightmost
    y_scaled: float | None  #: 0 is the highest genre, 1 the lowest
    colour: str | None
    weight: float | None  #: font size in per cent: 100 for the smallest genres
    example_artist: str | None
    example_track: str | None
    example_track_id: str | None
    preview_url: str | None


@dataclass(frozen=True)
class MapPage:
    """Content of the map page, and data to check whether it is complete."""

    genres: tuple[MappedGenre, ...]
    items: int  #: boxes on the map; a genre may have two
    stated: int | None  #: number of genres stated in the page's text
    complete: bool  #: whether the end of the page was found, so that it is not truncated

    def problem(self, floor: int) -> str:
        """Text why this is not a complete map; empty if no problem was found.

        Parameters
        ----------
        floor : minimum number of genres.
        """
        found = len(self.genres)
        if found < floor:
            return f"has {found} genres, fewer than the minimum of {floor}. It may be truncated, or another page"
        if not self.complete:
            return f"is truncated after {found} genres. Save or fetch it again"
        if self.stated is not None and self.items < _WHOLE * self.stated:
            return f"has {self.items} genres, but states that it has {self.stated}. Save or fetch it again"
        places = [(genre.x, genre.y) for genre in self.genres if genre.x is not None and genre.y is not None]
        if len(places) < _WHOLE * found or (found > 1 and len(set(places)) == 1):
            return (
                f"has positions of {len(places)} of {found} genres: its styles were stripped or changed. Save it "
                "again as it is served, with the styles of its elements"
            )
        return ""


#: Minimum share of genres that must be present and have a position; single exceptions are accepted.
_WHOLE = 0.95
_STATED = re.compile(r"\b(\d[\d,.\s]*) genre-shaped distinctions")


def parse_map_page(page: str | bytes) -> MapPage:
    """Parse the map page of any year, as served or as saved by a browser.

    Slugs are taken from the links. A genre that is listed twice counts once. Two names with the same slug remain two
    genres: one of them gets a slug that ends in a hash of its name.
    """
    markup = read_markup(page)
    items = [item for item in markup.items if item.box == "" and item.name]
    genres = _with_own_slugs([_genre(item, place) for place, item in enumerate(items, start=1)])
    stated = _STATED.search(markup.text)
    number = int(re.sub(r"\D", "", stated.group(1))) if stated else None
    return MapPage(tuple(_scaled(genres)), len(items), number, markup.complete)


def parse_map(page: str | bytes) -> tuple[MappedGenre, ...]:
    """Genres of the map page; see :func:`parse_map_page`."""
    return parse_map_page(page).genres


def _genre(item: Item, place: int) -> MappedGenre:
    artist, track = example(item.attributes.get("title"))
    left, top = item.style("left"), item.style("top")
    return MappedGenre(
        slug=slug_of_href(item.href) or genre_slug(item.name),
        name=item.name,
        position=item.number or place,
        x=None if left is None else round(left),
        y=None if top is None else round(top),
        x_scaled=None,
        y_scaled=None,
        colour=item.colour,
        weight=item.style("font-size"),
        example_artist=artist,
        example_track=track,
        example_track_id=track_id(item.key),
        preview_url=item.preview_url,
    )


def _with_own_slugs(genres: Sequence[MappedGenre]) -> list[MappedGenre]:
    """Make slugs unique by name, independent of the order on the page."""
    names: dict[str, set[str]] = {}
    for genre in genres:
        names.setdefault(genre.slug, set()).add(genre.name)
    # The name that equals the slug keeps it, otherwise the first name in sorted order.
    owners = {slug: slug if slug in spelt else min(spelt) for slug, spelt in names.items()}
    found: dict[str, MappedGenre] = {}
    for genre in genres:
        if owners[genre.slug] != genre.name:
            genre = replace(genre, slug=f"{genre.slug}-{stable_id('genre', genre.name, length=8)}")
        found.setdefault(genre.slug, genre)
    return list(found.values())


def _scaled(genres: Sequence[MappedGenre]) -> list[MappedGenre]:
    across = _Range(genre.x for genre in genres)
    down = _Range(genre.y for genre in genres)
    return [replace(genre, x_scaled=across.share(genre.x), y_scaled=down.share(genre.y)) for genre in genres]


class _Range:
    def __init__(self, values: Iterable[int | None]) -> None:
        known = [value for value in values if value is not None]
        self._low, self._high = (min(known), max(known)) if known else (0, 0)

    def share(self, value: int | None) -> float | None:
        if value is None or self._low == self._high:
            return None
        return (value - self._low) / (self._high - self._low)


@dataclass(frozen=True)
class ListedGenre:
    """A genre in the list."""

    rank: int
    slug: str
    name: str
    colour: str | None
    playlist_id: str | None


@dataclass(frozen=True)
class ListPage:
    """Genres of the list page, and whether the end of the page or of its table was found."""

    genres: tuple[ListedGenre, ...]
    complete: bool

    @property
    def problem(self) -> str:
        """Text why this is not a complete list; empty if no problem was found."""
        if not self.genres:
            return "lists no genre"
        if not self.complete:
            return f"is truncated after {len(self.genres)} genres. Save or fetch it again"
        return ""


def parse_list_page(page: str | bytes) -> ListPage:
    """Parse the list page, as served until 2023 (``.cgi?scope=all``) and since (``.html``).

    The rank is the number in the row, or the row's position if it has none. Of a genre that is listed twice, the first
    row is used.
    """
    markup = read_markup(page)
    found: dict[tuple[str, str], ListedGenre] = {}
    for row in markup.rows:
        genre = _listed_genre(row, place=len(found) + 1)
        if genre is not None:
            found.setdefault((genre.slug, genre.name), genre)
    return ListPage(tuple(found.values()), markup.complete or markup.listed)


def parse_list(page: str | bytes) -> tuple[ListedGenre, ...]:
    """Genres of the list page; see :func:`parse_list_page`."""
    return parse_list_page(page).genres


def _listed_genre(row: Row, place: int) -> ListedGenre | None:
    playlist = name = href = style = None
    for attributes, text in row.links:
        link = parse_link(unarchived(attributes.get("href", "")))
        if link is not None and link.kind == "playlist":
            playlist = playlist or link.id
        elif text:
            name, href, style = text, attributes.get("href", ""), attributes.get("style")
    slug = slug_of_href(href)
    if name is None or (slug is None and playlist is None and "root=" not in (href or "")):
        return None
    ranks = [cell for cell in row.cells if cell.isdecimal() and len(cell) < 8]
    return ListedGenre(
        rank=int(ranks[0]) if ranks else place,
        slug=slug or genre_slug(name),
        name=name,
        colour=colour_of(style),
        playlist_id=playlist,
    )
