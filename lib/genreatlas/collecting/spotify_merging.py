"""Merge fetched responses of the Web API into tables: lists of songs, searches, audio features and audio analyses."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from genreatlas.audio.layouts import SUMMARY
from genreatlas.collecting.retiring import check_share, retire, settle
from genreatlas.config import SyncSection
from genreatlas.errors import Reason
from genreatlas.sources.spotify.analysis import FEATURES
from genreatlas.sources.spotify.client import FEATURES_BATCH
from genreatlas.sources.spotify.song_rows import SOURCE, ListRows, list_rows, list_source
from genreatlas.store import Reader, Staged, Store
from genreatlas.tables import (
    ARTISTS,
    FEATURE_SETS,
    PLAYLISTS,
    QUARANTINE,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    SPOTIFY_AUDIO,
    SPOTIFY_AUDIO_ANALYSIS,
    SPOTIFY_AUDIO_SET,
    SPOTIFY_SEARCHES,
    Table,
)
from genreatlas.values import Row, RowView


def _answers(staged: Staged) -> Row:
    """Parsed responses of a staged chunk by key; a chunk has about 30 MB of them."""
    rows = staged.rows("key", "provider", "answer")
    return {row["key"]: json.loads(row["answer"]) for row in rows if row["provider"] is not None}


def _local_frame(store: Reader, table: Table, rows: Sequence[RowView]) -> DataFrame:
    """Convert local rows to a frame with the columns of the first row, using Arrow.

    Tens of thousands of rows of twenty columns take a second with Arrow, and half a minute as Python tuples.
    """
    names = list(rows[0]) if rows else list(table.column_names)
    schema = StructType([store.schema(table)[name] for name in names])
    arrow = to_arrow_schema(schema, timezone="UTC")
    # Column by column, because Arrow's conversion of dictionaries mishandles rows with maps and NULLs.
    columns = [
        pa.array([_entries(row[name]) for row in rows], kind.type) for name, kind in zip(names, arrow, strict=True)
    ]
    return store.spark.createDataFrame(pa.Table.from_arrays(columns, schema=arrow), schema)


def _entries(value: object) -> object:
    """Convert a map to the list of pairs that Arrow expects; other values are returned unchanged."""
    return list(value.items()) if isinstance(value, dict) else value


@dataclass
class ListMerge:
    """Merges chunks of lists.

    Attributes
    ----------
    unchanged, songs, retired : numbers of unchanged lists, of written songs, and of songs that are in no list any more.
    """

    store: Store
    sync: SyncSection = field(default_factory=SyncSection)
    unchanged: int = 0
    songs: int = 0
    retired: int = 0
    _lost: int = 0
    _known: int | None = None

    def __call__(self, staged: Staged) -> None:
        """Merge one chunk. ``playlists`` is written last, because its rows mark a list as done.

        Raises
        ------
        LimitReachedError : the share of songs that lists lost exceeds ``sync.max_share``; the chunk remains staged.
        """
        told = _answers(staged)
        read = [answer for _, answer in sorted(told.items()) if not answer["unchanged"]]
        self.unchanged += len(told) - len(read)
        if not read:
            return
        rows, store, now = list_rows(read), self.store, datetime.now(UTC)
        stored = self._stored_lists(rows)
        moved = _moved(rows, stored)
        stale = self._stale(rows, stored, moved)
        if rows.songs:
            songs = list(rows.songs.values())
            _write_artists(store, rows.artist_rows)
            self.songs += _write_songs(store, songs, now)
            _replace(store, SONG_ARTISTS, rows.song_artists, [{"song_id": song["song_id"]} for song in songs])
        if rows.labels:
            labels = _local_frame(store, SONG_GENRES, rows.labels)
            store.upsert(SONG_GENRES, labels, update=True, compare=("retired_at",))
        retire(store, SONG_GENRES, stale)
        self._settle(rows, stale)
        if moved:
            store.upsert(PLAYLISTS, [row | {"snapshot": None, "kept": 0} for row in moved], update=True)
        absent = dict.fromkeys(PLAYLISTS.column_names) | {"fetched_at": now}
        store.upsert(PLAYLISTS, _local_frame(store, PLAYLISTS, [absent | row for row in rows.playlists]), update=True)

    def _stored_lists(self, rows: ListRows) -> list[Row]:
        """Stored rows of ``playlists`` of the chunk's lists."""
        if not self.store.exists(PLAYLISTS):
            return []
        ids = sorted({row["playlist_id"] for row in rows.playlists})
        named = self.store.spark.createDataFrame([(one,) for one in ids], "playlist_id string")
        return [row.asDict() for row in self.store.read(PLAYLISTS).join(named, "playlist_id", "left_semi").collect()]

    def _stale(self, rows: ListRows, stored: Sequence[RowView], moved: Sequence[RowView]) -> list[tuple[Any, ...]]:
        """Keys of stored labels that the chunk's lists no longer have; without lists that changed while being read."""
        store = self.store
        if self.sync.gone == "keep" or not store.exists(SONG_GENRES):
            return []
        store.upgrade(SONG_GENRES)
        steady = [row for row in rows.playlists if row["kind"] != "playlist" or row["snapshot"] is not None]
        lists = {_list_key(row) for row in (*steady, *moved)}
        if not lists:
            return []
        of_lists = store.spark.createDataFrame(sorted(lists), "source string, genre_id string")
        before = store.live(SONG_GENRES).join(of_lists, ["source", "genre_id"], "left_semi").select(*SONG_GENRES.key)
        held = [tuple(row) for row in before.collect()]
        given = {tuple(label[name] for name in SONG_GENRES.key) for label in rows.labels}
        had, has = (Counter((source, genre) for _, genre, source in keys) for keys in (held, given))
        # If the selection of a list has changed, other songs are chosen from it, and none counts as lost.
        rules = {(*_list_key(row), row["selection"]) for row in stored}
        same = [_list_key(row) for row in steady if (*_list_key(row), row["selection"]) in rules]
        self._lost += sum(max(0, had[one] - has[one]) for one in same)
        if self._known is None:
            self._known = store.live(SONG_GENRES).where("playlist_id IS NOT NULL").count()
        check_share("Spotify's lists", self._lost, self._known, self.sync, what="labels")
        return sorted(set(held) - given)

    def _settle(self, rows: ListRows, stale: Sequence[tuple[Any, ...]]) -> None:
        """Retire songs that are in no list any more, and revive those that are in a list again."""
        songs = {key[0] for key in stale}
        if not self.store.ended(SONGS).isEmpty():
            songs |= rows.songs.keys()
        self.retired += settle(self.store, sorted(songs))


def _list_key(row: RowView) -> tuple[str, str]:
    return list_source(row), row["genre_id"]


def _moved(rows: ListRows, stored: Sequence[RowView]) -> list[Row]:
    """Stored rows of configured lists that are now configured for another genre."""
    named = {(row["playlist_id"], row["genre_id"]) for row in rows.playlists}
    configured = {row["playlist_id"] for row in rows.playlists if row["route"] == "configuration"}
    return [
        dict(row)
        for row in stored
        if row["route"] == "configuration"
        and row["playlist_id"] in configured
        and (row["playlist_id"], row["genre_id"]) not in named
        and row["kept"]
    ]


def merge_searches(store: Store, staged: Staged) -> None:
    """Write the playlists found by searches. A search without results is a row without a playlist."""
    now, nothing = datetime.now(UTC), {"position": 0, "playlist_id": None, "name": None, "owner_id": None}
    found = [
        {"search_id": key, "query": answer["query"], "found_at": now} | playlist
        for key, answer in _answers(staged).items()
        for playlist in answer["playlists"] or [nothing]
    ]
    store.upsert(SPOTIFY_SEARCHES, found)


def _write_artists(store: Store, artists: Sequence[RowView]) -> None:
    """Write artists with the first of their spellings in sorted order, including the stored one."""
    if not artists:
        return
    frame = _local_frame(store, ARTISTS, artists)
    if store.exists(ARTISTS):
        stored = store.read(ARTISTS).select("artist_id", F.col("name").alias("_stored"))
        name = F.least("name", F.coalesce("_stored", "name")).alias("name")
        frame = frame.join(stored, "artist_id", "left").select("artist_id", name)
    store.upsert(ARTISTS, frame, update=True)


def _write_songs(store: Store, songs: Sequence[RowView], now: datetime) -> int:
    """Write songs, keeping ``added_at`` of existing ones and columns of other sources; return the number of changes."""
    frame = _local_frame(store, SONGS, songs)
    added = F.lit(now)
    if store.exists(SONGS):
        stored = store.read(SONGS).select("song_id", F.col("added_at").alias("_added"))
        frame, added = frame.join(stored, "song_id", "left"), F.coalesce("_added", added)
    return store.upsert(SONGS, frame.withColumn("added_at", added).drop("_added"), update=True)


def _replace(store: Store, table: Table, rows: Sequence[RowView], of: Iterable[RowView]) -> None:
    """Replace the rows of the table that match ``of`` by ``rows``."""
    frame = _local_frame(store, table, rows)
    if store.exists(table):
        of = list({tuple(row.items()): row for row in of}.values())
        whose = _local_frame(store, table, of)
        stale = store.read(table).join(whose, whose.columns, "left_semi").join(frame, list(table.key), "left_anti")
        if not stale.isEmpty():
            store.delete(table, stale.select(*table.key))
    if rows:
        store.upsert(table, frame, update=True)


#: Version of the feature set; Spotify does not state a version of its features.
SET_VERSION = "1"
PREPROCESSING_ID = "spotify"
STAGE = "collect_songs"


def pending_features(store: Reader) -> DataFrame:
    """Requests for songs without audio features, one per batch of 100 songs."""
    heard = store.read(SPOTIFY_AUDIO).where(F.col("set_version") == SET_VERSION).select("song_id")
    unheard = store.read(QUARANTINE).where((F.col("stage") == STAGE) & (F.col("version") == SET_VERSION))
    unheard = unheard.select(F.col("key").alias("spotify_id"))
    songs = _songs(store).join(heard, "song_id", "left_anti").join(unheard, "spotify_id", "left_anti")
    place = F.row_number().over(Window.orderBy("spotify_id")) - 1
    batches = songs.withColumn("batch", F.floor(place / FEATURES_BATCH)).groupBy("batch")
    requests = batches.agg(F.to_json(F.array_sort(F.collect_list("spotify_id"))).alias("request"))
    return _pending(requests, "features", F.md5("request"))


def merge_features(store: Store, staged: Staged) -> None:
    """Write audio features. Songs without any are written to quarantine, so that they are not requested again."""
    rows = [row for batch in _answers(staged).values() for row in batch]
    version = {"set_version": SET_VERSION, "preprocessing_id": PREPROCESSING_ID}
    good = [version | {name: row[name] for name in ("clip_id", "song_id", *FEATURES)} for row in rows if row["heard"]]
    store.upsert(SPOTIFY_AUDIO, _local_frame(store, SPOTIFY_AUDIO, good))
    about = {
        "stage": STAGE,
        "version": SET_VERSION,
        "reason": Reason.NO_AUDIO_FEATURES.value,
        "detail": "Spotify has no audio features for this track.",
        "run_id": store.run_id,
        "at": datetime.now(UTC),
    }
    store.upsert(QUARANTINE, [about | {"key": row["spotify_id"]} for row in rows if not row["heard"]])


def describe_set(store: Store) -> None:
    """Describe the set in ``feature_sets``, so that it can be used for training."""
    described = [
        {
            "feature_set": SPOTIFY_AUDIO_SET,
            "set_version": SET_VERSION,
            "position": position,
            "feature": name,
            "kind": "categorical" if name == "key" else "numeric",
            "axis": SUMMARY.name,
            "unit": SPOTIFY_AUDIO.column(name).unit,
            "preprocessing_id": PREPROCESSING_ID,
            "source": "spotify",
        }
        for position, name in enumerate(FEATURES)
    ]
    store.upsert(FEATURE_SETS, described)


def pending_analyses(store: Reader) -> DataFrame:
    """Requests for songs without an audio analysis, one per song; there is no batch endpoint."""
    known = store.read(SPOTIFY_AUDIO_ANALYSIS).select(F.col("track_key").alias("spotify_id"))
    songs = _songs(store).join(known, "spotify_id", "left_anti")
    quoted = F.concat(F.lit('"'), "spotify_id", F.lit('"'))
    return _pending(songs.select(quoted.alias("request"), "spotify_id"), "analysis", F.col("spotify_id"))


def merge_analyses(store: Store, staged: Staged) -> None:
    """Write audio analyses."""
    store.upsert(SPOTIFY_AUDIO_ANALYSIS, list(_answers(staged).values()), update=True)


def _songs(store: Reader) -> DataFrame:
    return store.read(SONGS).where(F.col("source") == SOURCE).select("song_id", "spotify_id")


def _pending(rows: DataFrame, kind: str, key: Column) -> DataFrame:
    return rows.select(key.alias("key"), F.lit(kind).alias("kind"), "request")
