"""Table rows (without snapshot) of genre pages, read from saved files or fetched.

A page that is truncated, empty or another page is requested again.
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
    """Table rows of a page, with the id of the requested genre."""
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
    """A saved file with the page of a genre."""

    path: Path

    def read(self) -> tuple[GenrePage | None, str]:
        """Page and hash of its file; None and the error if the file cannot be read."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            return None, str(error.strerror or error)
        return parse_genre_page(content), hashlib.sha256(content).hexdigest()[:16]


def saved_pages(folder: str) -> dict[str, list[SavedPage]]:
    """Saved genre pages of a folder and its subfolders by slug; copies of a page are in the order of their names.

    The slug is read from the file name, as served. If a browser named the file by the page's title (``Every Noise at
    Once - techno.html``), it is read from the page.

    Raises
    ------
    InputError : the folder does not exist, or contains no page.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"[every_noise] pages: {folder} is not a folder. Name a folder, or an address with {{slug}}.")
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


#: File names of saved pages: as served, or the page's title; also with gzip, or as one file with images (MHTML).
_SAVED = re.compile(r"(?:engenremap-|every noise at once).*\.(?:html?|mht|mhtml)(?:\.gz)?", re.IGNORECASE)
_SUFFIX = re.compile(r"\.(?:html?|mht|mhtml)(?:\.gz)?$", re.IGNORECASE)
#: Suffixes of copies: a date (``engenremap-pop_2022-06-13.html``), or a browser's number (``… (1).html``).
_COPY = re.compile(r"[_ .(-]+(?:\d{4}-?\d\d-?\d\d.*|\(?\d{1,2}\)|copy.*)$", re.IGNORECASE)


def _slug_in(name: str) -> str:
    stem = _SUFFIX.sub("", name)
    if not stem.lower().startswith("engenremap-"):
        return ""
    return _COPY.sub("", stem[len("engenremap-") :]).lower()


def _distinct(positions: list[int]) -> list[int]:
    """Positions as numbered on the page, or the order of items if a number occurs twice."""
    return positions if len(set(positions)) == len(positions) else list(range(1, len(positions) + 1))


PROVIDER = "every_noise"


def fetch_page(settings: FanOutSection, address: str, good: Callable[[bytes], bool]) -> bytes:
    """Fetch a page, and request it again while it is truncated or ``good`` returns False.

    Returns
    -------
    The page. If ``good`` never returned True, the last page, so that the caller can report the problem.

    Raises
    ------
    FetchError : the request failed, or the last page was truncated.
    """
    session = polite_session(settings, PROVIDER, expects="html", named=hosts_of(address))
    page = b""
    for attempt in range(settings.tries):
        page = fetch_bytes(session, address)
        if good(page) and _has_end(page):
            return page
        time.sleep(random.uniform(0.0, min(settings.backoff_cap_s, settings.backoff_s * 2**attempt)))
    if not _has_end(page):
        raise FetchError(Reason.INCOMPLETE_BODY, f"GET {address}: the page is truncated", 200, transient=True)
    return page


@dataclass(frozen=True)
class GenrePageFetch:
    """Fetches genre pages by slug; the result is the page's rows as JSON.

    Parameters
    ----------
    pages : address of a page, with the placeholder {slug}.
    """

    pages: str
    providers: tuple[str, ...] = (PROVIDER,)
    columns: str = "page_rows string"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host of the pages."""
        return (urlsplit(self.pages).netloc,)

    def open(self, settings: FanOutSection) -> Callable[[RowView, str], RowView]:
        """Create the function that fetches the page of a row with ``genre_id`` and ``name``."""
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
    """Rows of several fetched pages."""
    found = PageRows()
    for text in texts:
        found.add(PageRows(**json.loads(text)))
    return found


def _has_end(page: bytes) -> bool:
    return read_markup(page).complete
