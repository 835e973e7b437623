"""Confusions of a model on held-out songs, aggregated over genres in Spark."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F
from scipy import sparse

from genreatlas.atlas.profiles import Ints, cap_artists
from genreatlas.config import Config
from genreatlas.datasets.fetching import fetch
from genreatlas.errors import ConfigError
from genreatlas.evaluation.leaderboard import current_models
from genreatlas.models.engines import baselines
from genreatlas.store import Reader
from genreatlas.tables import EXPERIMENTS, MODELS, PREDICTIONS

#: Factor for sums of integers, as sums of doubles would depend on the order of rows in Spark.
_UNIT = 1e12
_TOTAL = "aggregate(map_values(scores), 0D, (a, b) -> a + b)"


@dataclass(frozen=True)
class Confusions:
    """Summed probabilities of held-out songs.

    Attributes
    ----------
    model_id, name : id and candidate name of the model.
    sums : for each half of the songs, (n_genres, n_classes + 1): rows are true genres, columns predicted classes; the
        last column is the probability that was not stored.
    songs : for each half, (n_genres,) number of songs of each genre.
    """

    model_id: str
    name: str
    sums: tuple[sparse.csr_matrix, sparse.csr_matrix]
    songs: tuple[Ints, Ints]


def read_confusions(store: Reader, config: Config, genre_ids: tuple[str, ...]) -> Confusions | None:
    """Read the summed probabilities of songs that a model was not trained on; None if no model was evaluated.

    A song with m genres has weight 1/m in each, and no group (artist) has more than ``map.artist_share`` of a genre's
    weight. Probabilities of multi-label models are divided by their sum.

    Parameters
    ----------
    genre_ids : genres of the rows of the result.

    Raises
    ------
    ConfigError : ``map.model`` names a model that cannot be used; the message says why.
    """
    model = _find_model(store, config)
    if model is None:
        return None
    mine = store.read(PREDICTIONS).where((F.col("model_id") == model["model_id"]) & (F.col("part") != "train"))
    genre_of = {genre: number for number, genre in enumerate(genre_ids)}
    classes = {genre: number for number, genre in enumerate(model["classes"])}
    keys = mine.select("song_id", "group_id", F.size("genres").alias("several"), F.explode("genres").alias("genre_id"))
    labels = fetch(keys, "song_id", config.store.max_commit_mb, 200).to_pandas()
    labels = labels[labels.genre_id.isin(genre_of.keys() & classes.keys())]
    labels = _weigh(labels.sort_values(["genre_id", "song_id"], ignore_index=True), config.map.artist_share)
    halves = [labels.genre_id[labels.half == half].map(genre_of).to_numpy(dtype=np.int64) for half in (0, 1)]
    songs = (np.bincount(halves[0], minlength=len(genre_ids)), np.bincount(halves[1], minlength=len(genre_ids)))
    if labels.empty:
        return Confusions(model["model_id"], model["candidate"], (_nothing(genre_ids, classes),) * 2, songs)
    columns = ["song_id", "genre_id", "half", "weight"]
    weights = store.spark.createDataFrame(pa.Table.from_pandas(labels[columns], preserve_index=False))
    said = mine.join(weights, "song_id").withColumn("total", F.expr(_TOTAL))
    if model["labels"] == "multi":
        score, rest = F.col("score") / F.greatest("total", F.lit(1e-12)), F.lit(0.0)
    else:
        score, rest = F.col("score"), F.greatest(1.0 - F.col("total"), F.lit(0.0))
    each = said.select("genre_id", "half", "weight", "total", F.explode("scores").alias("class", "score"))
    parts = (
        each.select("genre_id", "half", "class", (F.col("weight") * score).alias("value")),
        said.select("genre_id", "half", F.lit("").alias("class"), (F.col("weight") * rest).alias("value")),
    )
    whole = parts[0].unionByName(parts[1]).groupBy("genre_id", "half", "class")
    summed = whole.agg(F.sum((F.col("value") * _UNIT).cast("bigint")).alias("value")).where("value > 0")
    found = fetch(summed, "class", config.store.max_commit_mb, 60).to_pandas()
    places = classes | {"": len(classes)}
    found["row"], found["column"] = found.genre_id.map(genre_of), found["class"].map(places)
    found = found.dropna(subset=["row", "column"]).sort_values(["row", "column"])
    sums = tuple(
        sparse.csr_matrix(
            (half.value.to_numpy(dtype=np.float64) / _UNIT, (half.row.astype(int), half["column"].astype(int))),
            shape=(len(genre_ids), len(places)),
        )
        for half in (found[found.half == 0], found[found.half == 1])
    )
    return Confusions(model["model_id"], model["candidate"], (sums[0], sums[1]), songs)


def _nothing(genre_ids: tuple[str, ...], classes: dict[str, int]) -> sparse.csr_matrix:
    return sparse.csr_matrix((len(genre_ids), len(classes) + 1))


def _weigh(labels: pd.DataFrame, artist_share: float) -> pd.DataFrame:
    """Add the weight of each label and its half; songs of a genre alternate between halves in order of their ids."""
    weight = 1.0 / labels.several.to_numpy(dtype=np.float64)
    group = pd.factorize(labels.group_id)[0]
    for rows in labels.groupby("genre_id").indices.values():
        weight[rows] = cap_artists(weight[rows], group[rows], artist_share)
    return labels.assign(weight=weight, half=labels.groupby("genre_id").cumcount() % 2)


def _find_model(store: Reader, config: Config) -> pd.Series | None:
    """Find the configured model, or the best over the folds among evaluated models with probabilities.

    Baselines are excluded, as their confusions reflect the sizes of genres or properties other than music.
    """
    models = store.read(MODELS).toPandas()
    judged = store.read(PREDICTIONS).where("part != 'train'").select("model_id").distinct().toPandas()
    wanted = config.map.model
    if wanted:
        named = models[models.model_id == wanted]
        if named.empty:
            raise ConfigError(f"map.model: the store has no model {wanted!r}. The table models lists them.")
        row = named.iloc[0]
        if row.score_kind != "probability":
            raise ConfigError(f"map.model: {wanted} gives margins, not probabilities. Name another model, or none.")
        if row.level != "genre":
            raise ConfigError(f"map.model: {wanted} classifies {row.level}s, not genres. Name another model, or none.")
        if wanted not in set(judged.model_id):
            raise ConfigError(f"map.model: {wanted} was not evaluated on held-out songs. Run evaluate_models first.")
        return row
    current = current_models(models, split=config.splits.name, level="genre", labels=config.train.labels)
    usable = current[
        (current.score_kind == "probability")
        & current.model_id.isin(judged.model_id)
        & ~current.engine.isin(baselines())
    ]
    if usable.empty:
        return None
    scores = store.read(EXPERIMENTS).select("experiment_id", "score_mean").toPandas()
    ranked = usable.merge(scores, on="experiment_id", how="left")
    return ranked.sort_values(["score_mean", "model_id"], ascending=[False, True], na_position="last").iloc[0]
