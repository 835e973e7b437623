"""Answers of the Web API about lists, merged into songs, artists, genres and playlists."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from genreatlas.sources.spotify.answers import list_rows, list_source
from genreatlas.store import Staged, Store
from genreatlas.tables import ARTISTS, PLAYLISTS, SONG_ARTISTS, SONG_GENRES, SONGS, SPOTIFY_SEARCHES, Table


def answers(staged: Staged) -> dict[str, Any]:
    """Answers of a staged chunk by key; a chunk has some 30 MB of them."""
    rows = staged.rows("key", "provider", "answer")
    return {row["key"]: json.loads(row["answer"]) for row in rows if row["provider"] is not None}


def local_frame(store: Store, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Local rows as a frame with the columns that the first one has, by way of Arrow.

    Tens of thousands of rows of twenty columns take a second so, and half a minute as Python tuples.
    """
    names = list(rows[0]) if rows else list(table.column_names)
    schema = StructType([store.schema(table)[name] for name in names])
    arrow = to_arrow_schema(schema, timezone="UTC")
    # Column by column, because rows of maps and NULLs confuse Arrow's own way with dictionaries.
    columns = [
        pa.array([_entries(row[name]) for row in rows], kind.type) for name, kind in zip(names, arrow, strict=True)
    ]
    return store.spark.createDataFrame(pa.Table.from_arrays(columns, schema=arrow), schema)


def _entries(value: Any) -> Any:
    """A map as Arrow takes it; any other value itself."""
    return list(value.items()) if isinstance(value, dict) else value


@dataclass
class ListMerge:
    """Merges chunks of lists, and counts lists that were as they were, and songs that were written."""

    store: Store
    unchanged: int = 0
    songs: int = 0

    def __call__(self, staged: Staged) -> None:
        """Merge one chunk; ``playlists`` comes last, because its rows say that a list is done."""
        told = answers(staged)
        read = [answer for _, answer in sorted(told.items()) if not answer["unchanged"]]
        self.unchanged += len(told) - len(read)
        if not read:
            return
        rows, store, now = list_rows(read), self.store, datetime.now(UTC)
        if rows.songs:
            songs = list(rows.songs.values())
            _write_artists(store, rows.artist_rows)
            self.songs += _write_songs(store, songs, now)
            _replace(store, SONG_ARTISTS, rows.song_artists, [{"song_id": song["song_id"]} for song in songs])
        lists = [{"source": list_source(row), "genre_id": row["genre_id"]} for row in rows.playlists]
        _replace(store, SONG_GENRES, rows.labels, lists)
        absent = dict.fromkeys(PLAYLISTS.column_names) | {"fetched_at": now}
        store.upsert(PLAYLISTS, local_frame(store, PLAYLISTS, [absent | row for row in rows.playlists]), update=True)


def merge_searches(store: Store, staged: Staged) -> None:
    """Write the playlists that searches found; one that found nothing is a row without a playlist."""
    now, nothing = datetime.now(UTC), {"position": 0, "playlist_id": None, "name": None, "owner_id": None}
    found = [
        {"search_id": key, "query": answer["query"], "found_at": now} | playlist
        for key, answer in answers(staged).items()
        for playlist in answer["playlists"] or [nothing]
    ]
    store.upsert(SPOTIFY_SEARCHES, found)


def _write_artists(store: Store, artists: Sequence[Mapping[str, Any]]) -> None:
    """Write artists under the first of their spellings in sorted order, whichever came first."""
    if not artists:
        return
    frame = local_frame(store, ARTISTS, artists)
    if store.exists(ARTISTS):
        stored = store.read(ARTISTS).select("artist_id", F.col("name").alias("_stored"))
        name = F.least("name", F.coalesce("_stored", "name")).alias("name")
        frame = frame.join(stored, "artist_id", "left").select("artist_id", name)
    store.upsert(ARTISTS, frame, update=True)


def _write_songs(store: Store, songs: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Write songs; the time at which a song was first written stays, and what other sources say of it."""
    frame = local_frame(store, SONGS, songs)
    added = F.lit(now)
    if store.exists(SONGS):
        stored = store.read(SONGS).select("song_id", F.col("added_at").alias("_added"))
        frame, added = frame.join(stored, "song_id", "left"), F.coalesce("_added", added)
    return store.upsert(SONGS, frame.withColumn("added_at", added).drop("_added"), update=True)


def _replace(store: Store, table: Table, rows: Sequence[Mapping[str, Any]], of: Iterable[Mapping[str, Any]]) -> None:
    """Make ``rows`` the only rows of the table that have the values of ``of``."""
    frame = local_frame(store, table, rows)
    if store.exists(table):
        of = list({tuple(row.items()): row for row in of}.values())
        whose = local_frame(store, table, of)
        stale = store.read(table).join(whose, whose.columns, "left_semi").join(frame, list(table.key), "left_anti")
        if not stale.isEmpty():
            store.delete(table, stale.select(*table.key))
    if rows:
        store.upsert(table, frame, update=True)
