"""One definition of every score, with its interval: numpy in, numbers out."""

from genreatlas.metrics.figures import (
    OVER_GENRES,
    SELECTING,
    TOTALS_METRICS,
    Score,
    is_current,
    metric_for,
    score,
    version_of,
)
from genreatlas.metrics.ranking import Ranking, average_precision
from genreatlas.metrics.resampling import group_weights, interval

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
    "version_of",
]
