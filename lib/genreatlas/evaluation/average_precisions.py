"""Average precision of each genre, and of all pairs of song and genre, from the stored scores.

Only the highest scores of a song are stored (:data:`genreatlas.models.engines.song_blocks.TOP`). For a genre that is
not among them, a song is ranked below all songs with a stored score; all such songs form one threshold at the end. So a
genre that is never among the highest of any song gets the average precision of a random ranking, the share of its
songs. The error is small, as precision is low at the end of a ranking.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from genreatlas.datasets.fetching import fetch, fetch_parts
from genreatlas.evaluation.judging import figure_rows, no_figures
from genreatlas.evaluation.song_outcomes import MORE_TOPS
from genreatlas.metrics.figures import threshold_precision
from genreatlas.models.engines.song_blocks import TOP

Floats = NDArray[np.float64]

#: Minimum number of genres for average precisions; with few genres F1 and accuracy suffice.
LEAST_GENRES = min(MORE_TOPS.values())


def average_precision_rows(
    predictions: DataFrame, outcomes: pd.DataFrame, classes: Sequence[str], max_mb: int
) -> pd.DataFrame:
    """Average precision of each genre, its mean over genres (macro) and that of all pairs (micro); no intervals.

    Parameters
    ----------
    predictions : rows of the table ``predictions`` of one single-label model.
    outcomes : outcomes of the evaluated songs (:data:`genreatlas.evaluation.song_scores.OUTCOME`).
    classes : genre ids of the model.
    max_mb : maximum size of a fetched part, in 2**20 bytes.

    Returns
    -------
    Rows with the columns of :func:`genreatlas.evaluation.judging.compute_metrics`; no rows for fewer than
    :data:`LEAST_GENRES` genres.
    """
    if len(classes) < LEAST_GENRES or outcomes.empty:
        return no_figures()
    judged = predictions.sparkSession.createDataFrame(outcomes[["song_id"]], "song_id string")
    rows = predictions.join(judged, "song_id", "left_semi")
    support = outcomes.groupby("truth").agg(songs=("song_id", "size"), groups=("group_id", "nunique")).sort_index()
    found = fetch(_precisions(rows), "genre", max_mb, 60).to_pandas().set_index("genre").reindex(support.index)
    sums, told = (found[name].fillna(0.0).to_numpy(np.float64) for name in ("precisions", "told"))
    songs = support["songs"].to_numpy(np.float64)
    # Songs without their genre among the highest are at the last threshold, which contains all songs.
    each = (sums + (songs - told) * songs / len(outcomes)) / songs
    totals = (len(outcomes), outcomes["group_id"].nunique())
    absent = len(classes) - len(support)
    return pd.concat(
        [
            figure_rows("average_precision", each, songs, support["groups"], genres=list(support.index)),
            figure_rows("macro_average_precision", each.mean(), *totals, n_absent=absent),
            figure_rows("micro_average_precision", _micro(rows, len(outcomes), len(classes), max_mb), *totals),
        ],
        ignore_index=True,
    )


def _precisions(rows: DataFrame) -> DataFrame:
    """By genre: sum of the precisions at its songs with a stored score for it, and the number of these songs."""
    pairs = rows.select(F.element_at("genres", 1).alias("truth"), F.explode(_highest()).alias("genre", "score"))
    # The default frame of an ordered window includes all rows with the same value as the current row.
    ordered = Window.partitionBy("genre").orderBy(F.desc("score"))
    hit = (F.col("genre") == F.col("truth")).cast("int")
    ranked = pairs.select(
        "genre", hit.alias("hit"), F.count("*").over(ordered).alias("ahead"), F.sum(hit).over(ordered).alias("found")
    )
    hits = ranked.where("hit = 1").select("genre", "ahead", "found")
    # Integers are counted first, as a sum of doubles depends on the order of rows.
    counted = hits.groupBy("genre", "ahead", "found").agg(F.count("*").alias("n"))
    listed = counted.groupBy("genre").agg(F.array_sort(F.collect_list(F.struct("ahead", "found", "n"))).alias("all"))
    total = "aggregate(all, 0D, (sum, one) -> sum + one.n * one.found / one.ahead)"
    return listed.select(
        "genre",
        F.expr(total).alias("precisions"),
        F.expr("aggregate(all, 0L, (sum, one) -> sum + one.n)").alias("told"),
    )


def _micro(rows: DataFrame, n_songs: int, n_classes: int, max_mb: int) -> float:
    """Average precision of all pairs of song and genre."""
    truth = F.element_at("genres", 1)
    own = fetch(rows.select("song_id", _highest()[truth].alias("score")), "song_id", max_mb, 60)
    scores = own.column("score").drop_null().to_numpy()
    thresholds, found = np.unique(scores, return_counts=True)
    ahead = np.zeros(len(thresholds) + 1, dtype=np.int64)
    values = rows.select("song_id", F.map_values(_highest()).alias("scores"))
    for part in fetch_parts(values, "song_id", max_mb, 60 + 8 * min(n_classes, TOP)):
        flat = part.column("scores").combine_chunks().flatten().to_numpy()
        ahead += np.bincount(np.searchsorted(thresholds, flat, side="right"), minlength=len(ahead))
    # ahead[i] counts pairs with thresholds[i - 1] <= score < thresholds[i].
    return threshold_precision(found[::-1], np.cumsum(ahead[:0:-1]), n_songs, n_songs * n_classes)


def _highest() -> Column:
    """Stored scores without the score of a true genre that was stored although it is not among the highest."""
    cut = (F.size("scores") > TOP) & F.col("higher").isNotNull()
    others = F.map_filter("scores", lambda genre, _: genre != F.element_at("genres", 1))
    return F.when(cut, others).otherwise(F.col("scores"))
