"""Rows of the tables that a genre's page fills, all but their snapshot: from saved pages, and from addresses.

A page that came cut off, empty, or as something else is asked for again.
"""

import hashlib
import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from genreatlas.config import FanOutSection
from genreatlas.errors import FetchError, InputError, Reason
from genreatlas.sources.every_noise.genre_page import GenrePage, parse_genre_page
from genreatlas.sources.every_noise.markup import read_markup
from genreatlas.sources.hosts import hosts_of
from genreatlas.sources.http import fetch_bytes, polite_session
from genreatlas.values import Row, RowView


@dataclass
class PageRows:
    """Rows by table."""

    artists: list[Row] = field(default_factory=list)
    neighbours: list[Row] = field(default_factory=list)
    playlists: list[Row] = field(default_factory=list)

    def add(self, other: "PageRows") -> None:
        """Add the rows of another page."""
        self.artists += other.artists
        self.neighbours += other.neighbours
        self.playlists += other.playlists


def rows_of_page(genre_id: str, page: GenrePage) -> PageRows:
    """Turn a page into rows of the genre that it was asked for."""
    genre = {"genre_id": genre_id}
    positions = _distinct([artist.position for artist in page.artists])
    return PageRows(
        artists=[
            genre
            | {
                "position": position,
                "name": artist.name,
                "spotify_artist_id": artist.artist_id,
                "weight": artist.weight,
                "map_x": artist.x,
                "map_y": artist.y,
                "colour": artist.colour,
                "example_track": artist.example_track,
                "example_track_id": artist.example_track_id,
                "preview_url": artist.preview_url,
            }
            for position, artist in zip(positions, page.artists, strict=True)
        ],
        neighbours=[
            genre
            | {
                "box": neighbour.box,
                "neighbour_id": neighbour.slug,
                "neighbour": neighbour.name,
                "position": neighbour.position,
                "weight": neighbour.weight,
                "box_x": neighbour.x,
                "box_y": neighbour.y,
                "colour": neighbour.colour,
            }
            for neighbour in page.neighbours
            if neighbour.slug != genre_id
        ],
        playlists=[
            genre | {"role": link.role, "playlist_id": link.playlist_id, "year": link.year, "owner": link.owner}
            for link in page.playlists
        ],
    )


@dataclass(frozen=True)
class SavedPage:
    """A file that should be a genre's page."""

    path: Path

    def read(self) -> tuple[GenrePage | None, str]:
        """The page, and the state of its file; None where the file cannot be read, whose state then is why."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            return None, str(error.strerror or error)
        return parse_genre_page(content), hashlib.sha256(content).hexdigest()[:16]


def saved_pages(folder: str) -> dict[str, list[SavedPage]]:
    """Saved genre pages of a folder and those below it, by slug, copies of one page in order of their names.

    The slug stands in a file's name, as it is served; a page that a browser named by its title
    (``Every Noise at Once - techno.html``) is the page that it says it is.

    Raises
    ------
    InputError : there is no such folder, or no page in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"[every_noise] pages: {folder} is no folder. Name a folder, or an address with {{slug}}.")
    found: dict[str, list[SavedPage]] = {}
    for path in sorted(path for path in root.rglob("*") if _SAVED.fullmatch(path.name) and path.is_file()):
        page = SavedPage(path)
        slug = _slug_in(path.name)
        if not slug and (read := page.read()[0]) is not None and read.name:  # the map itself has no name
            slug = read.slug
        if slug:
            found.setdefault(slug, []).append(page)
    if not found:
        raise InputError(f"[every_noise] pages: {folder} has no files called engenremap-<slug>.html.")
    return found


#: What a saved page is called: as it is served, or by its title; gzip'ed, or as one file with its pictures.
_SAVED = re.compile(r"(?:engenremap-|every noise at once).*\.(?:html?|mht|mhtml)(?:\.gz)?", re.IGNORECASE)
_SUFFIX = re.compile(r"\.(?:html?|mht|mhtml)(?:\.gz)?$", re.IGNORECASE)
#: Dated copies lie beside each other (``engenremap-pop_2022-06-13.html``), and browsers number theirs (``… (1).html``).
_COPY = re.compile(r"[_ .(-]+(?:\d{4}-?\d\d-?\d\d.*|\(?\d{1,2}\)|copy.*)$", re.IGNORECASE)


def _slug_in(name: str) -> str:
    stem = _SUFFIX.sub("", name)
    if not stem.lower().startswith("engenremap-"):
        return ""
    return _COPY.sub("", stem[len("engenremap-") :]).lower()


def _distinct(positions: list[int]) -> list[int]:
    """Positions as the page numbers them, or in order where it gives a number twice."""
    return positions if len(set(positions)) == len(positions) else list(range(1, len(positions) + 1))


PROVIDER = "every_noise"


def fetch_page(settings: FanOutSection, address: str, good: Callable[[bytes], bool]) -> bytes:
    """Get a page that is whole and good; a body that merely looks whole is asked for again.

    Returns
    -------
    The page; the last one that came, where none was good, so that the caller can say what is wrong with it.

    Raises
    ------
    FetchError : no page came, or none with its end.
    """
    session = polite_session(settings, PROVIDER, expects="html", named=hosts_of(address))
    page = b""
    for attempt in range(settings.tries):
        page = fetch_bytes(session, address)
        if good(page) and _has_end(page):
            return page
        time.sleep(random.uniform(0.0, min(settings.backoff_cap_s, settings.backoff_s * 2**attempt)))
    if not _has_end(page):
        raise FetchError(Reason.INCOMPLETE_BODY, f"GET {address}: the page has no end", 200, transient=True)
    return page


@dataclass(frozen=True)
class GenrePageFetch:
    """Fetches genre pages by slug; what is fetched is the page's rows, as JSON.

    Parameters
    ----------
    pages : address of a page, with {slug} in it.
    """

    pages: str
    providers: tuple[str, ...] = (PROVIDER,)
    columns: str = "page_rows string"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host of the pages."""
        return (urlsplit(self.pages).netloc,)

    def open(self, settings: FanOutSection) -> Callable[[RowView, str], RowView]:
        """Make the function that fetches the page of a row with ``genre_id`` and ``name``."""
        session = polite_session(settings, PROVIDER, expects="html", named=hosts_of(self.pages))

        def fetch(row: RowView, provider: str) -> RowView:
            address = self.pages.replace("{slug}", quote(row["genre_id"]))
            page = parse_genre_page(fetch_bytes(session, address))
            if (problem := page.problem(row["genre_id"], row["name"])) is not None:
                raise FetchError(problem[0], f"GET {address}: {problem[1]}", 200, transient=True)
            rows = rows_of_page(row["genre_id"], page)
            return {"page_rows": json.dumps(asdict(rows), ensure_ascii=False)}

        return fetch


def read_rows(texts: list[str]) -> PageRows:
    """The rows of several fetched pages."""
    found = PageRows()
    for text in texts:
        found.add(PageRows(**json.loads(text)))
    return found


def _has_end(page: bytes) -> bool:
    return read_markup(page).complete
