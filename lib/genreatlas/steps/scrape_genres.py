"""Read the genres of Every Noise At Once: the map, the list, and each genre's page.

Pages come from their addresses or from saved files. The list of all genres gives each genre's playlist,
so it can stand in for thousands of genre pages; these add artists, neighbours, and further playlists.
A state of the map that is stored already is not stored again, and none is ever overwritten.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config, EveryNoiseSection, FanOutSection
from genreatlas.errors import InputError, LimitReachedError, ProviderPausedError
from genreatlas.fanout import fan_out
from genreatlas.sources.every_noise import genre_slug, parse_genre_page, parse_list, parse_map
from genreatlas.sources.every_noise.fetching import GenrePageFetch, fetch_page, read_rows
from genreatlas.sources.every_noise.page_rows import PageRows, rows_of_page, saved_pages
from genreatlas.sources.every_noise.snapshots import (
    Row,
    completed,
    date_in_name,
    file_date,
    genre_rows,
    is_address,
    read_file,
    same_state,
)
from genreatlas.steps.counts import Counts
from genreatlas.store import Staged, Store
from genreatlas.tables import EVERYNOISE_ARTISTS, EVERYNOISE_NEIGHBOURS, EVERYNOISE_PLAYLISTS, GENRES

STEP = "scrape_genres"
READS: tuple[str, ...] = ()
WRITES = ("genres", "everynoise_artists", "everynoise_neighbours", "everynoise_playlists", "fetch_attempts")
SECTIONS = ("every_noise", "fan_out")
check = checks.scrape_genres

_CHUNK_PAGES = 200
#: A genre with rows in one of these has had its page read; the list alone gives playlists.
_PAGE_TABLES = (EVERYNOISE_ARTISTS, EVERYNOISE_NEIGHBOURS)


def run(store: Store, config: Config) -> Counts:
    """Add the map's state, if it is new, and the genre pages that the snapshot lacks.

    Raises
    ------
    InputError : a page cannot be read, or holds fewer genres than the floor; nothing was written.
    """
    section = config.every_noise
    rows = _read_genres(section, config.fan_out)
    wanted = _wanted(section, rows)
    pages, others = _saved(section, rows, wanted)
    snapshot, counts = _write_genres(store, section, rows)
    counts += others + _write_saved_pages(store, pages, snapshot)
    if section.genre_pages and is_address(section.pages):
        counts += _fetch_pages(store, config, wanted, snapshot)
    return counts


def _read_genres(section: EveryNoiseSection, settings: FanOutSection) -> list[Row]:
    genres = parse_map(_page(section.map, settings, lambda page: len(parse_map(page)) >= section.floor))
    if len(genres) < section.floor:
        raise InputError(
            f"[every_noise] map: {section.map} has {len(genres)} genres, fewer than the floor of {section.floor}. "
            "It may be cut off, or be another page; nothing was written."
        )
    listed = parse_list(_page(section.list, settings, lambda page: bool(parse_list(page)))) if section.list else ()
    if section.list and not listed:
        raise InputError(f"[every_noise] list: {section.list} lists no genre; nothing was written.")
    return genre_rows(genres, listed, section.map)


def _page(place: str, settings: FanOutSection, good: Callable[[bytes], bool]) -> bytes:
    """A page from its file or its address.

    Raises
    ------
    LimitReachedError : the site wants to be left alone for longer than is waited for.
    """
    if not is_address(place):
        return read_file(place)
    try:
        return fetch_page(settings, place, good)
    except ProviderPausedError as error:
        back = datetime.fromtimestamp(error.retry_at or 0, UTC)
        raise LimitReachedError(f"{error}. Run it again after {back:%Y-%m-%d %H:%M:%S} UTC.") from None


def _saved(section: EveryNoiseSection, rows: Sequence[Row], wanted: set[str]) -> tuple[dict[str, Path], Counts]:
    """Saved pages of genres that are on the map and wanted; of several copies of a page the last counts."""
    if not section.genre_pages or is_address(section.pages):
        return {}, Counts()
    saved = dict(saved_pages(section.pages))
    others = sorted(set(saved) - {row["genre_id"] for row in rows})
    notes = (f"pages of genres that the map lacks: {len(others)} ({', '.join(others[:3])})",) if others else ()
    return {slug: path for slug, path in saved.items() if slug in wanted}, Counts(skipped=len(others), notes=notes)


def _write_genres(store: Store, section: EveryNoiseSection, rows: list[Row]) -> tuple[date, Counts]:
    """Write the snapshot, unless this state of the map is stored already."""
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
    if snapshot in known:
        raise InputError(
            f"[every_noise] {section.map}: another state of the map is stored as the snapshot of {snapshot}, and "
            "snapshots are never overwritten. Set every_noise.snapshot to the day that this page is of."
        )
    rows = [row | {"snapshot": snapshot} for row in rows]
    _put(store, EVERYNOISE_PLAYLISTS, _listed_playlists(rows))
    _put(store, GENRES, rows)
    return snapshot, Counts(read=len(rows), written=len(rows), notes=(f"snapshot {snapshot}: {len(rows)} genres",))


def _stored(store: Store, snapshot: date | None) -> list[Row]:
    return [row.asDict() for row in store.read(GENRES).where(F.col("snapshot") == F.lit(snapshot)).collect()]


def _listed_playlists(rows: Iterable[Row]) -> list[Row]:
    return [
        {"genre_id": row["genre_id"], "snapshot": row["snapshot"], "role": "sound", "playlist_id": row["playlist_id"]}
        for row in rows
        if row["playlist_id"]
    ]


def _write_saved_pages(store: Store, pages: dict[str, Path], snapshot: date) -> Counts:
    """Read the saved pages of genres that have no artists yet."""
    done = _done(store, snapshot) if pages else set()
    pending = [slug for slug in pages if slug not in done]
    for start in range(0, len(pending), _CHUNK_PAGES):
        found = PageRows()
        for slug in pending[start : start + _CHUNK_PAGES]:
            found.add(rows_of_page(slug, parse_genre_page(pages[slug].read_bytes())))
        _write_pages(store, found, snapshot)
    if pages:
        _fill_playlists(store, snapshot)
    return Counts(read=len(pending), written=len(pending))


def _fetch_pages(store: Store, config: Config, wanted: set[str], snapshot: date) -> Counts:
    """Fetch the pages of genres that have none yet."""
    day = F.lit(snapshot)

    def pending() -> DataFrame:
        genres = store.read(GENRES).where((F.col("snapshot") == day) & F.col("genre_id").isin(sorted(wanted)))
        done = [store.read(table).where(F.col("snapshot") == day).select("genre_id") for table in _PAGE_TABLES]
        lacking = genres.join(reduce(DataFrame.union, done), "genre_id", "left_anti")
        return lacking.select(F.concat_ws(" ", F.col("snapshot"), "genre_id").alias("key"), "genre_id", "name")

    def merge(staged: Staged) -> None:
        fetched = [row["page_rows"] for row in staged.rows("provider", "page_rows") if row["provider"] is not None]
        _write_pages(store, read_rows(fetched), snapshot)

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


def _done(store: Store, snapshot: date) -> set[str]:
    """Genres whose saved pages were read; neighbours are written last."""
    rows = store.read(EVERYNOISE_NEIGHBOURS).where(F.col("snapshot") == F.lit(snapshot))
    return {row[0] for row in rows.select("genre_id").distinct().collect()}


def _write_pages(store: Store, found: PageRows, snapshot: date) -> None:
    """Write rows of pages; neighbours come last, because they say that a page is done."""
    day = {"snapshot": snapshot}
    _put(store, EVERYNOISE_PLAYLISTS, [row | day for row in found.playlists])
    _put(store, EVERYNOISE_ARTISTS, [row | day for row in found.artists])
    _put(store, EVERYNOISE_NEIGHBOURS, [row | day for row in found.neighbours])


def _fill_playlists(store: Store, snapshot: date) -> None:
    """Give genres without a playlist the one that their page calls their sound."""
    sound = store.read(EVERYNOISE_PLAYLISTS).where((F.col("snapshot") == F.lit(snapshot)) & (F.col("role") == "sound"))
    found = {row["genre_id"]: row["playlist_id"] for row in sound.collect()}
    lacking = [row for row in _stored(store, snapshot) if row["playlist_id"] is None and row["genre_id"] in found]
    _put(store, GENRES, [row | {"playlist_id": found[row["genre_id"]]} for row in lacking], update=True)


def _put(store: Store, table: Any, rows: list[Row], update: bool = False) -> None:
    if rows:
        store.upsert(table, [row | {"scraped_at": datetime.now(UTC)} for row in rows], update=update)
