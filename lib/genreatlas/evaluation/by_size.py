"""Accuracy by the number of training songs of a genre: one row of ``metrics`` per size class."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from genreatlas.evaluation.judging import EFFECTIVE_SONGS, figure_rows, no_figures
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics.intervals import Grouped

#: Lower bounds of the size classes: number of training songs of a genre.
SIZES = (0, 20, 50, 100, 200, 500, 1000)

METRIC = "accuracy_by_size"


def by_size(outcomes: Outcomes, trained: Mapping[str, int], min_groups: int = 5) -> pd.DataFrame:
    """Accuracy by the number of training songs of the song's genre.

    Parameters
    ----------
    outcomes : outcomes of the songs of one model.
    trained : genre id = number of training songs.
    min_groups : minimum number of groups for an interval.

    Returns
    -------
    Rows with the columns of :func:`genreatlas.evaluation.judging.compute_metrics`; ``other`` has the size class, such
    as ``50-99 songs``. No rows if all genres are in one size class.
    """
    size = np.array([trained.get(genre, 0) for genre in outcomes.classes])
    kind = np.searchsorted(SIZES, size, side="right") - 1
    found = np.unique(kind[np.unique(outcomes.truth)]) if outcomes.n_groups else np.zeros(0, dtype=np.int64)
    if len(found) < 2:
        return no_figures()
    hits = outcomes.truth == outcomes.predicted
    rows = []
    for one in found:
        mine = kind[outcomes.truth] == one
        names, place = np.unique(outcomes.group[mine], return_inverse=True)
        weight = outcomes.weight[mine]
        right = np.bincount(place, weights=weight * hits[mine], minlength=len(names)).astype(np.float64)
        songs = np.bincount(place, weights=weight, minlength=len(names)).astype(np.float64)
        ends = Grouped.of(right, songs).interval()
        rows.append(
            figure_rows(
                METRIC,
                right.sum() / songs.sum(),
                songs.sum(),
                len(names),
                others=[size_name(int(one))],
                ends=ends,
                min_groups=min_groups,
                method=EFFECTIVE_SONGS,
            )
        )
    return pd.concat(rows, ignore_index=True)


def size_name(number: int) -> str:
    """Name of a size class by its index in :data:`SIZES`."""
    bounds: Sequence[int] = SIZES
    last = number + 1 == len(bounds)
    return f"{bounds[number]} songs and more" if last else f"{bounds[number]}-{bounds[number + 1] - 1} songs"
