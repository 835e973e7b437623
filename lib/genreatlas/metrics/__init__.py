"""Definitions of all metrics and their confidence intervals. Pure numpy and scipy."""

from genreatlas.metrics.figures import (
    OVER_GENRES,
    SELECTING,
    TOTALS_METRICS,
    Ranking,
    Score,
    average_precision,
    is_current,
    metric_for,
    score,
    score_predicted,
    version_of,
)
from genreatlas.metrics.intervals import group_weights, interval

__all__ = [
    "OVER_GENRES",
    "SELECTING",
    "TOTALS_METRICS",
    "Ranking",
    "Score",
    "average_precision",
    "group_weights",
    "interval",
    "is_current",
    "metric_for",
    "score",
    "score_predicted",
    "version_of",
]
