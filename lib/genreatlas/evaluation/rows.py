"""The shape in which figures are handed on: rows of ``metrics`` without model, part and unit."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

#: Columns of a table of figures.
FIGURE_COLUMNS = ("metric", "genre_id", "other", "value", "low", "high", "n_songs", "n_groups")


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
) -> pd.DataFrame:
    """One row per value, with :data:`FIGURE_COLUMNS`; single values are repeated.

    An interval goes where its figure rests on fewer than ``min_groups`` groups or is undefined.
    """
    values, behind = np.atleast_1d(np.asarray(value, dtype=np.float64)), np.atleast_1d(np.asarray(groups))
    given = np.isnan(values) | (behind < min_groups)
    low, high = (np.where(given, np.nan, end) for end in (ends or (np.nan, np.nan)))
    columns = (genres, others, values, low, high, np.rint(songs).astype(np.int64), behind.astype(np.int64))
    shape = np.broadcast_shapes(*(np.shape(np.atleast_1d(np.asarray(column, dtype=object))) for column in columns))
    wide = [np.broadcast_to(np.asarray(column), shape) for column in columns]
    rows = pd.DataFrame(dict(zip(FIGURE_COLUMNS[1:], wide, strict=True)))
    rows.insert(0, "metric", metric)
    return rows.astype({"genre_id": object, "other": object})


def no_figures() -> pd.DataFrame:
    """A table of figures without rows."""
    return pd.DataFrame(columns=list(FIGURE_COLUMNS))
