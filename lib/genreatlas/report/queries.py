"""Read the data of the report from the store; counts, samples and limits are computed in Spark."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from genreatlas import splits
from genreatlas.audio.layouts import LAYOUTS
from genreatlas.config import Config
from genreatlas.config.joined import members_of
from genreatlas.datasets.families import families_by_name
from genreatlas.datasets.feature_tables import FeatureTable, find_feature_table
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.labels import roots
from genreatlas.datasets.library import parents_of
from genreatlas.errors import GenreAtlasError
from genreatlas.models.engines import engines, get_engine, is_baseline
from genreatlas.models.engines.baseline import NOT_MUSIC
from genreatlas.models.engines.protocol import Losses
from genreatlas.report import boards, views
from genreatlas.report.boards import Board
from genreatlas.report.data import ReportData
from genreatlas.report.sounds import AUDIO_KEYS
from genreatlas.store import Reader
from genreatlas.tables import (
    ARTISTS,
    CLIPS,
    DRIFT,
    EMBEDDINGS,
    EXPERIMENTS,
    FEATURE_SETS,
    GENRE_PARENTS,
    METRICS,
    MODELS,
    PREDICTIONS,
    PROMOTIONS,
    QUARANTINE,
    RECORDINGS,
    RELIABILITY,
    RUNS,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    SPLITS,
    TRAINING_GENRES,
)

#: Input tables: the page is outdated when one of their versions changes. Without ``runs``: every step adds a row to it,
#: even if there was nothing to do.
INPUTS = (
    SONGS,
    ARTISTS,
    SONG_ARTISTS,
    SONG_GENRES,
    GENRE_PARENTS,
    CLIPS,
    RECORDINGS,
    QUARANTINE,
    SPLITS,
    FEATURE_SETS,
    EXPERIMENTS,
    TRAINING_GENRES,
    MODELS,
    PREDICTIONS,
    METRICS,
    RELIABILITY,
    PROMOTIONS,
    DRIFT,
)
_MOST_GENRES = 1000
_MOST_MODELS = 200
_MOST_EXPERIMENTS = 300
_MOST_PAIRS = 200
_TAKEN_FOR = 3
_MOST_IMPORTANCES = 40
_MOST_REASONS = 100

_MOST_DECISIONS = 20
_MOST_DRIFTED = 12

#: Maximum number of features of a sample.
MOST_FEATURES = 300
_CONFUSED = 12
_PER_GROUP = 2  # maximum confused songs of one group, so that one unusual artist does not fill the list
_PER_GENRE = ("precision", "recall", "f1", "support", "average_precision")
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BOX = ("low", "q1", "median", "q3", "high")


def read_report(store: Reader, config: Config) -> ReportData:
    """Read all data of the report except sounds, which :mod:`genreatlas.report.sounds` decodes."""
    data = ReportData(
        title=config.report.title,
        part=config.evaluate.part,
        metric=config.train.metric,
        level=config.train.level,
        labels=config.train.labels,
        max_genres=config.report.max_genres,
        min_groups=config.evaluate.min_groups,
        importance_features=config.evaluate.importance_features,
        min_bootstrap_groups=config.evaluate.min_bootstrap_groups,
        seed=config.report.seed,
        versions={t.name: v for t in (*INPUTS, RUNS) if (v := store.version(t)) is not None},
        runs=_runs(store),
        networks=store.read(EMBEDDINGS).select("feature_set", "set_version", "taught").toPandas(),
    )
    labels = class_labels(store, config.train.level)
    data = _library(data, store, config)
    data = _models(data, store)
    data = replace(data, featured=_featured(data, store, config))
    data = add_in_use(data, store, config.retrain.alias)
    every_board = boards.boards(data.models, data.scores, data.metric, data.level, data.labels)
    if every_board:
        data = _closely(data, store, config, every_board[0])
    return add_features(data, store, config, labels, every_board[0] if every_board else None)


def class_labels(store: Reader, level: str) -> DataFrame:
    """Distinct (song_id, genre_id) at the level genre or parent; a genre without a parent is its own parent."""
    rows = store.live(SONG_GENRES).select("song_id", "genre_id")
    if level == "parent":
        top = [(genre, parent) for genre, (parent, _) in sorted(roots(parents_of(store)).items())]
        if top:
            tree = store.spark.createDataFrame(top, "genre_id string, root string")
            rows = rows.join(tree, "genre_id", "left").select(
                "song_id", F.coalesce("root", "genre_id").alias("genre_id")
            )
    return rows.distinct()


def current_split(store: Reader, name: str) -> DataFrame:
    """The newest row of each song of a split: song_id, part, group_id, grouped_by, reason."""
    newest = F.max_by(F.struct("part", "group_id", "grouped_by", "reason"), "split_version")
    rows = store.read(SPLITS).where(F.col("split") == name)
    return rows.groupBy("song_id").agg(newest.alias("now")).select("song_id", "now.*")


def _runs(store: Reader) -> pd.DataFrame:
    done = store.read(RUNS).where("status = 'done' AND n_written > 0")
    newest = Window.partitionBy("step").orderBy(F.desc("started_at"), "run_id")
    rows = done.withColumn("_rank", F.row_number().over(newest)).where("_rank = 1").drop("_rank")
    return rows.orderBy("started_at").toPandas()


def _featured(data: ReportData, store: Reader, config: Config) -> float | None:
    """Share of test songs that feature a performer of a training song; None if no scores are artist-safe."""
    if "grouping" not in data.models or not (data.models["grouping"] == "artist-safe").any():
        return None
    split = current_split(store, config.splits.name).where("part IN ('train', 'test')").select("song_id", "part")
    songs = store.live(SONGS).select("song_id", "title", "artist").join(split, "song_id")
    rows = fetch(songs, "song_id", config.store.max_commit_mb, 200).to_pandas()
    return splits.featured_share(rows, rows)


def _library(data: ReportData, store: Reader, config: Config) -> ReportData:
    songs, clips = store.live(SONGS), store.live(CLIPS)
    copies = store.read(RECORDINGS)
    counts_once = F.coalesce("recording_id", "song_id")
    split = current_split(store, config.splits.name).join(songs.select("song_id"), "song_id", "left_semi")
    split = split.join(copies, "song_id", "left").withColumn("recording", counts_once)
    of_song = clips.groupBy("song_id").agg(F.count("*").alias("n_clips"), (F.sum("length_s") / 3600).alias("hours"))
    genres = store.live(SONG_GENRES).groupBy("song_id", "genre_id").agg(F.min("genre").alias("genre"))
    in_part = {p: F.when(F.col("part") == p, F.col("recording")) for p in ("train", "promotion", "test", "excluded")}
    parts = {f"n_{part}": F.count_distinct(recording) for part, recording in in_part.items()}
    per_genre = (
        genres.join(of_song, "song_id", "left")
        .join(split.select("song_id", "part"), "song_id", "left")
        .join(copies, "song_id", "left")
        .withColumn("recording", counts_once)
        .groupBy("genre_id")
        .agg(
            F.min("genre").alias("genre"),
            F.count_distinct("recording").alias("n_songs"),
            F.coalesce(F.sum("n_clips"), F.lit(0)).alias("n_clips"),
            F.sum("hours").alias("hours"),
            *[F.coalesce(count, F.lit(0)).alias(name) for name, count in parts.items()],
        )
    )
    totals = of_song.agg(F.sum("n_clips").alias("clips"), F.sum("hours").alias("hours")).collect()[0]
    primary = store.read(SONG_ARTISTS).where("position = 0").select("artist_id").distinct()
    shown = per_genre.orderBy(F.desc("n_songs"), "genre_id").limit(_MOST_GENRES).toPandas()
    n_genres = len(shown) if len(shown) < _MOST_GENRES else genres.select("genre_id").distinct().count()
    reasons = (
        store.read(QUARANTINE)
        .groupBy("stage", "reason")
        .agg(
            F.count("*").alias("n"),
            F.min_by("path", "key").alias("path"),
            F.min_by("detail", "key").alias("detail"),
        )
    )
    order = F.when(F.col("part") == "train", 0).when(F.col("part") == "promotion", 1).when(F.col("part") == "test", 2)
    counted = split.groupBy("part").agg(
        F.count_distinct("recording").alias("n_songs"), F.countDistinct("group_id").alias("n_groups")
    )
    made_by = split.groupBy("grouped_by").agg(F.countDistinct("group_id").alias("n_groups"))
    return replace(
        data,
        library={
            "songs": songs.join(copies, "song_id", "left").select(counts_once).distinct().count(),
            "clips": int(totals["clips"] or 0),
            "hours": float(totals["hours"] or 0.0),
            "artists": primary.count(),
            "genres": n_genres,
        },
        genres=shown,
        n_genres_left_out=n_genres - len(shown),
        genre_names=_names(store, dict(zip(shown["genre_id"], shown["genre"], strict=True))),
        quarantine=reasons.orderBy(F.desc("n"), "stage", "reason").limit(_MOST_REASONS).toPandas(),
        parts=counted.orderBy(F.coalesce(order, F.lit(3)), "part").toPandas(),
        grouped_by=made_by.orderBy(F.desc("n_groups")).toPandas(),
        excluded=split.where("part = 'excluded'").groupBy("reason").agg(F.count("*").alias("n")).toPandas(),
    )


def _names(store: Reader, names: dict[str, str]) -> dict[str, str]:
    parents = store.read(GENRE_PARENTS).select("parent_id", "parent").distinct().orderBy("parent_id").collect()
    return {**{row["parent_id"]: row["parent"] for row in parents}, **names}


def _models(data: ReportData, store: Reader) -> ReportData:
    metrics = store.read(METRICS).where(F.col("part") == data.part)
    judged = metrics.select("model_id").distinct()
    models = store.read(MODELS).join(judged, "model_id", "left_semi")
    models_shown = models.orderBy(F.desc("fitted_at"), "model_id").limit(_MOST_MODELS).toPandas()
    ids = models_shown["model_id"].tolist()
    mine = metrics.where(F.col("model_id").isin(ids) & (F.col("genre_id") == "*"))
    experiments = store.read(EXPERIMENTS)
    done = F.col("status") == "done"
    names = dict(data.genre_names)
    for _, model in models_shown.iterrows():
        names.update(zip(model["classes"], model["class_names"], strict=True))
    return replace(
        data,
        genre_names=names,
        models=models_shown,
        scores=mine.where("other = '*'").toPandas(),
        comparisons=mine.where("metric = 'p_value_holm'").toPandas(),
        candidate_counts=experiments.groupBy("status").agg(F.count("*").alias("n")).orderBy("status").toPandas(),
        experiments=pd.concat(
            [
                experiments.where(done)
                .orderBy(F.desc_nulls_last("score_mean"), "experiment_id")
                .limit(_MOST_EXPERIMENTS)
                .toPandas(),
                experiments.where(~done).orderBy("status", "experiment_id").limit(views.LONGEST_TABLE).toPandas(),
            ],
            ignore_index=True,
        ),
    )


def _closely(data: ReportData, store: Reader, config: Config, board: boards.Board) -> ReportData:
    close = [model["model_id"] for model in board.shown_closely]
    shown = sorted({genre for m in board.shown_closely for genre in views.shown_genres(data, list(m["classes"]))})
    metrics = store.read(METRICS).where((F.col("part") == data.part) & (F.col("unit") == "song"))
    counts = metrics.where(F.col("model_id").isin(close) & (F.col("metric") == "confusion"))
    rank = F.row_number().over(Window.partitionBy("model_id").orderBy(F.desc("value"), "genre_id", "other"))
    wrong = counts.where("genre_id <> other").withColumn("_rank", rank).where(F.col("_rank") <= _MOST_PAIRS)
    kept = counts.where(F.col("genre_id").isin(shown)).unionByName(wrong.drop("_rank")).distinct()
    totals = counts.groupBy("model_id", "genre_id").agg(F.sum("value").alias("total"))
    per_feature = metrics.where(
        F.col("model_id").isin(board.rows["model_id"].tolist()) & F.col("metric").startswith("importance_")
    )
    rank = F.row_number().over(Window.partitionBy("model_id", "metric").orderBy(F.desc_nulls_last("value"), "other"))
    top = per_feature.withColumn("_rank", rank).where(F.col("_rank") <= _MOST_IMPORTANCES).drop("_rank")
    dataset_id = str(board.shown_closely[0]["dataset_id"])
    losses = store.read(TRAINING_GENRES).where((F.col("dataset_id") == dataset_id) & (F.col("kept") < F.col("songs")))
    return replace(
        data,
        genre_scores=metrics.where(F.col("model_id").isin(close) & F.col("metric").isin(*_PER_GENRE)).toPandas(),
        confusion=kept.join(totals, ["model_id", "genre_id"]).toPandas(),
        importances=top.toPandas(),
        families=_families(store, counts.where(F.col("model_id") == close[0]), data.genre_names),
        taken_for=_taken_for(counts.where(F.col("model_id") == close[0])),
        reliability=store.read(RELIABILITY)
        .where((F.col("part") == data.part) & (F.col("model_id") == close[0]))
        .toPandas(),
        losses=losses.orderBy(F.desc(F.col("songs") - F.col("kept")), "genre_id").limit(views.LONGEST_TABLE).toPandas(),
        losses_of=_losses_of(board, config),
        confused=_confused(data, store, close[0], max(_CONFUSED, config.report.max_audio_songs)),
    )


def _losses_of(board: boards.Board, config: Config) -> dict[str, Losses]:
    """Training losses by model_id, for models on a board whose files are available and contain losses."""
    found = {}
    for _, model in board.rows.head(views.LONGEST_TABLE).iterrows():
        if model["engine"] not in (one.name for one in engines()):
            continue
        engine = get_engine(model["engine"])
        if name := engine.formats.get(model["format"]):
            losses = engine.losses(config.models.path.absolute() / model["model_id"] / name)
            if losses is not None and losses.trained:
                found[str(model["model_id"])] = losses
    return found


def _families(store: Reader, counts: DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Shares of songs with correctly predicted genre and family, by family.

    Families are the genres below one parent, or are derived from names if no genre has a parent. ``counts`` are rows of
    ``metrics`` with the metric confusion, of one model.
    """
    known = {genre: names.get(root, root) for genre, (root, _) in roots(parents_of(store)).items()}
    family, by = (known, "parent") if known else (families_by_name(names), "name")
    if not family:
        return ReportData().families
    of = store.spark.createDataFrame(sorted(family.items()), "genre_id string, family string")
    said = of.withColumnsRenamed({"genre_id": "other", "family": "said"})
    pairs = counts.select("genre_id", "other", "value").join(of, "genre_id").join(said, "other", "left")
    right, alike = F.col("genre_id") == F.col("other"), F.col("family") == F.col("said")
    rows = pairs.groupBy("family").agg(
        F.count_distinct("genre_id").alias("n_genres"),
        F.sum("value").alias("n_songs"),
        (F.sum(F.when(right, F.col("value")).otherwise(0)) / F.sum("value")).alias("recognised"),
        (F.sum(F.when(alike, F.col("value")).otherwise(0)) / F.sum("value")).alias("in_family"),
    )
    return rows.orderBy(F.desc("n_songs"), "family").limit(views.LONGEST_TABLE).toPandas().assign(by=by)


def _taken_for(counts: DataFrame) -> pd.DataFrame:
    """The most frequent wrong predictions of each genre."""
    rank = F.row_number().over(Window.partitionBy("genre_id").orderBy(F.desc("value"), "other"))
    wrong = counts.where("genre_id <> other AND value > 0").withColumn("_rank", rank)
    return wrong.where(F.col("_rank") <= _TAKEN_FOR).select("genre_id", "other", "value").toPandas()


def _confused(data: ReportData, store: Reader, model_id: str, wanted: int) -> pd.DataFrame:
    """Wrong predictions, in descending order of the margin: predicted genre's score minus the best true genre's."""
    truth = F.array_max(F.transform("genres", lambda genre: F.col("scores")[genre]))
    order = (F.desc_nulls_last("margin"), F.asc("song_id"))
    rank = F.row_number().over(Window.partitionBy("group_id").orderBy(*order))
    wrong = (
        store.read(PREDICTIONS)
        .where((F.col("model_id") == model_id) & (F.col("part") == data.part))
        .where(~F.array_contains("genres", F.col("predicted")))
        .withColumn("margin", F.col("confidence") - truth)
        .withColumn("_rank", rank)
        .where(F.col("_rank") <= _PER_GROUP)
        .orderBy(*order)
        .limit(wanted)
        .select("model_id", "song_id", "genres", "predicted", "confidence", "score_kind", "margin")
    )
    rows = with_clip(store, wrong).toPandas().sort_values(["margin", "song_id"], ascending=[False, True])
    return rows.assign(
        genres=[", ".join(map(data.name, sorted(genres))) for genres in rows["genres"]],
        predicted_name=[data.name(genre) for genre in rows["predicted"]],
    ).reset_index(drop=True)


def with_clip(store: Reader, rows: DataFrame) -> DataFrame:
    """Add the song's title and artist, and columns of its first clip (NULL if it has none)."""
    columns = ("clip_id", "uri", "path", "start_s", "length_s", "duration_s", "mime", "bytes", *AUDIO_KEYS)
    clips = store.live(CLIPS).join(rows.select("song_id"), "song_id", "left_semi")
    first = clips.groupBy("song_id").agg(F.min_by(F.struct(*columns), "clip_id").alias("clip"))
    songs = store.read(SONGS).select("song_id", "title", "artist")
    return rows.join(songs, "song_id", "left").join(first, "song_id", "left").select("*", "clip.*").drop("clip")


def add_in_use(data: ReportData, store: Reader, alias: str) -> ReportData:
    """Add the last decisions on an alias, newest first, and the largest drift relative to the model of the alias."""
    mine = store.read(PROMOTIONS).where(F.col("alias") == alias)
    decisions = mine.orderBy(F.desc("sequence")).limit(_MOST_DECISIONS).toPandas()
    if decisions.empty:
        return data
    rows = store.read(DRIFT).where(F.col("model_id") == decisions["model_id"].iloc[0]).toPandas()
    return replace(data, decisions=decisions, drift=_most_drifted(rows))


def _most_drifted(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the sum over genres of each population first, then features and genres in descending order of PSI."""
    ranked = rows.assign(single=rows["name"] != "*")
    ranked = ranked.sort_values(["single", "psi", "population", "name"], ascending=[True, False, True, True])
    most = _MOST_DRIFTED + int((~ranked["single"]).sum())
    return ranked.head(most).drop(columns="single").reset_index(drop=True)


def add_features(data: ReportData, store: Reader, config: Config, labels: DataFrame, board: Board | None) -> ReportData:
    """Add the sample of features and the durations.

    ``labels`` has song_id and genre_id at the level of the models; ``board`` is the first board.
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
    newest = F.max_by("part", "split_version").alias("_part")  # a feature may be named part or genre_id
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
    """Features to sample for pictures, in their order.

    Of more than :data:`MOST_FEATURES` features, half are the most important ones of the models, the rest are evenly
    spaced. Correlations of 6,373 columns would take minutes and 300 MB, and pictures show only a few.
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
    """Genre ids for pictures: the largest classes of the best model, or the largest genres if there is no model."""
    close = board.shown_closely if board is not None else []
    return views.shown_genres(data, list(close[0]["classes"]) if close else ())


def own_names(labels: DataFrame) -> DataFrame:
    """Rename genre_id to _genre_id, which no feature has as its name, to join labels with features."""
    return labels.select("song_id", F.col("genre_id").alias("_genre_id"))


def sample(rows: DataFrame, per_genre: int, seed: int) -> DataFrame:
    """At most ``per_genre`` rows of each _genre_id: those with the smallest seeded hash of clip_id, in that order."""
    dice = F.xxhash64(F.lit(seed), F.col("clip_id"))
    rank = F.row_number().over(Window.partitionBy("_genre_id").orderBy(dice, "clip_id"))
    return rows.withColumn("_rank", rank).where(F.col("_rank") <= per_genre).orderBy("_genre_id", "_rank").drop("_rank")


def songs_to_hear(data: ReportData, store: Reader, labels: DataFrame, board: Board | None, seed: int) -> DataFrame:
    """One song with a clip per genre: among songs with the fewest genres, the one with the smallest seeded hash."""
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
    """Feature set with named columns to draw: that of the best model using one, or else the first; None if absent."""
    layouts = [layout.name for layout in LAYOUTS.values() if layout.by_column]
    known = store.read(FEATURE_SETS).where(F.col("axis").isin(layouts)).select("feature_set").distinct()
    names = sorted(row["feature_set"] for row in known.collect() if row["feature_set"] not in NOT_MUSIC)
    if board is not None:
        for _, model in board.rows.iterrows():
            about = (members_of(model[column]) for column in ("feature_set", "set_version", "preprocessing_id"))
            for member in zip(*about, strict=True):  # of joined sets, the first with named columns
                if not is_baseline(model["engine"]) and member[0] in names:
                    return find_feature_table(store, *member)
    for name in names:
        try:
            return find_feature_table(store, name)
        except GenreAtlasError:  # described, but not extracted in this version
            continue
    return None
