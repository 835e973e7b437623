"""Retire rows that a source no longer has: they are kept with a date and ignored until the source has them again.

The section [sync] configures it. A song is live while it has a live label. So sources retire labels, and :func:`settle`
retires songs and clips accordingly.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.audio.uris import FETCHED
from genreatlas.config import SyncSection
from genreatlas.counts import Counts
from genreatlas.errors import LimitReachedError
from genreatlas.store import Reader, Store
from genreatlas.tables import CLIPS, SONG_GENRES, SONGS, Table

#: Number of songs that may be gone regardless of ``max_share``, but at most half of all songs.
_ALWAYS = 10


def check_share(
    source: str, gone: int, known: int, section: SyncSection, counts: Counts | None = None, what: str = "songs"
) -> None:
    """Stop if too large a share of a source is gone at once.

    Parameters
    ----------
    source : name of the source for messages.
    gone, known : numbers of items to be retired, and of live items.
    counts : counts of the step so far.
    what : name of the items for messages.

    Raises
    ------
    LimitReachedError : the share of items that are gone exceeds ``max_share``.
    """
    if gone > max(section.max_share * known, min(_ALWAYS, known // 2)):
        raise LimitReachedError(
            f"{source}: {gone} of {known} {what} are gone, more than sync.max_share = {section.max_share:g}; none was "
            "retired. Check that the source is complete: a disk may not be mounted, or a list may be truncated. To "
            "retire them, run once with --set sync.max_share=1. To keep using them, run with --set sync.gone=keep.",
            counts,
        )


def retire(store: Store, table: Table, keys: Sequence[Any] | DataFrame, columns: Sequence[str] = ()) -> int:
    """Set ``retired_at`` of live rows with these keys; returns the number of rows.

    Parameters
    ----------
    keys : tuples of values, or a frame of them.
    columns : names of the values, by default the table's key; ignored for a frame.
    """
    if (not isinstance(keys, DataFrame) and not keys) or not store.exists(table):
        return 0
    store.upgrade(table)
    return _date(store, table, _frame(store, table, keys, columns), datetime.now(UTC))


def revive(store: Store, table: Table, keys: Sequence[object] | DataFrame, columns: Sequence[str] = ()) -> int:
    """Clear ``retired_at`` of retired rows; parameters and result as in :func:`retire`."""
    if not store.exists(table):
        return 0
    store.upgrade(table)
    return _date(store, table, _frame(store, table, keys, columns), None)


def settle(store: Store, songs: Sequence[str]) -> int:
    """Retire those of the songs that have no live label, and revive those that have one.

    Clips of retired songs are retired too. Fetched clips of revived songs are revived; clips of files are revived when
    their files are found again.

    Returns
    -------
    Number of retired songs.
    """
    if not songs:
        return 0
    named = store.spark.createDataFrame([(song,) for song in songs], "song_id string")
    labelled = store.live(SONG_GENRES).join(named, "song_id", "left_semi").select("song_id").distinct()
    kept = [row[0] for row in labelled.collect()]
    gone = [(song,) for song in sorted(set(songs) - set(kept))]
    retired = 0
    if gone:
        retired = retire(store, SONGS, gone)
        retire(store, CLIPS, gone, ("song_id",))
    back = store.ended(SONGS).join(labelled, "song_id", "left_semi").select("song_id")
    back_ids = [(row[0],) for row in back.collect()]
    if back_ids:
        revive(store, SONGS, back_ids)
        clips = (
            store.ended(CLIPS)
            .where(F.col("uri").startswith(FETCHED))
            .join(store.spark.createDataFrame(back_ids, "song_id string"), "song_id", "left_semi")
        )
        revive(store, CLIPS, [(row[0],) for row in clips.select("clip_id").collect()])
    return retired


def fill_column(store: Store, table: Table, column: str, values: Sequence[tuple[Any, Any]]) -> int:
    """Set one column of stored rows by key; returns the number of changed rows."""
    if not values:
        return 0
    store.upgrade(table)
    (key,) = table.key
    schema = f"{key} {table.column(key).type}, {column} {table.column(column).type}"
    given = store.spark.createDataFrame(list(values), schema)
    rows = store.read(table).drop(column).join(given, key).select(*table.column_names)
    return store.upsert(table, rows, update=True, compare=(column,))


def follow_labels(
    store: Store,
    section: SyncSection,
    source: str,
    stored: DataFrame,
    labels: DataFrame,
    unseen: Sequence[str] = (),
    whole: bool = True,
    counts: Counts | None = None,
) -> tuple[str, ...]:
    """Retire labels and songs that a source no longer has. The current labels must be stored already.

    Parameters
    ----------
    source : name of the source for messages.
    stored : rows of ``song_genres`` that come from this source.
    labels : current labels of the source: song_id, genre_id, source.
    unseen : songs whose entries in the source could not be read. They are not retired.
    whole : whether the whole source except ``unseen`` could be read; if not, no song is retired.
    counts : counts of the step so far.

    Returns
    -------
    A line for the summary if songs are gone.

    Raises
    ------
    LimitReachedError : the share of songs that are gone exceeds ``max_share``; only labels of songs that the source
        still has were retired.
    """
    store.upgrade(SONG_GENRES)
    stored = stored.where(SONG_GENRES.live)
    stale = stored.join(labels, list(SONG_GENRES.key), "left_anti").select(*SONG_GENRES.key).toPandas()
    named = {row[0] for row in labels.select("song_id").distinct().collect()}
    here = stale["song_id"].isin(named)
    gone = stale[~here & ~stale["song_id"].isin(set(unseen))]
    relabelled = [tuple(row) for row in stale[here].itertuples(index=False)]
    retire(store, SONG_GENRES, relabelled)
    songs = sorted(set(gone["song_id"]))
    if songs and not whole:
        return (f"{len(songs)} songs are not in {source}, but were kept, because some of its rows could not be read",)
    if songs and section.gone == "retire":
        check_share(source, len(songs), stored.select("song_id").distinct().count(), section, counts)
        retire(store, SONG_GENRES, [tuple(row) for row in gone.itertuples(index=False)])
    if not store.ended(SONGS).isEmpty():
        back = store.ended(SONGS).join(labels.select("song_id").distinct(), "song_id", "left_semi").select("song_id")
        settle(store, [row[0] for row in back.collect()])
    if not songs:
        return ()
    if section.gone == "keep":
        return (f"{len(songs)} songs are gone from {source} and are still used (sync.gone = keep)",)
    retired = settle(store, songs)
    return (f"retired: {retired} songs that are gone from {source} (see [sync])",)


def _frame(store: Reader, table: Table, keys: Sequence[Any] | DataFrame, columns: Sequence[str]) -> DataFrame:
    if isinstance(keys, DataFrame):
        return keys.distinct()
    names = columns or table.key
    schema = ", ".join(f"{name} {table.column(name).type}" for name in names)
    return store.spark.createDataFrame(sorted(set(keys)), schema)


def _date(store: Store, table: Table, keys: DataFrame, when: datetime | None) -> int:
    rows = store.live(table) if when else store.read(table).where("retired_at IS NOT NULL")
    rows = rows.join(keys, keys.columns, "left_semi").withColumn("retired_at", F.lit(when).cast("timestamp"))
    return store.upsert(table, rows.select(*table.column_names), update=True, compare=("retired_at",))
