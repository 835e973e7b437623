"""Write feature sets with songs, labels and split to shards, for training elsewhere.

Vectors, sequences (frames, notes, segments) and spectrograms are exported as npz or Parquet. Each set has a folder
with its shards and an index.json that describes them. The same tables and configuration give the same bytes. Shards
are rewritten when one of their source tables has changed.

Only sets that are computed from audio are exported. Imported feature tables are not, because one of their columns may
reveal the label. Training detects and excludes such columns; readers of features_<name> have to do the same.
"""

import json
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.feature_sets import FeatureSet, get_feature_set, table_of
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.labels import at_level
from genreatlas.datasets.library import Library, read_library
from genreatlas.datasets.sequences import sharded
from genreatlas.datasets.shards import RESULT, ShardRequest, write_shard
from genreatlas.errors import ConfigError, InputError
from genreatlas.ids import stable_id
from genreatlas.store import Reader, Store
from genreatlas.tables import CLIPS
from genreatlas.values import Row

READS = (
    "vectors_<set>", "frames_<set>", "events_<set>", "clips", "songs", "song_artists", "song_genres", "genre_parents",
    "splits", "recording_links",
)  # fmt: skip
WRITES: tuple[str, ...] = ()
SECTIONS = ("export", "splits", "clip")
check = checks.export

_INDEX = "index.json"
_SONGS = pa.schema(
    [
        ("song_id", pa.string()),
        ("group_id", pa.string()),
        ("part", pa.string()),
        ("fold", pa.int32()),
        ("genres", pa.list_(pa.string())),
    ]
)


def run(store: Store, config: Config) -> Counts:
    """Write the shards of every configured set, unless they are up to date.

    Raises
    ------
    ConfigError : a set does not exist, or has one row of scalar columns per clip, which can be read with SQL.
    InputError : a set was not extracted, there is no split, or workers and driver do not share the folder.
    """
    feature_sets = [exportable(name) for name in dict.fromkeys(config.export.feature_sets)]
    library = read_library(store, config)
    counts = Counts()
    for feature_set in feature_sets:
        counts += export_set(store, config, library, feature_set)
    return counts


def exportable(name: str) -> FeatureSet:
    """Look up a feature set by name.

    Raises
    ------
    ConfigError : the set does not exist, or its layout is not exported.
    """
    feature_set = get_feature_set(name)
    layout = get_layout(feature_set.axis)
    if not layout.exported:
        raise ConfigError(
            f"export.feature_sets: {name} is one row of columns a clip. Read its table {layout.table_name(name)} with "
            "any tool; export writes vectors and sets of frames, events and bytes."
        )
    return feature_set


def export_set(store: Reader, config: Config, library: Library, feature_set: FeatureSet) -> Counts:
    """Write one set's shards and its index."""
    table = table_of(feature_set)
    if not store.exists(table):
        raise InputError(f"{table.name} does not exist. Add {feature_set.name} to extract.feature_sets and extract it.")
    folder = config.export.path / feature_set.name
    made_from = stable_id(
        *sorted({**library.versions, table.name: store.version(table)}.items()),
        *sorted(config.export.model_dump(exclude={"path", "feature_sets"}).items()),
        feature_set.version, preprocessing_id(config.clip), library.split, library.split_version,
    )  # fmt: skip
    if up_to_date(folder, made_from):
        return Counts()
    songs, classes = labelled_songs(store, config, library)
    clips = current_clips(store, config, feature_set)
    features = tuple(f.name for f in feature_set.features)
    layout = get_layout(feature_set.axis)
    n_bytes = layout.clip_bytes(len(features))
    rows = sharded(clips.join(songs, "song_id"), n_bytes, config.export.shard_mb << 20)
    request = ShardRequest(str(folder.absolute()), config.export.format, classes, features, layout)
    # not a partial: Spark reads the function's type hints, which a partial does not have
    written = rows.groupBy("part", "shard").applyInArrow(lambda shard: write_shard(request, shard), RESULT)
    shards = [row.asDict() for row in written.orderBy("part", "shard").collect()]
    if missing := [s["file"] for s in shards if not (folder / s["file"]).exists()]:
        raise InputError(
            f"{folder / missing[0]} was written by a worker, but does not exist on the driver. Set export.path to a "
            "folder that all machines share."
        )
    found, total = sum(s["n_clips"] for s in shards), clips.count()
    describe(folder, feature_set, config, library, classes, shards, made_from)
    return Counts(read=total, written=found, skipped=total - found, notes=(f"{feature_set.name}: {folder}",))


def up_to_date(folder: Path, made_from: str) -> bool:
    """Whether the folder contains complete shards made from the same tables and configuration."""
    if not (folder / _INDEX).exists():
        return False
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    return index["made_from"] == made_from and all(
        (folder / shard["file"]).exists() and (folder / shard["file"]).stat().st_size == shard["n_bytes"]
        for shard in index["shards"]
    )


def labelled_songs(store: Reader, config: Config, library: Library) -> tuple[DataFrame, tuple[str, ...]]:
    """Songs of the split with their genre ids, and the sorted ids of all genres.

    Copies of a recording in the same part are one song, with the genres of all copies.
    """
    labels = at_level(library.labels, config.export.level, library.parents)
    songs = library.songs.sort_values("song_id", ignore_index=True)
    songs["first"] = songs.groupby(["recording", "part"]).song_id.transform("first")
    labels = labels.merge(songs[["song_id", "first"]], on="song_id")
    genres = labels.groupby("first").genre_id.agg(lambda ids: sorted(set(ids)))
    songs = songs.loc[songs["song_id"] == songs["first"], ["song_id", "group_id", "part", "fold"]].copy()
    songs["genres"] = [list(ids) if isinstance(ids, list) else [] for ids in songs.song_id.map(genres)]
    songs["fold"] = songs.fold.astype("Int32")
    rows = pa.Table.from_pandas(songs, _SONGS, preserve_index=False)
    return store.spark.createDataFrame(rows), tuple(sorted(labels.genre_id.unique()))


def current_clips(store: Reader, config: Config, feature_set: FeatureSet) -> DataFrame:
    """Rows of the set's current version and preprocessing, without clips that were replaced or retired."""
    rows = store.read(table_of(feature_set)).where(
        (F.col("set_version") == feature_set.version) & (F.col("preprocessing_id") == preprocessing_id(config.clip))
    )
    return rows.join(store.ended(CLIPS).select("clip_id"), "clip_id", "left_anti").drop(
        "set_version", "preprocessing_id"
    )


def describe(
    folder: Path,
    feature_set: FeatureSet,
    config: Config,
    library: Library,
    classes: tuple[str, ...],
    shards: list[Row],
    made_from: str,
) -> None:
    """Write index.json, and delete shards of earlier runs that it does not list."""
    index = {
        "feature_set": feature_set.name,
        "set_version": feature_set.version,
        "preprocessing_id": preprocessing_id(config.clip),
        "axis": feature_set.axis,
        "hop_s": feature_set.hop_s if get_layout(feature_set.axis).timed else None,
        "features": [{"name": f.name, "unit": f.unit, "comment": f.comment} for f in feature_set.features],
        "classes": list(classes),
        "level": config.export.level,
        "split": library.split,
        "split_version": library.split_version,
        "format": config.export.format,
        "shards": shards,
        "made_from": made_from,
    }
    named = {shard["file"] for shard in shards}
    for suffix in ("npz", "parquet"):
        for path in folder.glob(f"*-[0-9][0-9][0-9][0-9][0-9].{suffix}"):
            if path.name not in named:
                path.unlink()
    part = folder / f"{_INDEX}.part"
    part.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(folder / _INDEX)
