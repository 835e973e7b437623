"""Join one feature set with genres and split, as configured in ``[train]``."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.datasets.feature_tables import MEETS, bad_condition, find_feature_table, model_columns, with_condition
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.labels import Choice, at_level, choose
from genreatlas.datasets.library import Library
from genreatlas.datasets.topic_sets import require_fitted_apart
from genreatlas.datasets.types import Dataset
from genreatlas.errors import InputError
from genreatlas.store import Reader, Snapshot

_SONGS = pa.schema(
    [
        ("song_id", pa.string()),
        ("group_id", pa.string()),
        ("part", pa.string()),
        ("fold", pa.int32()),
        ("genres", pa.list_(pa.string())),
        ("weight", pa.float64()),
    ]
)
#: Temporary prefix of the columns of songs while they are joined with features. No feature name begins with it, so a
#: feature named fold, part or weight does not collide with the song's column.
_OWN = "_"


@dataclass(frozen=True)
class Fixed:
    """Versions, classes and columns that are given by the model to evaluate.

    If classes or features are None, they are derived from the data as in training.
    """

    set_version: str
    preprocessing_id: str
    classes: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None


def build_dataset(
    store: Reader,
    config: Config,
    library: Library,
    feature_set: str,
    songs_of: Dataset | None = None,
    fixed: Fixed | None = None,
    without: Mapping[str, str] | None = None,
) -> Dataset:
    """Join features, genres and split.

    Parameters
    ----------
    store : the store.
    config : the configuration.
    library : songs, genres and split, from :func:`genreatlas.datasets.library.read_library`.
    feature_set : name of a set in ``feature_sets``, of joined sets (:mod:`genreatlas.config.joined`), or
        ``technical`` for properties of the files.
    songs_of : take songs and genres from this data set, so that baselines are evaluated on the same songs.
    fixed : versions, classes and columns of a model to evaluate.
    without : reason by column of the matrix to leave out (:mod:`genreatlas.datasets.giveaways`).

    Raises
    ------
    ConfigError : an unknown set or genre; ``train.where`` is not a condition on these rows.
    InputError : fewer than two usable genres, no column is left, or no clip has all joined sets.
    SplitLeakError : topics were fitted on songs outside the training part.
    """
    snapshot = Snapshot(store, library.versions | (songs_of.input_versions if songs_of else {}))
    table = find_feature_table(
        snapshot, feature_set, *((fixed.set_version, fixed.preprocessing_id) if fixed else (None, None))
    )
    require_fitted_apart(snapshot, table, library)
    notes = () if fixed else table.incomplete(snapshot)
    rows = table.rows(snapshot)
    if songs_of is None:
        rows = with_condition(snapshot, config.train, rows)
        choice = _choice(config, library, rows, fixed)
        rows = rows.where(MEETS).drop(MEETS)
    else:
        choice = Choice(songs_of.classes, songs_of.class_names, songs_of.songs, songs_of.dropped)
    songs = _song_frame(snapshot, choice.songs)
    songs = songs.select("song_id", *[F.col(name).alias(_OWN + name) for name in songs.columns if name != "song_id"])
    training = F.col(_OWN + "part") == "train"
    asked = fixed.features if fixed else None
    joined = rows.join(songs, "song_id")
    features, kept = model_columns(joined, table.layout, table.columns, asked, training, without or {})
    # Features are packed into an array before the join: with thousands of columns, Spark takes minutes.
    values = rows.select("song_id", "clip_id", *kept)
    if without and not features:
        raise InputError(
            f"{feature_set}: none of its features can be trained on: {_whys(without)}. If a feature is "
            "measured from the audio and not derived from the genre, list it in train.keep_features."
        )
    imported = table.imported
    categories = tuple(f"{name}=" for name in imported if table.columns[name] == "categorical")
    about = [F.col(_OWN + name).alias(name) for name in ("group_id", "part", "fold", "genres", "weight")]
    return Dataset(
        feature_set=feature_set,
        set_version=table.set_version,
        preprocessing_id=table.preprocessing_id,
        axis=table.axis,
        columns=tuple(table.columns),
        features=features,
        classes=choice.classes,
        class_names=choice.class_names,
        level=config.train.level,
        labels=config.train.labels,
        split=library.split,
        split_version=library.split_version,
        grouping=library.grouping,
        input_versions=snapshot.read_versions,
        songs=choice.songs,
        dropped=choice.dropped,
        frame=values.join(songs, "song_id").select("song_id", "clip_id", *about, *values.columns[2:]),
        left_out=tuple(f"{name}: {why}" for name, why in (without or {}).items()),
        imported=tuple(name for name in features if name in imported or name.startswith(categories)),
        notes=(*notes, *(f"{feature_set}: {line}" for line in choice.effects)),
    )


def _whys(without: Mapping[str, str], most: int = 3) -> str:
    named = [f"{name}: {why}" for name, why in without.items()]
    return "; ".join(named[:most]) + (f"; and {len(named) - most} more" if len(named) > most else "")


def _choice(config: Config, library: Library, rows: DataFrame, fixed: Fixed | None) -> Choice:
    found = rows.groupBy("song_id").agg(F.max(F.coalesce(F.col(MEETS), F.lit(False))).alias("meets"))
    try:
        meets = fetch(found, "song_id", config.store.max_commit_mb).to_pandas().set_index("song_id").meets
    except PySparkException as error:
        if not config.train.where:
            raise
        raise bad_condition(config.train, error) from None  # for example, a cast fails on some row
    songs = library.songs.copy()
    songs["state"] = songs.song_id.map(meets.map({True: "usable", False: "filtered"})).fillna("no_features")
    labels = at_level(library.labels, config.train.level, library.parents)
    return choose(songs, labels, config.train, fixed.classes if fixed else None)


def _song_frame(store: Reader, songs: pd.DataFrame) -> DataFrame:
    """Songs as a frame to join with: about 100 bytes per song, far below the limit for local data of a session."""
    fold = songs.fold.astype("Int32")
    rows = pa.Table.from_pandas(songs.assign(fold=fold, genres=songs.genres.map(list)), _SONGS, preserve_index=False)
    return store.spark.createDataFrame(rows)
