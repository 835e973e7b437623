"""Samples of bounded size from the store, drawn with Spark, for figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import functions as F
from sklearn.feature_selection import f_classif

from genreatlas.datasets.feature_tables import find_feature_table
from genreatlas.errors import InputError
from genreatlas.report.queries import own_names
from genreatlas.report.queries import sample as seeded_sample
from genreatlas.report.sounds import with_audio
from genreatlas.store import Reader
from genreatlas.tables import CLIPS, FEATURE_SETS, SONG_GENRES, SONGS


@dataclass(frozen=True)
class Sample:
    """A seeded sample of clips with their features.

    Attributes
    ----------
    feature_set : name of the feature set.
    rows : _genre_id and the numeric features; one row per clip and genre.
    features : numeric features, in the order of the set.
    units : unit by feature.
    genres : genre ids, largest first.
    names : name by genre id.
    """

    feature_set: str
    rows: pd.DataFrame
    features: tuple[str, ...]
    units: Mapping[str, str]
    genres: tuple[str, ...]
    names: Mapping[str, str]

    def most_discriminative(self, wanted: int) -> list[str]:
        """The ``wanted`` features with the largest F statistic of one-way ANOVA between genres."""
        values = self.rows[list(self.features)]
        values = values.fillna(values.median()).fillna(0.0)
        varying = values.loc[:, values.nunique() > 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = f_classif(varying.to_numpy(float), self.rows["_genre_id"])[0]
        ranked = pd.Series(np.nan_to_num(scores, nan=-1.0), index=varying.columns).reindex(self.features, fill_value=-1)
        return ranked.sort_values(ascending=False, kind="stable").head(wanted).index.tolist()


def sample_features(store: Reader, feature_set: str, n_genres: int = 8, per_genre: int = 300, seed: int = 7) -> Sample:
    """Sample the clips of the largest genres.

    Parameters
    ----------
    feature_set : name of a summary set.
    n_genres : number of genres, the largest by songs.
    per_genre : maximum number of clips per genre.
    seed : seed of the sample.

    Raises
    ------
    InputError : the set is not a summary set, or has no numeric feature.
    """
    table = find_feature_table(store, feature_set)
    features = tuple(name for name, kind in table.columns.items() if kind == "numeric")
    if not table.layout.by_column or not features:
        raise InputError(f"{feature_set}: pictures of features need a summary set with numeric features")
    labels, genres, names = _largest(store, n_genres)
    drawn = seeded_sample(table.rows(store).join(own_names(labels), "song_id"), per_genre, seed)
    rows = drawn.select("_genre_id", *[F.col(f"`{name}`").cast("double").alias(name) for name in features]).toPandas()
    known = store.read(FEATURE_SETS).where(
        (F.col("feature_set") == feature_set) & (F.col("set_version") == table.set_version)
    )
    units = {row["feature"]: row["unit"] for row in known.select("feature", "unit").collect()}
    return Sample(feature_set, rows, features, units, genres, names)


def durations(store: Reader, n_genres: int = 12) -> pd.DataFrame:
    """Durations of source files in the largest genres.

    Returns
    -------
    DataFrame : genre, song_id, title, duration_s (in seconds); the largest genre first.
    """
    labels, genres, names = _largest(store, n_genres)
    clips = store.live(CLIPS).select("song_id", "sha256", "duration_s").distinct()
    songs = store.read(SONGS).select("song_id", "title")
    rows = clips.join(labels, "song_id").join(songs, "song_id", "left")
    found = rows.select("genre_id", "song_id", "title", "duration_s").toPandas()
    found["_place"] = [genres.index(genre) for genre in found["genre_id"]]
    found["genre"] = found["genre_id"].map(dict(names))
    found = found.sort_values(["_place", "song_id", "duration_s"], ignore_index=True)
    return found[["genre", "song_id", "title", "duration_s"]]


def clips_to_hear(store: Reader, n_genres: int = 8, genres: Sequence[str] = (), seed: int = 7) -> pd.DataFrame:
    """Choose one clip per genre by a seeded hash.

    Parameters
    ----------
    n_genres : number of genres, the largest by songs.
    genres : genre ids to choose from; empty: all.
    seed : seed of the hash.

    Returns
    -------
    DataFrame : genre, the columns of ``clips``, title, artist, and ``audio``: bytes of fetched clips; clips of a folder
        are read from their files.
    """
    labels, largest, names = _largest(store, n_genres, genres)
    clips = store.live(CLIPS).join(labels, "song_id")
    first = clips.groupBy("genre_id").agg(
        F.min_by("clip_id", F.struct(F.xxhash64(F.lit(seed), F.col("clip_id")), "clip_id")).alias("clip_id")
    )
    songs = store.read(SONGS).select("song_id", "title", "artist")
    found = store.read(CLIPS).join(first, "clip_id").join(songs, "song_id", "left").toPandas()
    found.insert(0, "genre", found["genre_id"].map(dict(names)))
    order = {genre: place for place, genre in enumerate(largest)}
    return with_audio(store, found).sort_values("genre_id", key=lambda column: column.map(order), ignore_index=True)


def _largest(store: Reader, n_genres: int, wanted: Sequence[str] = ()):  # type: ignore[no-untyped-def]
    """Labels (song_id, genre_id), ids and names of the largest genres."""
    labels = store.live(SONG_GENRES)
    sizes = labels.groupBy("genre_id").agg(F.countDistinct("song_id").alias("n"), F.min("genre").alias("genre"))
    if wanted:
        sizes = sizes.where(F.col("genre_id").isin(list(wanted)))
    rows = sizes.orderBy(F.desc("n"), "genre_id").limit(n_genres).collect()
    ids = tuple(row["genre_id"] for row in rows)
    mine = labels.where(F.col("genre_id").isin(list(ids))).select("song_id", "genre_id").distinct()
    return mine, ids, {row["genre_id"]: row["genre"] for row in rows}
