"""Read the genres of Every Noise At Once: the map, the list and, if configured, the page of each genre.

Pages are fetched from their addresses or read from saved files. The list of all genres has each genre's playlist, and
can replace thousands of genre pages if only playlists are needed. Genre pages add artists, neighbours and further
playlists. An unchanged map is not stored again, and a stored snapshot is never overwritten, unless every_noise.replace
is set for one run. Pages that are truncated, stripped or of another genre are refused.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config, EveryNoiseSection, FanOutSection
from genreatlas.counts import Counts
from genreatlas.errors import InputError, LimitReachedError, ProviderPausedError, Reason
from genreatlas.fanout import fan_out
from genreatlas.sources.every_noise import GenrePage, ListedGenre, genre_slug, parse_list_page, parse_map_page
from genreatlas.sources.every_noise.page_rows import (
    GenrePageFetch,
    PageRows,
    SavedPage,
    fetch_page,
    read_rows,
    rows_of_page,
    saved_pages,
)
from genreatlas.sources.every_noise.snapshots import (
    completed,
    date_in_name,
    file_date,
    genre_rows,
    is_address,
    read_file,
    same_state,
)
from genreatlas.store import Reader, Staged, Store
from genreatlas.tables import (
    EVERYNOISE_ARTISTS,
    EVERYNOISE_NEIGHBOURS,
    EVERYNOISE_PLAYLISTS,
    GENRES,
    QUARANTINE,
    Table,
)
from genreatlas.values import Row

T = TypeVar("T")

STEP = "scrape_genres"
READS: tuple[str, ...] = ()
WRITES = (
    "genres", "everynoise_artists", "everynoise_neighbours", "everynoise_playlists", "fetch_attempts", "quarantine",
)  # fmt: skip
SECTIONS = ("every_noise", "fan_out")
check = checks.scrape_genres

_CHUNK_PAGES = 200
#: A genre with rows in one of these tables had its page read; playlists may come from the list.
_PAGE_TABLES = (EVERYNOISE_ARTISTS, EVERYNOISE_NEIGHBOURS)


def run(store: Store, config: Config) -> Counts:
    """Add a snapshot of the map, if it has changed, and genre pages that the snapshot lacks.

    Raises
    ------
    InputError : a page cannot be read, or the map has fewer genres than ``every_noise.floor``; nothing was written.
    LimitReachedError : the site's rate limit pauses requests. A later run continues.
    """
    section = config.every_noise
    rows = _read_genres(section, config.fan_out)
    wanted = _wanted(section, rows)
    pages, others = _saved(section, rows, wanted)
    snapshot, counts = _write_genres(store, section, rows)
    counts += others + _write_saved_pages(store, section, pages, rows, snapshot)
    if section.genre_pages and is_address(section.pages):
        counts += _fetch_pages(store, config, wanted, snapshot)
    return counts


def _read_genres(section: EveryNoiseSection, settings: FanOutSection) -> list[Row]:
    """Rows of the map and the list.

    Raises
    ------
    InputError : a page is truncated, stripped or not the expected page.
    """
    page = _good_page(section.map, "map", settings, parse_map_page, lambda page: page.problem(section.floor))
    listed: tuple[ListedGenre, ...] = ()
    if section.list:
        listed = _good_page(section.list, "list", settings, parse_list_page, lambda page: page.problem).genres
    return genre_rows(page.genres, listed, section.map)


def _good_page(
    place: str, name: str, settings: FanOutSection, parse: Callable[[bytes], T], problem: Callable[[T], str]
) -> T:
    """Parse a saved or fetched page, and check it with ``problem``; the checks are the same for both.

    Raises
    ------
    InputError : ``problem`` returned a text.
    """
    parsed: list[T] = []

    def good(page: bytes) -> bool:
        parsed[:] = [parse(page)]
        return not problem(parsed[0])

    page = _page(place, settings, good)
    found = parse(page) if not parsed else parsed[0]
    if said := problem(found):
        raise InputError(f"[every_noise] {name}: {place} {said}. Nothing was written.")
    return found


def _page(place: str, settings: FanOutSection, good: Callable[[bytes], bool]) -> bytes:
    """A page from its file or its address.

    Raises
    ------
    LimitReachedError : the site's rate limit pauses requests for longer than the step waits.
    """
    if not is_address(place):
        return read_file(place)
    try:
        return fetch_page(settings, place, good)
    except ProviderPausedError as error:
        back = datetime.fromtimestamp(error.retry_at or 0, UTC)
        raise LimitReachedError(f"{error}. Run it again after {back:%Y-%m-%d %H:%M:%S} UTC.") from None


def _saved(
    section: EveryNoiseSection, rows: Sequence[Row], wanted: set[str]
) -> tuple[dict[str, list[SavedPage]], Counts]:
    """Saved pages of wanted genres on the map, with all copies of each page, and counts of the other pages."""
    if not section.genre_pages or is_address(section.pages):
        return {}, Counts()
    saved = saved_pages(section.pages)
    others = sorted(set(saved) - {row["genre_id"] for row in rows})
    notes = (f"pages of genres that are not on the map: {len(others)} ({', '.join(others[:3])})",) if others else ()
    return {slug: pages for slug, pages in saved.items() if slug in wanted}, Counts(skipped=len(others), notes=notes)


def _write_genres(store: Store, section: EveryNoiseSection, rows: list[Row]) -> tuple[date, Counts]:
    """Write the snapshot, unless the same state of the map is stored already; return its date and counts."""
    named = date.fromisoformat(section.snapshot) if section.snapshot else date_in_name(section.map)
    known = [row[0] for row in store.read(GENRES).select("snapshot").distinct().collect()]
    snapshot = named or (max(known) if known else None)
    stored = _stored(store, snapshot) if snapshot in known else []
    if stored and same_state(rows, stored):
        assert snapshot is not None
        filled = completed(rows, stored)
        _put(store, GENRES, filled, update=True)
        _put(store, EVERYNOISE_PLAYLISTS, _listed_playlists(filled))
        return snapshot, Counts(read=len(filled), written=len(filled))
    snapshot = named or (datetime.now(UTC).date() if is_address(section.map) else file_date(Path(section.map)))
    notes: tuple[str, ...] = (f"snapshot {snapshot}: {len(rows)} genres",)
    if snapshot in known:
        if not section.replace:
            raise InputError(
                f"[every_noise] {section.map}: another state of the map is stored as the snapshot of {snapshot}, and "
                "snapshots are never overwritten. Set every_noise.snapshot to the date of this page. If the stored "
                "snapshot is wrong, run once with --set every_noise.replace=true."
            )
        gone = _drop_genres(store, snapshot, {row["genre_id"] for row in rows})
        notes = (*notes, f"the stored snapshot was replaced; {gone} of its genres are not on this map")
    rows = [row | {"snapshot": snapshot} for row in rows]
    _put(store, EVERYNOISE_PLAYLISTS, _listed_playlists(rows))
    _put(store, GENRES, rows, update=section.replace)
    return snapshot, Counts(read=len(rows), written=len(rows), notes=notes)


def _drop_genres(store: Store, snapshot: date, kept: set[str]) -> int:
    """Delete the genres of a snapshot that are not in ``kept``, with all rows from their pages; return their number."""
    gone = [(row["genre_id"], snapshot) for row in _stored(store, snapshot) if row["genre_id"] not in kept]
    if gone:
        keys = store.spark.createDataFrame(gone, "genre_id string, snapshot date")
        for table in (EVERYNOISE_PLAYLISTS, *_PAGE_TABLES, GENRES):
            store.delete(table, keys)
    return len(gone)


def _stored(store: Reader, snapshot: date | None) -> list[Row]:
    return [row.asDict() for row in store.read(GENRES).where(F.col("snapshot") == F.lit(snapshot)).collect()]


def _listed_playlists(rows: Iterable[Row]) -> list[Row]:
    return [
        {"genre_id": row["genre_id"], "snapshot": row["snapshot"], "role": "sound", "playlist_id": row["playlist_id"]}
        for row in rows
        if row["playlist_id"]
    ]


def _write_saved_pages(
    store: Store,
    section: EveryNoiseSection,
    pages: Mapping[str, Sequence[SavedPage]],
    rows: Sequence[Row],
    snapshot: date,
) -> Counts:
    """Write rows of saved pages for genres that have none yet, from the last good copy of each page.

    A genre without a good copy is written to quarantine. The same file is not reported again.
    """
    if not pages:
        return Counts()
    done = set() if section.replace else _done(store, snapshot)
    refused_before = {
        (row["key"], row["version"])
        for row in store.read(QUARANTINE).where(F.col("stage") == STEP).select("key", "version").collect()
    }
    names = {row["genre_id"]: row["name"] for row in rows}
    pending = [slug for slug in pages if slug not in done]
    counts, refused = Counts(), Counter[str]()
    for start in range(0, len(pending), _CHUNK_PAGES):
        found, slugs, bad = PageRows(), [], []
        for slug in pending[start : start + _CHUNK_PAGES]:
            page, problem = _last_good(slug, names[slug], pages[slug])
            if page is not None:
                found.add(rows_of_page(slug, page))
                slugs.append(slug)
            elif (problem["key"], problem["version"]) in refused_before:
                counts += Counts(skipped=1)
            else:
                bad.append(problem | {"run_id": store.run_id, "at": datetime.now(UTC)})
                refused[problem["reason"]] += 1
        _write_pages(store, found, snapshot, slugs if section.replace else ())
        store.upsert(QUARANTINE, bad, update=True)
        counts += Counts(len(slugs) + len(bad), len(slugs), len(bad))
    _fill_playlists(store, snapshot)
    words = ", ".join(f"{reason} {number}" for reason, number in sorted(refused.items()))
    return counts + Counts(notes=(f"saved pages refused: {words}; see the table quarantine",) if words else ())


def _last_good(slug: str, name: str, copies: Sequence[SavedPage]) -> tuple[GenrePage | None, Row]:
    """Last copy that is the complete page of the genre, or None and the quarantine row of the last copy."""
    problem: Row = {}
    for copy in reversed(copies):
        page, version = copy.read()
        said = (Reason.UNREADABLE, version) if page is None else page.problem(slug, name)
        if said is None:
            return page, {}
        detail = f"{copy.path}: {said[1]}. Save the page of {name!r} again."
        told = {"key": str(copy.path), "version": version if page else "", "reason": said[0].value, "detail": detail}
        problem = problem or {"stage": STEP, "path": str(copy.path)} | told
    return None, problem


def _fetch_pages(store: Store, config: Config, wanted: set[str], snapshot: date) -> Counts:
    """Fetch the pages of genres that have none yet."""
    day, replace = F.lit(snapshot), config.every_noise.replace
    fetched: set[str] = set()  #: genres fetched in this run, with ``every_noise.replace``

    def pending() -> DataFrame:
        genres = store.read(GENRES).where((F.col("snapshot") == day) & F.col("genre_id").isin(sorted(wanted - fetched)))
        done = [store.read(table).where(F.col("snapshot") == day).select("genre_id") for table in _PAGE_TABLES]
        lacking = genres if replace else genres.join(reduce(DataFrame.union, done), "genre_id", "left_anti")
        return lacking.select(F.concat_ws(" ", F.col("snapshot"), "genre_id").alias("key"), "genre_id", "name")

    def merge(staged: Staged) -> None:
        good = [row for row in staged.rows("key", "provider", "page_rows") if row["provider"] is not None]
        slugs = {row["key"].partition(" ")[2] for row in good}
        _write_pages(store, read_rows([row["page_rows"] for row in good]), snapshot, slugs if replace else ())
        if replace:
            fetched.update(slugs)

    done = fan_out(store, config.fan_out, STEP, pending, GenrePageFetch(config.every_noise.pages), merge)
    _fill_playlists(store, snapshot)
    if done.stopped():
        raise LimitReachedError(done.stopped())
    failed = done.given_up.total()
    notes = tuple(f"pages given up: {number} ({reason})" for reason, number in sorted(done.given_up.items()))
    return Counts(done.fetched + failed, done.fetched, failed, notes=(*notes, *done.notes))


def _wanted(section: EveryNoiseSection, rows: Sequence[Row]) -> set[str]:
    """Genres whose pages are read.

    Raises
    ------
    InputError : a configured genre is not on the map.
    """
    slugs = {row["genre_id"] for row in rows}
    if not section.genres:
        return slugs
    by_name = {row["name"]: row["genre_id"] for row in rows}
    chosen = {name: by_name.get(name, name if name in slugs else genre_slug(name)) for name in section.genres}
    for name, slug in chosen.items():
        if slug not in slugs:
            raise InputError(f"[every_noise] genres: {name!r} is not on the map {section.map}.")
    return set(chosen.values())


def _done(store: Reader, snapshot: date) -> set[str]:
    """Genres whose saved pages were read; neighbours are written last."""
    rows = store.read(EVERYNOISE_NEIGHBOURS).where(F.col("snapshot") == F.lit(snapshot))
    return {row[0] for row in rows.select("genre_id").distinct().collect()}


def _write_pages(store: Store, found: PageRows, snapshot: date, replaced: Collection[str] = ()) -> None:
    """Write rows of pages. Neighbours are written last, because they mark a page as done.

    Parameters
    ----------
    replaced : genres whose stored rows are deleted if they are not on their page.
    """
    day = {"snapshot": snapshot}
    tables = (
        (EVERYNOISE_PLAYLISTS, found.playlists), (EVERYNOISE_ARTISTS, found.artists),
        (EVERYNOISE_NEIGHBOURS, found.neighbours),
    )  # fmt: skip
    for table, rows in tables:
        rows = [row | day for row in rows]
        if replaced:
            _drop_stale(store, table, rows, snapshot, replaced)
        _put(store, table, rows, update=bool(replaced))


def _drop_stale(store: Store, table: Table, rows: list[Row], snapshot: date, genres: Collection[str]) -> None:
    """Delete stored rows of genres that are not on their pages, and deleted playlists from the table ``genres``."""
    kept = {tuple(row[name] for name in table.key) for row in rows}
    mine = (F.col("snapshot") == F.lit(snapshot)) & F.col("genre_id").isin(sorted(genres))
    stored = store.read(table).where(mine).select(*table.key).collect()
    stale = [tuple(row) for row in stored if tuple(row) not in kept]
    if not stale:
        return
    schema = ", ".join(f"{name} {table.column(name).type}" for name in table.key)
    store.delete(table, store.spark.createDataFrame(stale, schema))
    if table is EVERYNOISE_PLAYLISTS:
        gone = {(genre_id, playlist_id) for genre_id, _, role, playlist_id in stale if role == "sound"}
        wrong = [row for row in _stored(store, snapshot) if (row["genre_id"], row["playlist_id"]) in gone]
        _put(store, GENRES, [row | {"playlist_id": None} for row in wrong], update=True)


def _fill_playlists(store: Store, snapshot: date) -> None:
    """Set the playlist of genres without one to the playlist with the role ``sound`` on their page."""
    sound = store.read(EVERYNOISE_PLAYLISTS).where((F.col("snapshot") == F.lit(snapshot)) & (F.col("role") == "sound"))
    found = {row["genre_id"]: row["playlist_id"] for row in sound.collect()}
    lacking = [row for row in _stored(store, snapshot) if row["playlist_id"] is None and row["genre_id"] in found]
    _put(store, GENRES, [row | {"playlist_id": found[row["genre_id"]]} for row in lacking], update=True)


def _put(store: Store, table: Any, rows: list[Row], update: bool = False) -> None:
    if rows:
        store.upsert(table, [row | {"scraped_at": datetime.now(UTC)} for row in rows], update=update)
