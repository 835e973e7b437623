"""Read what the pictures of features, durations and sounds are drawn from: bounded samples, made in Spark."""

from dataclasses import replace

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from genreatlas.audio.layouts import LAYOUTS
from genreatlas.config import Config
from genreatlas.config.joined import members_of
from genreatlas.datasets.feature_tables import FeatureTable, find_feature_table
from genreatlas.errors import GenreAtlasError
from genreatlas.models.engines import is_baseline
from genreatlas.report import views
from genreatlas.report.boards import NOT_MUSIC, Board
from genreatlas.report.data import ReportData
from genreatlas.store import Reader
from genreatlas.tables import CLIPS, FEATURE_SETS, SPLITS

#: Features of a sample.
MOST_FEATURES = 300

_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BOX = ("low", "q1", "median", "q3", "high")


def add_features(data: ReportData, store: Reader, config: Config, labels: DataFrame, board: Board | None) -> ReportData:
    """Add the sample of features and the durations.

    Parameters
    ----------
    labels : song_id, genre_id at the level of the models.
    """
    genres = drawn_genres(data, board)
    mine = labels.where(F.col("genre_id").isin(genres))
    data = replace(data, durations=_durations(store, mine))
    table = _drawn_set(store, board)
    if table is None:
        return data
    info = store.read(FEATURE_SETS).where(
        (F.col("feature_set") == table.feature_set) & (F.col("set_version") == table.set_version)
    )
    newest = F.max_by("part", "split_version").alias("_part")  # a feature may be called part, or genre_id
    parts = store.read(SPLITS).where(F.col("split") == config.splits.name).groupBy("song_id").agg(newest)
    every = [name for name, kind in table.columns.items() if kind == "numeric"]
    numeric = drawn_features(every, data.importances)
    rows = (
        table.rows(store)
        .select("clip_id", "song_id", *[F.col(f"`{name}`") for name in numeric])
        .join(own_names(mine), "song_id")
        .join(parts, "song_id", "left")
    )
    sampled = sample(rows, config.report.sample_per_genre, config.report.seed)
    version = store.version(table.table)
    return replace(
        data,
        features=info.where((F.col("kind") != "numeric") | F.col("feature").isin(numeric))
        .orderBy("position")
        .select("feature", "unit", "kind")
        .toPandas(),
        n_features=len(every),
        feature_set=table.feature_set,
        sample=sampled.select("_genre_id", "_part", *[F.col(f"`{name}`") for name in numeric]).toPandas(),
        n_feature_rows=rows.count(),
        versions={**data.versions, table.table: version} if version is not None else data.versions,
    )


def drawn_features(names: list[str], importances: pd.DataFrame) -> list[str]:
    """Features that are sampled for pictures, in their order: all, or of more than :data:`MOST_FEATURES` those that the
    models' importances name, and others evenly spaced.

    Correlations of 6,373 columns with each other would take minutes and 300 MB, and no picture shows more than some.
    """
    if len(names) <= MOST_FEATURES:
        return names
    there = set(names)
    known: list[str] = importances.sort_values("value", ascending=False)["other"].tolist() if len(importances) else []
    chosen = dict.fromkeys(name for name in known if name in there)
    kept = set(list(chosen)[: MOST_FEATURES // 2])
    rest = [name for name in names if name not in kept]
    step = len(rest) / (MOST_FEATURES - len(kept))
    kept |= {rest[int(place * step)] for place in range(MOST_FEATURES - len(kept))}
    return [name for name in names if name in kept]


def drawn_genres(data: ReportData, board: Board | None) -> list[str]:
    """Genre ids of the pictures: the largest that the best model tells apart, else the largest of all."""
    close = board.shown_closely if board is not None else []
    return views.shown_genres(data, list(close[0]["classes"]) if close else ())


def own_names(labels: DataFrame) -> DataFrame:
    """Labels (song_id, genre_id) under names that no feature has, to join features with: song_id, _genre_id."""
    return labels.select("song_id", F.col("genre_id").alias("_genre_id"))


def sample(rows: DataFrame, per_genre: int, seed: int) -> DataFrame:
    """At most so many rows of each _genre_id: those with the smallest seeded hash of their clip, in that order."""
    dice = F.xxhash64(F.lit(seed), F.col("clip_id"))
    rank = F.row_number().over(Window.partitionBy("_genre_id").orderBy(dice, "clip_id"))
    return rows.withColumn("_rank", rank).where(F.col("_rank") <= per_genre).orderBy("_genre_id", "_rank").drop("_rank")


def songs_to_hear(data: ReportData, store: Reader, labels: DataFrame, board: Board | None, seed: int) -> DataFrame:
    """One song a genre that has a clip: of those with the fewest genres, the first by a seeded hash."""
    clips = store.live(CLIPS).select("song_id").distinct()
    several = labels.groupBy("song_id").agg(F.count("*").alias("n"))
    mine = labels.where(F.col("genre_id").isin(drawn_genres(data, board))).join(clips, "song_id", "left_semi")
    order = F.struct("n", F.xxhash64(F.lit(seed), F.col("song_id")), "song_id")
    return mine.join(several, "song_id").groupBy("genre_id").agg(F.min_by("song_id", order).alias("song_id"))


def _durations(store: Reader, labels: DataFrame) -> pd.DataFrame:
    clips = store.live(CLIPS).select("song_id", "sha256", "duration_s").distinct()
    figures = (
        clips.join(labels, "song_id")
        .groupBy("genre_id")
        .agg(F.count("*").alias("n"), F.percentile("duration_s", F.array(*map(F.lit, _SHARES))).alias("box"))
    )
    columns = [F.col("box")[index].alias(name) for index, name in enumerate(_BOX)]
    return figures.select("genre_id", "n", *columns).orderBy("genre_id").toPandas()


def _drawn_set(store: Reader, board: Board | None) -> FeatureTable | None:
    """The set with columns of the best model that reads one, else the first such set; None where there is none."""
    layouts = [layout.name for layout in LAYOUTS.values() if layout.by_column]
    known = store.read(FEATURE_SETS).where(F.col("axis").isin(layouts)).select("feature_set").distinct()
    names = sorted(row["feature_set"] for row in known.collect() if row["feature_set"] not in NOT_MUSIC)
    if board is not None:
        for _, model in board.rows.iterrows():
            about = (members_of(model[column]) for column in ("feature_set", "set_version", "preprocessing_id"))
            for member in zip(*about, strict=True):  # of sets that are joined the first
                if not is_baseline(model["engine"]) and member[0] in names:
                    return find_feature_table(store, *member)
    for name in names:
        try:
            return find_feature_table(store, name)
        except GenreAtlasError:  # described, but not extracted in this version
            continue
    return None
