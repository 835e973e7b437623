"""How well genres are told by how many songs they were trained on: one row of ``metrics`` a class of sizes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from genreatlas.evaluation.judging import EFFECTIVE_SONGS, figure_rows, no_figures
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics.intervals import Grouped

#: Fewest training songs of a genre of each class of sizes.
SIZES = (0, 20, 50, 100, 200, 500, 1000)

METRIC = "accuracy_by_size"


def by_size(outcomes: Outcomes, trained: Mapping[str, int], min_groups: int = 5) -> pd.DataFrame:
    """Share of songs that were recognised, by how many songs their genre has in training.

    Parameters
    ----------
    outcomes : songs of one model.
    trained : genre id = songs in training.
    min_groups : no interval is given for a share that rests on fewer groups.

    Returns
    -------
    Rows as :func:`genreatlas.evaluation.judging.compute_metrics` gives them, with the class of sizes under ``other``,
    such as ``50-99 songs``. None where all genres are of one class.
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
    """Name of one of :data:`SIZES`."""
    bounds: Sequence[int] = SIZES
    last = number + 1 == len(bounds)
    return f"{bounds[number]} songs and more" if last else f"{bounds[number]}-{bounds[number + 1] - 1} songs"
