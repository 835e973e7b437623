"""Update the song tables to the current labels of a folder: insert, update and remove rows.

Removed labels are retired, removed credits are deleted.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from pyspark.sql import Column
from pyspark.sql import functions as F

from genreatlas.collecting.retiring import retire
from genreatlas.config import Config
from genreatlas.sources.folder.catalogue import CORRECTION, Catalogue, Song, SongIds, song_rows
from genreatlas.sources.genres import GenreNames
from genreatlas.store import Store
from genreatlas.tables import ARTISTS, GENRE_PARENTS, SONG_ARTISTS, SONG_GENRES, SONGS, Table

#: Kinds of labels. A folder has one kind at a time: labels of the last import replace those of any other kind.
LABELS = ("directory", "tags", "manifest", "fma", "jamendo", CORRECTION)
#: Maximum number of rows sent by the driver at once; a song's row has a few hundred bytes.
_ROWS_AT_ONCE = 50_000
#: Maximum number of songs compared with the tables at once; with their stored rows they take 100 MB.
_SONGS_AT_ONCE = 25_000


def write_songs(store: Store, songs: Iterable[Song], labels: str, licence: str, ids: SongIds, listed_in: str) -> None:
    """Write songs with their artists and genres, in parts. Retired songs become live again.

    The four tables of a part are written in parallel: each write is a chain of short jobs that leave cores idle.
    """
    songs = list(songs)
    if len(songs) > _SONGS_AT_ONCE:
        codes = np.empty(len(songs), "S20")
        for place, song in enumerate(songs):
            codes[place] = ids(song.key).encode()
        songs = [songs[place] for place in np.argsort(codes)]
    for start in range(0, len(songs), _SONGS_AT_ONCE):
        part = songs[start : start + _SONGS_AT_ONCE]
        rows = song_rows(part, labels, licence, ids, listed_in)
        identities = [ids(song.key) for song in part]
        labelled, in_order = F.col("source").isin(*LABELS), len(songs) > _SONGS_AT_ONCE
        artists = [row["artist_id"] for row in rows.artists]
        syncs = (
            partial(_sync, store, ARTISTS, rows.artists, "artist_id", artists, update=False),
            partial(_sync, store, SONGS, rows.songs, "song_id", identities, in_order=in_order),
            partial(_sync, store, SONG_ARTISTS, rows.song_artists, "song_id", identities, in_order=in_order),
            partial(_sync, store, SONG_GENRES, rows.song_genres, "song_id", identities, labelled, in_order=in_order),
        )
        with ThreadPoolExecutor(len(syncs)) as pool:
            list(pool.map(lambda sync: sync(), syncs))  # list() raises the first error


def write_parents(store: Store, config: Config, names: GenreNames, catalogue: Catalogue) -> None:
    """Write the genre tree of the source, overridden by the configuration."""
    rows: dict[str, dict[str, Any]] = {}
    for edges, source in ((catalogue.parents, catalogue.labels), (names.parents(), "configuration")):
        rows |= {edge.genre_id: vars(edge) | {"source": source} for edge in edges}
    # Parents of feature imports have the same source, so they are not changed here.
    imported = GenreNames(config.import_features.genre_aliases, config.import_features.genre_parents).parents()
    others = F.col("source").isin("configuration", *LABELS) & ~F.col("genre_id").isin([e.genre_id for e in imported])
    stored = store.read(GENRE_PARENTS).where(others).collect() if store.exists(GENRE_PARENTS) else []
    _write(store, GENRE_PARENTS, list(rows.values()), [row.asDict() for row in stored])


def _sync(
    store: Store,
    table: Table,
    rows: Sequence[dict[str, Any]],
    column: str,
    values: Sequence[str],
    where: Column | None = None,
    update: bool = True,
    in_order: bool = False,
) -> None:
    """Replace the rows whose ``column`` is one of ``values`` by ``rows``.

    Parameters
    ----------
    where : further condition on the replaced rows.
    update : whether existing rows are updated and missing ones removed.
    in_order : whether ``values`` are almost all values between the smallest and the largest of them.
    """
    found = []
    if values and store.exists(table):
        stored = store.read(table) if where is None else store.read(table).where(where)
        if in_order:
            wanted = set(values)
            between = stored.where(F.col(column).between(min(values), max(values))).collect()
            found = [row.asDict() for row in between if row[column] in wanted]
        else:
            named = store.spark.createDataFrame([(value,) for value in values], f"{column} string")
            found = [row.asDict() for row in stored.join(named, column, "left_semi").collect()]
    _write(store, table, rows, found, update)


def _write(
    store: Store, table: Table, rows: Sequence[dict[str, Any]], stored: Sequence[dict[str, Any]], update: bool = True
) -> None:
    """Write the differences between ``rows`` and ``stored`` rows.

    Rows are compared on the driver, because most runs change nothing, and a MERGE without changes still takes a second.
    """
    by_key = {_key(table, row): row for row in stored}
    changed = []
    for row in rows:
        before = by_key.get(_key(table, row))
        if before is None or (update and any(before[name] != value for name, value in row.items())):
            kept = {name: before[name] for name in table.volatile - {"retired_at"}} if before else {}
            changed.append(row | kept)
    now = datetime.now(UTC)
    for start in range(0, len(changed), _ROWS_AT_ONCE):
        part = changed[start : start + _ROWS_AT_ONCE]
        if table is SONGS:
            part = [{"added_at": now} | row for row in part]
        store.upsert(table, part, update=update, compare=table.ended_by)
    gone = sorted(by_key.keys() - {_key(table, row) for row in rows}) if update else []
    if gone and table.ended_by:
        retire(store, table, gone)
    elif gone:
        schema = ", ".join(f"{name} {table.column(name).type}" for name in table.key)
        store.delete(table, store.spark.createDataFrame(gone, schema))


def _key(table: Table, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in table.key)
