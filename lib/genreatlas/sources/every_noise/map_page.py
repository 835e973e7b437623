"""The map: every genre at its place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from genreatlas.ids import stable_id
from genreatlas.sources.every_noise.markup import Item, read_markup
from genreatlas.sources.every_noise.names import example, genre_slug, slug_of_href, track_id


@dataclass(frozen=True)
class MappedGenre:
    """A genre on the map; ``x`` runs from dense to spiky, ``y`` from electric to organic, both in pixels."""

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


def parse_map(page: str | bytes) -> tuple[MappedGenre, ...]:
    """Read the map page, of any year, as served or as saved by a browser.

    Names are text, slugs come from the links. A genre that is listed twice counts once. Two names
    with one slug stay two genres: one of them gets a slug that ends in a hash of its name.
    """
    items = [item for item in read_markup(page).items if item.box == "" and item.name]
    genres = _with_own_slugs([_genre(item, place) for place, item in enumerate(items, start=1)])
    return tuple(_scaled(genres))


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
    """Give each name a slug of its own, which does not depend on the order of the page."""
    names: dict[str, set[str]] = {}
    for genre in genres:
        names.setdefault(genre.slug, set()).add(genre.name)
    # Whoever is spelt like the slug keeps it, or else the first in sorted order.
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
