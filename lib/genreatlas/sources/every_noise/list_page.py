"""The list of all genres (``everynoise1d``): rank, playlist and name, one row a genre.

With the map it replaces thousands of genre pages: the link beside each name is the genre's "The Sound
of …" playlist.
"""

from dataclasses import dataclass

from genreatlas.sources.every_noise.markup import Row, colour_of, read_markup
from genreatlas.sources.every_noise.names import genre_slug, slug_of_href, unarchived
from genreatlas.sources.spotify.links import parse_link


@dataclass(frozen=True)
class ListedGenre:
    """A row of the list."""

    rank: int
    slug: str
    name: str
    colour: str | None
    playlist_id: str | None


@dataclass(frozen=True)
class ListPage:
    """The list page: its rows, and whether it, or at least its table, has its end."""

    genres: tuple[ListedGenre, ...]
    complete: bool

    @property
    def problem(self) -> str:
        """Why this is no whole list, for people; empty where nothing speaks against it."""
        if not self.genres:
            return "lists no genre"
        if not self.complete:
            return f"has no end: it was cut off after {len(self.genres)} genres. Save or fetch it again"
        return ""


def parse_list_page(page: str | bytes) -> ListPage:
    """Read the list, as served until 2023 (``.cgi?scope=all``) and since (``.html``).

    The rank is what the row says, or else its place. A genre that is listed twice keeps its first row.
    """
    markup = read_markup(page)
    found: dict[tuple[str, str], ListedGenre] = {}
    for row in markup.rows:
        genre = _genre(row, place=len(found) + 1)
        if genre is not None:
            found.setdefault((genre.slug, genre.name), genre)
    return ListPage(tuple(found.values()), markup.complete or markup.listed)


def parse_list(page: str | bytes) -> tuple[ListedGenre, ...]:
    """The rows of the list; see :func:`parse_list_page`."""
    return parse_list_page(page).genres


def _genre(row: Row, place: int) -> ListedGenre | None:
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
