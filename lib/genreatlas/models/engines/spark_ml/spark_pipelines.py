"""Spark ML candidates: pipelines fitted on the rows of a data set, and their scores of each class."""

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

#: Number of values per partition of a fit (64 MB of floats). With one partition, fits are reproducible to the bit;
#: with more, the last digits depend on the order in which tasks end.
VALUES_A_PARTITION = 16_000_000

_KEY = ("song_id", "clip_id", "frame")


@dataclass(frozen=True)
class SparkModel:
    """A fitted pipeline: preprocessing stages, then a classifier or a ``OneVsRestModel``.

    Attributes
    ----------
    pipeline : the fitted stages.
    columns : input columns, one for each feature of the matrix.
    n_classes : number of classes of the data set.
    present : indices of the classes in the training rows, in the order of the classifier's labels.
    scores : source of the scores: probability or margin.
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
        """Kind of the scores: margin if the estimator has margins and there is no calibration, else probability."""
        return "probability" if self.sigmoids is not None else self.scores

    def score(self, rows: DataFrame) -> DataFrame:
        """Replace ``features`` array<float> by ``scores`` array<double> with one value per class.

        A class without training rows gets probability 0, or the row's lowest margin minus 1.
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
            two = len(sure) == 2 and not self.multi  # the second margin is the negative of the first
            frame = frame.withColumn("scores", F.array(1.0 - sure[1], sure[1]) if two else F.array(*sure))
        return frame if self.multi or self.score_kind == "margin" else frame.withColumn("scores", _shares("scores"))


def column_names(features: Sequence[str]) -> tuple[str, ...]:
    """Unique column names that Spark ML accepts: letters, digits and underscores.

    All have a prefix, so that a feature called weight, genres or prediction does not clash with another column.
    """
    names: dict[str, str] = {}  # keys in lower case, as Spark's column names are case-insensitive
    for feature in features:
        name = base = f"f_{re.sub(r'[^0-9A-Za-z_]', '_', feature)}"
        number = 2
        while name.lower() in names:
            name, number = f"{base}_{number}", number + 1
        names[name.lower()] = name
    return tuple(names.values())


def scalars(columns: Sequence[str]) -> list[Column]:
    """One column of type double for each entry of ``features``."""
    return [F.col("features")[place].cast("double").alias(name) for place, name in enumerate(columns)]


@contextmanager
def fixed_partitions(spark: SparkSession) -> Iterator[None]:
    """Disable adaptive execution, which may merge partitions by their size; restore the setting afterwards.

    A forest with the same seed differed in 228 of 1,200 predictions between two and five partitions.
    """
    key = "spark.sql.adaptive.enabled"
    before = spark.conf.get(key, None)
    spark.conf.set(key, "false")
    try:
        yield
    finally:
        with suppress(Exception):  # do not hide the original error if the session has died
            spark.conf.unset(key) if before is None else spark.conf.set(key, before)


def in_order(rows: DataFrame, n_values: int) -> DataFrame:
    """Partition rows by song and sort them, so that partitions depend on the data only."""
    partitions = max(1, -(-n_values // VALUES_A_PARTITION))
    return rows.repartition(partitions, "song_id").sortWithinPartitions(*_KEY)


@dataclass(frozen=True)
class Prepared:
    """Fitted imputer, assembler and scaler, shared by all candidates with the same fold and scaler."""

    stages: tuple[Any, ...]
    output: str


def prepare(rows: DataFrame, columns: Sequence[str], empty: Sequence[bool], scaler: str) -> Prepared:
    """Fit the preprocessing stages.

    Parameters
    ----------
    rows : rows with ``features``; read as one sorted partition, so that medians and means are reproducible to the bit.
    columns : from :func:`column_names`.
    empty : for each column, whether no row has a value. The imputer refuses such columns, so they are left out.
    scaler : ``standard`` or ``none``.
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
    """Settings of a fit.

    Attributes
    ----------
    classes : genre ids.
    present : indices of the classes in the rows.
    columns : from :func:`column_names`.
    n_values : number of rows times number of columns.
    multi : whether a song may have several genres.
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
    """Song ids and scores (n_rows, n_classes) of a sample of about ``most`` rows, chosen by a hash of their key."""
    every = max(1, n_values // max(len(model.columns), 1) // most)
    chosen = rows.where(F.pmod(F.xxhash64(*_KEY), F.lit(every)) == 0)
    table = model.score(chosen).select(*_KEY, "scores").toArrow().sort_by([(name, "ascending") for name in _KEY])
    values = np.array(table.column("scores").to_pylist(), dtype=np.float64).reshape(table.num_rows, model.n_classes)
    return table.column("song_id").to_pylist(), values


def calibrated(model: SparkModel, sigmoids: Sigmoids) -> SparkModel:
    """Return the model with calibrated margins."""
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
    """Values of an array divided by their sum; equal values if the sum is 0."""
    total = F.aggregate(name, F.lit(0.0), lambda sum_, value: sum_ + value)
    even = F.transform(name, lambda _: 1.0 / F.size(name))
    return F.when(total > 0, F.transform(name, lambda value: value / total)).otherwise(even)


def sum_scores(rows: DataFrame, keys: Sequence[str], n_classes: int, kind: ScoreKind, multi: bool) -> DataFrame:
    """Sum scores and votes of groups of rows.

    Parameters
    ----------
    rows : columns ``keys`` and scores array<double> with ``n_classes`` values.
    keys : columns to group by, such as song_id and clip_id.
    n_classes : number of classes.
    kind, multi : define the votes: the class with the highest score, ties by class index; multi-label: classes with
        probability at least 1/2, or with margin above 0.

    Returns
    -------
    Frame with the columns ``keys``, n_rows int, score_sum array<double>, votes array<int>.
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
