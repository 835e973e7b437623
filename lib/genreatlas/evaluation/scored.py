"""Rows of ``scores`` and ``score_windows`` from what a model says of windows or clips."""

import json
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from genreatlas.evaluation.songs import scores_by_song


def joined(windows: DataFrame, predicted: DataFrame) -> DataFrame:
    """Windows with their scores: ``n_rows``, ``score_sum`` and ``votes`` are NULL where one could not be used.

    Parameters
    ----------
    windows : with item_id and window, one row a window (:data:`genreatlas.audio.whole_files.RESULT`).
    predicted : one row a usable window, whose clip_id is :func:`window_id`.
    """
    scores = predicted.select("clip_id", "n_rows", "score_sum", "votes")
    return windows.drop("features").withColumn("clip_id", window_id()).join(scores, "clip_id", "left")


def window_id() -> Column:
    """A window's id among those of all files; windows sort by it."""
    return F.format_string("%s#%06d", "item_id", "window")


def file_rows(windows: DataFrame, model_id: str, classes: Sequence[str], score_kind: str) -> DataFrame:
    """One row a file: the mean over its windows; columns of ``scores`` but for time and run.

    Parameters
    ----------
    windows : from :func:`joined`.
    """
    facts = windows.groupBy("item_id").agg(
        F.first("path").alias("path"),
        F.first("bytes").alias("bytes"),
        F.first("modified_ns").alias("modified_ns"),
        F.first("duration_s").alias("duration_s"),
        F.count(F.col("n_rows")).cast("int").alias("n_windows"),
        F.count_if(F.col("n_rows").isNull()).cast("int").alias("n_failed_windows"),
    )
    usable = windows.where("n_rows IS NOT NULL").withColumnRenamed("item_id", "song_id")
    means = scores_by_song(usable).withColumnRenamed("song_id", "item_id")
    rows = facts.join(means, "item_id").withColumn("names", _names(classes))
    return rows.select(
        F.lit(model_id).alias("model_id"),
        "item_id",
        F.lit(None).cast("string").alias("song_id"),
        "path",
        *_answer("means", "best"),
        F.lit(score_kind).alias("score_kind"),
        "n_windows",
        "n_failed_windows",
        "duration_s",
        "bytes",
        "modified_ns",
    )


def window_rows(windows: DataFrame, model_id: str, classes: Sequence[str]) -> DataFrame:
    """Rows of ``score_windows``.

    Parameters
    ----------
    windows : from :func:`joined`.
    """
    means = F.expr("transform(score_sum, s -> s / n_rows)")
    rows = windows.withColumn("means", means).withColumn("best", F.expr("array_position(means, array_max(means))"))
    return rows.withColumn("names", _names(classes)).select(
        F.lit(model_id).alias("model_id"),
        "item_id",
        "window",
        "start_s",
        "length_s",
        *_answer("means", "best"),
        "reason",
    )


def clip_rows(predicted: DataFrame, model_id: str, classes: Sequence[str], score_kind: str) -> DataFrame:
    """One row a clip of the store; columns of ``scores`` but for time and run."""
    scored = scores_by_song(predicted, "song_id", "clip_id_").withColumn("names", _names(classes))
    nothing = {"path": "string", "duration_s": "double", "bytes": "bigint", "modified_ns": "bigint"}
    return scored.select(
        F.lit(model_id).alias("model_id"),
        F.concat(F.lit("clip:"), "clip_id_").alias("item_id"),
        "song_id",
        *_answer("means", "best"),
        F.lit(score_kind).alias("score_kind"),
        F.lit(1).alias("n_windows"),
        F.lit(0).alias("n_failed_windows"),
        *[F.lit(None).cast(kind).alias(name) for name, kind in nothing.items()],
    )


def _names(classes: Sequence[str]) -> Column:
    return F.from_json(F.lit(json.dumps(list(classes))), "array<string>")


def _answer(means: str, best: str) -> list[Column]:
    return [
        F.expr(f"element_at(names, cast({best} AS int))").alias("predicted"),
        F.expr(f"element_at({means}, cast({best} AS int))").alias("confidence"),
        F.when(F.col(means).isNotNull(), F.map_from_arrays("names", means)).alias("scores"),
    ]
