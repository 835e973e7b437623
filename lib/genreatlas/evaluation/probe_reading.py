"""Read data for experiments on confounds: songs of the training part, and their feature values as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.audio.feature_sets import FeatureSet
from genreatlas.audio.layouts import get_layout
from genreatlas.config import Config
from genreatlas.config.joined import column_of, members_of
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.feature_tables import model_columns
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.giveaways import find_giveaways
from genreatlas.datasets.library import Library
from genreatlas.datasets.matrix import spread_rows, training_rows
from genreatlas.datasets.types import Dataset
from genreatlas.datasets.vectors import to_matrix
from genreatlas.evaluation.confounds import Columns, Songs
from genreatlas.extraction.changed import changed_rows, registered_sets
from genreatlas.store import Reader
from genreatlas.tables import SONG_ARTISTS

#: Number of rows per song for sets with several rows per clip.
ROWS_PER_SONG = 20


@dataclass(frozen=True)
class SetRows:
    """Values of a feature set for some songs.

    Attributes
    ----------
    dataset : data set of the values.
    features, places : names of the columns used, and their indices in the data set's columns.
    columns : values of these columns.
    """

    dataset: Dataset
    features: tuple[str, ...]
    places: NDArray[np.int64]
    columns: Columns


def single_labels(config: Config) -> Config:
    """Configuration for the experiments: one genre per song, no balancing, no limit of songs per genre."""
    changed: dict[str, object] = {"balance": "none", "max_songs": 0}
    if config.train.labels == "multi":
        changed["labels"] = "drop"
    return config.model_copy(update={"train": config.train.model_copy(update=changed)})


def training_songs(dataset: Dataset) -> Songs:
    """Songs of the training part that have a fold, sorted by id, and their genres."""
    rows = dataset.songs[(dataset.songs.part == "train") & dataset.songs.fold.notna()]
    index = {genre: place for place, genre in enumerate(dataset.classes)}
    return Songs(
        ids=rows.song_id.to_numpy(dtype=str),
        target=np.array([index[genres[0]] for genres in rows.genres], dtype=np.int64),
        fold=rows.fold.to_numpy(dtype=np.int64),
        group=rows.group_id.to_numpy(dtype=str),
        classes=dataset.classes,
        names=dataset.class_names,
    )


def read_columns(dataset: Dataset, songs: Songs, max_mb: int) -> Columns:
    """Read values of songs, sorted by song, clip and frame; at most :data:`ROWS_PER_SONG` rows per song."""
    some = replace(dataset, frame=_of_songs(dataset.frame, songs))  # before rows are counted or sampled
    rows = training_rows(some, ROWS_PER_SONG).select("song_id", "clip_id", "frame", "features")
    return _fetch_columns(rows, songs, len(dataset.features), max_mb)


def _of_songs(rows: DataFrame, songs: Songs) -> DataFrame:
    wanted = rows.sparkSession.createDataFrame([(one,) for one in songs.ids.tolist()], "song_id string")
    return rows.join(wanted, "song_id", "left_semi")


def _fetch_columns(rows: DataFrame, songs: Songs, width: int, max_mb: int) -> Columns:
    """Fetch rows (song_id, clip_id, frame, features) of the songs to the driver."""
    table = fetch(rows, "song_id", max_mb, 100 + 8 * width)
    table = table.sort_by([("song_id", "ascending"), ("clip_id", "ascending"), ("frame", "ascending")])
    place = np.searchsorted(songs.ids, np.asarray(table.column("song_id").to_numpy(), dtype=str))
    return Columns(to_matrix(table, width), place.astype(np.int64))


def read_set(dataset: Dataset, songs: Songs, config: Config) -> SetRows:
    """Read values of the probed set, without columns of an imported table that leak the label."""
    columns = read_columns(dataset, songs, config.store.max_commit_mb)
    gone: set[str] = set()
    asked = set(dataset.imported) - set(config.train.keep_features)
    if asked and len(columns.song):
        group = np.unique(songs.group, return_inverse=True)[1][columns.song]
        found = find_giveaways(
            columns.values, songs.target[columns.song], songs.fold[columns.song], columns.song,
            {"artist": group}, dataset.features,
        )  # fmt: skip
        gone = {one.feature for one in found if one.verdict == "left out" and one.feature in asked}
    places = np.array([place for place, name in enumerate(dataset.features) if name not in gone], dtype=np.int64)
    names = tuple(dataset.features[place] for place in places)
    return SetRows(dataset, names, places, Columns(columns.values[:, places], columns.song))


def read_beside(
    store: Reader, config: Config, library: Library, feature_set: str, of: Dataset, songs: Songs
) -> Columns:
    """Read values of another set, such as loudness, for the same songs; songs without values have no row."""
    beside = build_dataset(store, config, library, feature_set, of)
    return read_columns(beside, songs, config.store.max_commit_mb)


def read_changed(
    store: Reader, config: Config, change: str, dataset: Dataset, songs: Songs, places: NDArray[np.int64]
) -> Columns:
    """Read values of changed clips of songs, for the columns of the set with the given indices."""
    names = members_of(dataset.feature_set)
    sets = registered_sets(names) or []
    frames = [_of_songs(changed_rows(store, config, change, one), songs) for one in sets]
    layout, columns = dataset.layout, {name: _kind(sets, name, len(names) > 1) for name in dataset.columns}
    if len(sets) == 1:
        rows = frames[0]
    else:
        named = [
            frame.select(
                "clip_id",
                *(["song_id"] if frame is frames[0] else []),
                *[
                    F.expr(get_layout(one.axis).feature(feature.name, place)).alias(column_of(one.name, feature.name))
                    for place, feature in enumerate(one.features)
                ],
            )
            for one, frame in zip(sets, frames, strict=True)
        ]
        rows = reduce(lambda left, right: left.join(right, "clip_id"), named)
    _, kept = model_columns(rows, layout, columns, dataset.features)
    spread = spread_rows(rows.select("song_id", "clip_id", *kept), layout, ROWS_PER_SONG)
    spread = spread.select("song_id", "clip_id", "frame", "features")
    found = _fetch_columns(spread, songs, len(dataset.features), config.store.max_commit_mb)
    return Columns(found.values[:, places], found.song)


def _kind(sets: Sequence[FeatureSet], column: str, joined: bool) -> str:
    """Kind of a column of one set, or of several joined sets."""
    kinds = {(column_of(one.name, f.name) if joined else f.name): f.kind for one in sets for f in one.features}
    return kinds[column]


def read_artists(store: Reader, songs: Songs, config: Config) -> Mapping[str, str]:
    """Performer of each song as song id = artist id; songs with unknown performer are missing."""
    rows = store.read(SONG_ARTISTS).where("position = 0").select("song_id", "artist_id")
    found = fetch(rows, "song_id", config.store.max_commit_mb).to_pandas()
    mine: pd.DataFrame = found[found.song_id.isin(set(songs.ids.tolist()))].sort_values(["song_id", "artist_id"])
    return dict(zip(mine.song_id, mine.artist_id, strict=True))
