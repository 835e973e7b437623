"""Distributions of features over all songs and per genre, for charts and percentiles of values."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genreatlas.values import RowView
from genreatlas.web.csv_tables import as_table

#: genre_id of rows over all songs.
EVERYBODY = "*"
BINS = 40
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CHARTS = pa.schema(
    [
        ("feature", pa.string()),
        ("unit", pa.string()),
        ("genre_id", pa.string()),
        ("genre", pa.string()),
        ("n", pa.int32()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("counts", pa.list_(pa.int32())),
        *[(f"q{round(100 * share):02d}", pa.float64()) for share in QUANTILES],
    ]
)


def charts(
    names: Sequence[str],
    values: npt.NDArray[np.float32],
    genres: Mapping[str, npt.NDArray[np.int64]],
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pa.Table:
    """Histogram and quantiles of each feature, over all rows and per genre.

    Bins have equal widths from the 0.5th to the 99.5th percentile of all rows; values beyond are counted in the
    outermost bins.

    Parameters
    ----------
    names : (n_features,) names of the columns.
    values : (n, n_features), NaN where unknown.
    genres : row indices by genre_id.
    units, labels : unit by feature and name by genre_id, stored because a later month may lack the feature or genre.

    Returns
    -------
    Table with the schema :data:`CHARTS`, sorted by feature and genre.
    """
    units, labels = units or {}, labels or {}
    rows = []
    for place in sorted(range(len(names)), key=lambda one: names[one]):
        column = values[:, place].astype(np.float64)
        known = column[np.isfinite(column)]
        if not len(known):
            continue
        low, high = (float(one) for one in np.percentile(known, (0.5, 99.5)))
        high = high if high > low else low + 1.0
        for genre, members in sorted({EVERYBODY: np.arange(len(column)), **genres}.items()):
            mine = column[members]
            mine = mine[np.isfinite(mine)]
            if len(mine):
                bins = np.clip(((mine - low) / (high - low) * BINS).astype(np.int64), 0, BINS - 1)
                counts = np.bincount(bins, minlength=BINS).astype(np.int32)
                rows.append(
                    (names[place], units.get(names[place], ""), genre, labels.get(genre, genre), len(mine), low, high,
                     counts, *np.quantile(mine, QUANTILES))
                )  # fmt: skip
    columns = zip(*rows, strict=True) if rows else ([] for _ in CHARTS)
    arrays = [pa.array(list(column), one.type) for column, one in zip(columns, CHARTS, strict=True)]
    return pa.table(arrays, schema=CHARTS)


def as_csv(rows: Iterable[RowView]) -> str:
    """Format charts as CSV without formulas; the counts of a histogram are in one cell."""
    cells = ([" ".join(map(str, row[one])) if one == "counts" else row[one] for one in CHARTS.names] for row in rows)
    return as_table(cells, CHARTS.names)


def share_below(value: float, low: float, high: float, counts: Sequence[int]) -> float:
    """Share of a distribution below a value, from its histogram, with linear interpolation inside bins."""
    total = sum(counts)
    if not total or not np.isfinite(value):
        return float("nan")
    at = (value - low) / (high - low) * len(counts)
    if at <= 0:
        return 0.0
    whole = min(int(at), len(counts) - 1)
    inside = min(at - whole, 1.0) * counts[whole]
    return float((sum(counts[:whole]) + inside) / total)
