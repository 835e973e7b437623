"""Import a table of precomputed features (CSV, Parquet and others) as a feature set.

Each row becomes a song with artists and genres, and a feature row of the set [import_features] name, which is used like
any other set in training and evaluation. Column names are converted to lower case with underscores, so that SQL needs
no quotes. Lengths, ids, popularity and dates are excluded unless `include` lists them.
"""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.feature_sets import FEATURE_SETS as REGISTRY
from genreatlas.audio.layouts import Layout, get_layout
from genreatlas.collecting.retiring import follow_labels
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.feature_tables import IMPORTED
from genreatlas.errors import ConfigError, Reason
from genreatlas.ids import stable_id
from genreatlas.progress import progress
from genreatlas.sources.feature_tables import ImportedTable, import_table, inputs_digest
from genreatlas.sources.tabular import digest_of
from genreatlas.store import Store
from genreatlas.store.row_checks import WIDE
from genreatlas.tables import (
    ARTISTS,
    FEATURE_SETS,
    GENRE_PARENTS,
    QUARANTINE,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    SPOTIFY_AUDIO_SET,
    Column,
    Table,
)
from genreatlas.values import Row

STEP = "import_features"
READS = ("feature_sets",)
WRITES = (
    "features_<name>", "vectors_<name>", "feature_sets", "songs", "artists", "song_artists", "song_genres",
    "genre_parents", "quarantine",
)  # fmt: skip
SECTIONS = ("import_features", "sync", "splits")
check = checks.import_features

PREPROCESSING_ID = IMPORTED
#: Bytes of a number in transit from Python to the table: as rows, and as columns for wide tables.
_CELL_BYTES, _WIDE_CELL_BYTES = 40, 9
_RESERVED = frozenset({*REGISTRY, "technical", "loudness", SPOTIFY_AUDIO_SET})


def run(store: Store, config: Config) -> Counts:
    """Import the configured table. Does nothing if file, lists and configuration are unchanged.

    Changed rows replace those of an earlier import. Genres that a song lost, and songs that are no longer in the file,
    are retired.

    Raises
    ------
    ConfigError : the configuration does not match the file, or the set exists with other columns.
    InputError, SplitLeakError : see :func:`genreatlas.sources.feature_tables.import_table`.
    LimitReachedError : the share of songs that are no longer in the file exceeds ``sync.max_share``.
    """
    section = config.import_features
    if section.name in _RESERVED:
        raise ConfigError(f"[import_features] name: {section.name!r} is a built-in feature set. Choose another name.")
    ignore_parts = config.splits.declared == "ignore"
    sets = store.read(FEATURE_SETS).where(F.col("feature_set") == section.name)
    known = [tuple(row) for row in sets.select("set_version", "source").distinct().collect()]
    if section.path is not None and known:
        digest = inputs_digest(section, digest_of(section.path, "import_features.path"), ignore_parts)
        if {source for _, source in known} == {_source(section.path.name, digest)}:
            return Counts()
    imported = import_table(section, ignore_parts)
    if known and known[0][0] != imported.set_version:
        raise ConfigError(
            f"[import_features] name: the set {section.name!r} has other features already. "
            "Choose another name for these."
        )
    layout = get_layout(section.layout)
    others = {row["axis"] for row in sets.select("axis").distinct().collect()} - {layout.name}
    if others:
        raise ConfigError(
            f"[import_features] layout: the set {section.name!r} was imported as {others.pop()}. Choose another name "
            f"for it as {layout.name}."
        )
    written, gone = _write(store, section.name, imported, feature_rows(imported, layout), layout, config)
    return Counts(
        read=written + len(imported.rejected),
        written=written,
        failed=len(imported.rejected),
        notes=(*imported.notes, *gone),
    )


def feature_table(name: str, imported: ImportedTable, layout: Layout) -> Table:
    """Definition of the table of an imported set."""
    columns = [Column(c.name, c.type, c.comment) for c in imported.columns] if layout.by_column else None
    return layout.table(name, f"Features imported from {imported.name}.", columns, (STEP,))


def feature_rows(imported: ImportedTable, layout: Layout) -> pd.DataFrame:
    """Rows of the table of an imported set, in the given layout.

    Raises
    ------
    ConfigError : a column is categorical, but the layout stores only numbers.
    """
    if layout.by_column:
        return imported.rows
    if names := [column.name for column in imported.columns if column.kind != "numeric"]:
        raise ConfigError(
            f"[import_features] layout: {layout.name} holds numbers only, and {', '.join(names)} is categorical. "
            "Exclude it, or set import_features.layout = summary."
        )
    values = imported.rows[[column.name for column in imported.columns]].to_numpy(np.float32)
    return imported.rows[["clip_id", "song_id"]].assign(**layout.filled(values))


def _write(
    store: Store, name: str, imported: ImportedTable, rows: pd.DataFrame, layout: Layout, config: Config
) -> tuple[int, tuple[str, ...]]:
    """Write all tables, ``feature_sets`` last, so that a described set is complete.

    Returns
    -------
    Number of written feature rows, and notes on retired songs and genres.
    """
    now, max_mb = datetime.now(UTC), config.store.max_commit_mb
    store.upsert(SONGS, _whole(SONGS, imported.songs.assign(added_at=now)), update=True)
    store.upsert(ARTISTS, imported.artists)
    _replace(store, SONG_ARTISTS, imported.song_artists, imported.songs["song_id"])
    labels = imported.song_genres.assign(retired_at=None)
    store.upsert(SONG_GENRES, labels, update=True, compare=("retired_at",))
    if len(imported.genre_parents):
        store.upsert(GENRE_PARENTS, imported.genre_parents, update=True)
    table = feature_table(name, imported, layout)
    rows = rows.assign(set_version=imported.set_version, preprocessing_id=PREPROCESSING_ID)
    cell = _WIDE_CELL_BYTES if len(table.columns) > WIDE else _CELL_BYTES
    chunk = max(1, (max_mb << 20) // (cell * max(len(table.columns), len(imported.columns))))
    chunks = (rows.iloc[start : start + chunk] for start in range(0, len(rows), chunk))
    written = 0
    with progress(STEP, len(rows), "rows") as bar:
        for part in chunks:
            written += store.upsert(table, _whole(table, part), update=True)
            bar.advance(len(part))
    _forget_former(store, name, imported)
    if imported.rejected:
        store.upsert(QUARANTINE, _quarantine(store, imported, now))
    described = [
        {
            "feature_set": name,
            "set_version": imported.set_version,
            "position": position,
            "feature": column.name,
            "kind": column.kind,
            "axis": layout.name,
            "unit": "",
            "preprocessing_id": PREPROCESSING_ID,
            "source": _source(imported.name, imported.digest),
        }
        for position, column in enumerate(imported.columns)
    ]
    gone = _follow(store, table, name, imported, config, written)
    store.upsert(FEATURE_SETS, described, update=True)
    return written, gone


def _follow(
    store: Store, table: Table, name: str, imported: ImportedTable, config: Config, written: int
) -> tuple[str, ...]:
    """Retire songs and labels that are no longer in the file. Songs of unreadable rows are kept as they are."""
    unread = [bad.id for bad in imported.rejected if bad.reason != Reason.NO_GENRE]
    hidden = {stable_id("clip", name, one) for one in unread if one is not None}
    known = store.read(table).select("clip_id", "song_id").toPandas()
    labels = imported.song_genres
    gone = follow_labels(
        store,
        config.sync,
        imported.name,
        store.read(SONG_GENRES).where(F.col("source") == name),
        store.spark.createDataFrame(
            list(zip(labels["song_id"], labels["genre_id"], labels["source"], strict=True)),
            "song_id string, genre_id string, source string",
        ),
        unseen=sorted(set(known.loc[known["clip_id"].isin(hidden), "song_id"])),
        whole=None not in unread,
        counts=Counts(read=written, written=written),
    )
    # Feature rows that are gone, of songs that stay, have no label that could be retired: delete them.
    left = known[known["song_id"].isin(imported.songs["song_id"]) & ~known["clip_id"].isin(imported.rows["clip_id"])]
    left = left[~left["clip_id"].isin(hidden)]
    if len(left) and config.sync.gone == "retire" and None not in unread:
        store.delete(table, store.spark.createDataFrame([(clip,) for clip in left["clip_id"]], "clip_id string"))
        gone = (
            *gone,
            f"{len(left)} rows are gone from {imported.name} and were deleted from {table.name}; their songs have "
            "other rows",
        )
    return gone


def _replace(store: Store, table: Table, rows: pd.DataFrame, songs: pd.Series) -> None:
    """Replace the rows of the songs in the table by these."""
    rows = _whole(table, rows)
    if store.exists(table):
        mine = store.frame(SONGS, [{"song_id": song} for song in songs]).select("song_id")
        stale = (
            store.read(table)
            .join(mine, "song_id", "left_semi")
            .join(store.frame(table, rows), list(table.key), "left_anti")
        )
        if not stale.isEmpty():
            store.delete(table, stale.select(*table.key))
    if len(rows):
        store.upsert(table, rows, update=True)


def _forget_former(store: Store, name: str, imported: ImportedTable) -> None:
    """Remove quarantine rows of earlier versions of the file, except those of other sets from a file of that name."""
    others = store.read(FEATURE_SETS).where(F.col("feature_set") != name).select("source").distinct().collect()
    kept = [imported.digest, *(row["source"].rpartition("(")[2].rstrip(")") for row in others if row["source"])]
    mine = (F.col("stage") == STEP) & F.col("key").startswith(f"{imported.name} ") & ~F.col("version").isin(kept)
    former = store.read(QUARANTINE).where(mine).select("stage", "key", "version").collect()
    if former:
        rows = [tuple(row) for row in former]
        store.delete(QUARANTINE, store.spark.createDataFrame(rows, "stage string, key string, version string"))


def _quarantine(store: Store, imported: ImportedTable, now: datetime) -> list[Row]:
    return [
        {
            "stage": STEP,
            "key": f"{imported.name} {bad.place}",
            "version": imported.digest,
            "reason": bad.reason.value,
            "detail": f"{imported.name} {bad.place}: {bad.detail}",
            "path": bad.id,
            "run_id": store.run_id,
            "at": now,
        }
        for bad in imported.rejected
    ]


def _whole(table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with integer columns that pandas converted to floats cast back to integers."""
    return rows.astype({c.name: "Int64" for c in table.columns if c.type == "int" and c.name in rows})


def _source(file_name: str, digest: str) -> str:
    return f"{file_name} ({digest})"
