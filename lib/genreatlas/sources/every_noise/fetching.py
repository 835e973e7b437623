"""Pages from their addresses: asked for again where they came cut off, empty, or as something else."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from genreatlas.config import FanOutSection
from genreatlas.errors import FetchError, Reason
from genreatlas.sources.every_noise.genre_page import parse_genre_page
from genreatlas.sources.every_noise.markup import read_markup
from genreatlas.sources.every_noise.page_rows import PageRows, rows_of_page
from genreatlas.sources.hosts import hosts_of
from genreatlas.sources.http import fetch_bytes, polite_session

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

    def open(self, settings: FanOutSection) -> Callable[[Mapping[str, Any], str], Mapping[str, Any]]:
        """Make the function that fetches the page of a row with ``genre_id`` and ``name``."""
        session = polite_session(settings, PROVIDER, expects="html", named=hosts_of(self.pages))

        def fetch(row: Mapping[str, Any], provider: str) -> Mapping[str, Any]:
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
