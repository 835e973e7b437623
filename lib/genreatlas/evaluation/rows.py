"""The shape in which figures are handed on: rows of ``metrics`` without model, part and unit."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from genreatlas.metrics import version_of

#: Methods of intervals: :mod:`genreatlas.metrics.intervals` and :mod:`genreatlas.metrics.resampling`.
EFFECTIVE_SONGS = "effective songs"
BOOTSTRAP = "bootstrap over groups"

#: Columns of a table of figures.
FIGURE_COLUMNS = (
    "metric", "genre_id", "other", "value", "low", "high", "n_songs", "n_groups", "metric_version", "n_absent",
    "interval_method",
)  # fmt: skip


def figure_rows(
    metric: str,
    value: ArrayLike,
    songs: ArrayLike,
    groups: ArrayLike,
    *,
    genres: Sequence[str] = ("*",),
    others: Sequence[str] = ("*",),
    ends: tuple[ArrayLike, ArrayLike] | None = None,
    min_groups: int = 5,
    n_absent: int | None = None,
    method: str = BOOTSTRAP,
) -> pd.DataFrame:
    """One row per value, with :data:`FIGURE_COLUMNS`; single values are repeated.

    An interval goes where its figure rests on fewer than ``min_groups`` groups or is undefined. ``n_absent`` is given
    for means over genres: how many have no song and are left out. ``method`` says how ``ends`` were found.
    """
    values, behind = np.atleast_1d(np.asarray(value, dtype=np.float64)), np.atleast_1d(np.asarray(groups))
    given = np.isnan(values) | (behind < min_groups)
    low, high = (np.where(given, np.nan, end) for end in (ends or (np.nan, np.nan)))
    columns = (genres, others, values, low, high, np.rint(songs).astype(np.int64), behind.astype(np.int64))
    shape = np.broadcast_shapes(*(np.shape(np.atleast_1d(np.asarray(column, dtype=object))) for column in columns))
    wide = [np.broadcast_to(np.asarray(column), shape) for column in columns]
    rows = pd.DataFrame(dict(zip(FIGURE_COLUMNS[1:8], wide, strict=True)))
    rows.insert(0, "metric", metric)
    rows = rows.assign(metric_version=version_of(metric), n_absent=pd.array([n_absent] * len(rows), "Int64"))
    rows["interval_method"] = pd.Series(method, rows.index, dtype=object).where(rows["low"].notna(), None)
    return rows.astype({"genre_id": object, "other": object})


def no_figures() -> pd.DataFrame:
    """A table of figures without rows."""
    return pd.DataFrame(columns=list(FIGURE_COLUMNS))
