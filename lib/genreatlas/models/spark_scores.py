"""Add up the class scores of rows per clip or song, in Spark."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from genreatlas.models.types import ScoreKind


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
