"""Spark ML candidates: pipelines fitted on the rows of a data set, and what they say of each class."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel, classification
from pyspark.ml.feature import Imputer, StandardScaler, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from genreatlas.models.engines.calibration import Sigmoids
from genreatlas.models.engines.spark_ml.spark_facts import ESTIMATORS, Estimator
from genreatlas.models.types import ScoreKind, Trial

#: Rows go to a fit in partitions of this many values (64 MB of floats). One partition makes every sum of a fit run
#: in one order, so that two fits are equal to the bit; with more, the last digits follow the order in which tasks end.
VALUES_A_PARTITION = 16_000_000

_KEY = ("song_id", "clip_id", "frame")


@dataclass(frozen=True)
class SparkModel:
    """A fitted pipeline: preparing stages, then a classifier or a ``OneVsRestModel``.

    Attributes
    ----------
    pipeline : what ``PipelineModel.load`` gives back.
    columns : its input columns, one for each feature of the matrix.
    n_classes : classes of the data set.
    present : indices of the classes that the fit saw, in the order of the classifier's labels.
    scores : what its scores are made of, from the estimator.
    multi : whether a song may have several genres.
    sigmoids : calibration of margins, or None.
    """

    pipeline: PipelineModel
    columns: tuple[str, ...]
    n_classes: int
    present: tuple[int, ...]
    scores: ScoreKind
    multi: bool
    sigmoids: Sigmoids | None = None

    @property
    def score_kind(self) -> ScoreKind:
        """Probability, or margin where there was no calibration."""
        return "probability" if self.sigmoids is not None else self.scores

    def score(self, rows: DataFrame) -> DataFrame:
        """Add ``scores`` array<double>, one for each class, to rows with ``features`` array<float>.

        A class that the fit never saw gets probability 0, or the row's lowest margin less one.
        """
        *preparing, last = _stages(self.pipeline)
        kept = [name for name in rows.columns if name != "features"]
        frame = rows.select(*rows.columns, *scalars(self.columns))
        for stage in preparing:
            frame = stage.transform(frame)
        if isinstance(last, classification.OneVsRestModel):
            names = [*kept, last.getFeaturesCol()]
            for number, one in enumerate(last.models):
                value = _array(self.scores == "probability")[1].alias(f"_{number}")
                frame = one.transform(frame.select(*names)).select(*names, value)
                names.append(f"_{number}")
            frame = frame.select(*kept, F.array(*names[len(kept) + 1 :]).alias("_raw"))
        else:
            frame = last.transform(frame).select(*kept, _array(True).alias("_raw"))
        missing = F.lit(0.0) if self.scores == "probability" else F.array_min("_raw") - 1.0
        place = {index: number for number, index in enumerate(self.present)}
        full = [F.col("_raw")[place[index]] if index in place else missing for index in range(self.n_classes)]
        frame = frame.select(*kept, F.array(*full).alias("scores"))
        if self.sigmoids is not None:
            curves = enumerate(zip(self.sigmoids.slope, self.sigmoids.offset, strict=True))
            sure = [1.0 / (1.0 + F.exp(F.col("scores")[k] * float(a) + float(b))) for k, (a, b) in curves]
            two = len(sure) == 2 and not self.multi  # the two margins are one, with two signs
            frame = frame.withColumn("scores", F.array(1.0 - sure[1], sure[1]) if two else F.array(*sure))
        return frame if self.multi or self.score_kind == "margin" else frame.withColumn("scores", _shares("scores"))


def column_names(features: Sequence[str]) -> tuple[str, ...]:
    """Names that Spark ML takes for the features: letters, digits and underscores, each once.

    All begin alike, so that a feature called weight, genres or prediction does not meet the column of that name.
    """
    names: dict[str, str] = {}  # as Spark compares them: by the name in small letters
    for feature in features:
        name = base = f"f_{re.sub(r'[^0-9A-Za-z_]', '_', feature)}"
        number = 2
        while name.lower() in names:
            name, number = f"{base}_{number}", number + 1
        names[name.lower()] = name
    return tuple(names.values())


def scalars(columns: Sequence[str]) -> list[Column]:
    """One double column for each entry of ``features``."""
    return [F.col("features")[place].cast("double").alias(name) for place, name in enumerate(columns)]


@contextmanager
def fixed_partitions(spark: SparkSession) -> Iterator[None]:
    """Switch adaptive execution off, which may merge partitions by their size; then back to what it was.

    A forest with one seed differed in 228 of 1,200 predictions between two and five partitions.
    """
    key = "spark.sql.adaptive.enabled"
    before = spark.conf.get(key, None)
    spark.conf.set(key, "false")
    try:
        yield
    finally:
        with suppress(Exception):  # the session may be gone, and its own error is the one to see
            spark.conf.unset(key) if before is None else spark.conf.set(key, before)


def in_order(rows: DataFrame, n_values: int) -> DataFrame:
    """Rows in partitions that depend on the data alone: by song, sorted, as many as the size asks for."""
    partitions = max(1, -(-n_values // VALUES_A_PARTITION))
    return rows.repartition(partitions, "song_id").sortWithinPartitions(*_KEY)


@dataclass(frozen=True)
class Prepared:
    """Imputer, assembler and scaler, fitted once for all candidates that share fold and scaler."""

    stages: tuple[Any, ...]
    output: str


def prepare(rows: DataFrame, columns: Sequence[str], empty: Sequence[bool], scaler: str) -> Prepared:
    """Fit the preparing stages.

    Parameters
    ----------
    rows : with features; they are read as one sorted partition, so that medians and means are equal to the bit.
    empty : for each column, whether no row has a value: the imputer refuses such columns, so they are left out.
    """
    used = [name for name, none in zip(columns, empty, strict=True) if not none]
    filled = [f"{name}_filled" for name in used]
    frame = rows.repartition(1).sortWithinPartitions(*_KEY).select(*scalars(columns))
    imputer = Imputer(strategy="median", inputCols=used, outputCols=filled).fit(frame)
    assembler = VectorAssembler(inputCols=filled, outputCol="assembled")
    stages: list[Any] = [imputer, assembler]
    if scaler == "standard":
        standard = StandardScaler(withMean=True, withStd=True, inputCol="assembled", outputCol="scaled")
        stages.append(standard.fit(assembler.transform(imputer.transform(frame))))
    return Prepared(tuple(stages), "scaled" if scaler == "standard" else "assembled")


@dataclass(frozen=True)
class Fit:
    """What a fit needs beside its rows.

    Attributes
    ----------
    classes : genre ids.
    present : indices of the classes among the rows.
    columns : from :func:`column_names`.
    n_values : rows times columns.
    weights : whether rows are weighted.
    """

    classes: tuple[str, ...]
    present: tuple[int, ...]
    columns: tuple[str, ...]
    n_values: int
    multi: bool
    weights: bool


def fit(rows: DataFrame, trial: Trial, prepared: Prepared, task: Fit) -> SparkModel:
    """Fit a candidate on rows of a matrix (columns ``song_id, clip_id, frame, genres, weight, features``)."""
    estimator = ESTIMATORS[trial.estimator]
    frame = in_order(rows, task.n_values).select("genres", "weight", *scalars(task.columns))
    for stage in prepared.stages:
        frame = stage.transform(frame)
    genres = [task.classes[index] for index in task.present]
    frame = frame.select("genres", "weight", prepared.output)
    width = len(prepared.stages[0].getInputCols())
    last: Any
    if estimator.one_vs_rest or task.multi:
        classifier = _classifier(estimator, trial, task, prepared.output, width, 2)
        models = [
            classifier.fit(frame.withColumn("label", F.array_contains("genres", genre).cast("double")))
            for genre in genres
        ]
        last = classification.OneVsRestModel(models)
        last.set(last.classifier, classifier)
        last.setFeaturesCol(prepared.output)
    else:
        label = (F.array_position(F.array(*map(F.lit, genres)), F.col("genres")[0]) - 1).cast("double")
        classifier = _classifier(estimator, trial, task, prepared.output, width, len(genres))
        last = classifier.fit(frame.withColumn("label", label))
    pipeline = PipelineModel([*prepared.stages, last])
    return SparkModel(pipeline, task.columns, len(task.classes), task.present, estimator.scores, task.multi)


def margins(model: SparkModel, rows: DataFrame, n_values: int, most: int = 100_000) -> tuple[list[str], np.ndarray]:
    """Scores of at most about ``most`` rows, chosen by a hash of their key: song ids and (n_rows, n_classes)."""
    every = max(1, n_values // max(len(model.columns), 1) // most)
    chosen = rows.where(F.pmod(F.xxhash64(*_KEY), F.lit(every)) == 0)
    table = model.score(chosen).select(*_KEY, "scores").toArrow().sort_by([(name, "ascending") for name in _KEY])
    values = np.array(table.column("scores").to_pylist(), dtype=np.float64).reshape(table.num_rows, model.n_classes)
    return table.column("song_id").to_pylist(), values


def calibrated(model: SparkModel, sigmoids: Sigmoids) -> SparkModel:
    """The model with its margins turned into probabilities."""
    return replace(model, sigmoids=sigmoids)


def _classifier(estimator: Estimator, trial: Trial, task: Fit, features: str, width: int, n_labels: int) -> Any:
    settings = dict(estimator.settings) | {name: value for name, value in trial.params.items() if name != "scaler"}
    if estimator.spark_class == "MultilayerPerceptronClassifier":
        settings["layers"] = [width, *settings.pop("hidden", [32]), n_labels]
    if estimator.seeded:
        settings["seed"] = trial.seed
    if estimator.weights and task.weights:
        settings["weightCol"] = "weight"
    return getattr(classification, estimator.spark_class)(featuresCol=features, labelCol="label", **settings)


def _stages(pipeline: PipelineModel) -> list[Any]:
    return list(pipeline.stages)


def _array(probability: bool) -> Column:
    return vector_to_array(F.col("probability" if probability else "rawPrediction"))


def _shares(name: str) -> Column:
    """Values of an array divided by their sum; even where the sum is 0."""
    total = F.aggregate(name, F.lit(0.0), lambda sum_, value: sum_ + value)
    even = F.transform(name, lambda _: 1.0 / F.size(name))
    return F.when(total > 0, F.transform(name, lambda value: value / total)).otherwise(even)


def sum_scores(rows: DataFrame, keys: Sequence[str], n_classes: int, kind: ScoreKind, multi: bool) -> DataFrame:
    """Group rows and add up their scores and votes.

    Parameters
    ----------
    rows : keys, and scores array<double> with ``n_classes`` values.
    keys : such as song_id and clip_id.
    kind, multi : decide what a vote is: the highest score, the first of equal ones; with several genres
        every probability of 1/2 or more, or every margin above 0.

    Returns
    -------
    keys, n_rows int, score_sum array<double>, votes array<int>.
    """
    best = F.array_position("scores", F.array_max("scores"))
    rows = rows.withColumn("_best", best)
    scores = [F.col("scores")[place] for place in range(n_classes)]
    sums = [F.sum(score).alias(f"_sum{place}") for place, score in enumerate(scores)]
    votes = [
        F.sum(_votes(score, place, kind, multi).cast("int")).cast("int").alias(f"_votes{place}")
        for place, score in enumerate(scores)
    ]
    added = rows.groupBy(*keys).agg(F.count(F.lit(1)).cast("int").alias("n_rows"), *sums, *votes)
    return added.select(
        *keys,
        "n_rows",
        F.array(*[f"_sum{place}" for place in range(n_classes)]).alias("score_sum"),
        F.array(*[f"_votes{place}" for place in range(n_classes)]).alias("votes"),
    )


def _votes(score: Column, place: int, kind: ScoreKind, multi: bool) -> Column:
    if not multi:
        return F.col("_best") == place + 1
    return score > 0 if kind == "margin" else score >= 0.5
