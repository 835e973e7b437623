"""Calibration of a model's confidence and coverage of its sets, overall and per genre: table ``reliability``."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas.metrics.reliability import bins_of_equal_mass, calibration_error, perfect_calibration_error

#: Genre id of rows over all genres.
ALL = "*"

#: Minimum number of songs predicted as a genre for its calibration error.
_LEAST_PREDICTED = 50

#: Number of simulated test sets for the calibration error of a perfect model: for all songs, and for each genre.
_SAMPLES, _SAMPLES_A_GENRE = 100, 20


def reliability_rows(rows: pd.DataFrame, classes: Sequence[str], stated_coverage: float | None) -> pd.DataFrame:
    """Compute calibration and coverage of one model.

    Parameters
    ----------
    rows : :data:`genreatlas.evaluation.song_scores.OUTCOME` rows of one model whose scores are probabilities.
    classes : genre ids of the model.
    stated_coverage : nominal coverage of its prediction sets; None if it has none.

    Returns
    -------
    Columns of ``reliability`` without model and part: one row for all songs, one for each bin of confidence, and one
    for each genre that is predicted for a song or true for a song.
    """
    if rows.empty:
        return pd.DataFrame()
    rows = rows.sort_values("song_id", ignore_index=True)
    index = pd.Index(list(classes))
    truth, predicted = (index.get_indexer(pd.Index(rows[name])) for name in ("truth", "predicted"))
    confidence, right = rows["confidence"].to_numpy(np.float64), truth == predicted
    # NULL if the model had no sets when the song was scored
    covered = rows["in_set"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    size = rows["set_size"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    group = pd.factorize(rows["group_id"])[0]

    def row(genre: str, called: NDArray[np.int64], true: NDArray[np.int64], samples: int) -> dict[str, object]:
        n = len(called)
        enough = n >= _LEAST_PREDICTED
        return {
            "genre_id": genre,
            "bin": 0,
            "n_predicted": n,
            "confidence": _mean(confidence[called]),
            "accuracy": _mean(right[called]),
            "calibration_error": calibration_error(confidence[called], right[called]) if enough else None,
            "perfect_error": perfect_calibration_error(confidence[called], n_samples=samples) if enough else None,
            "n_songs": len(true),
            "n_groups": len(np.unique(group[true])),
            "coverage": _mean(covered[true]),
            "stated_coverage": stated_coverage,
            "set_size": _mean(size[true]),
        }

    every = np.arange(len(rows))
    found = [row(ALL, every, every, _SAMPLES)]
    order = np.argsort(confidence, kind="stable")
    bins = bins_of_equal_mass(confidence, right)
    for number, mine in enumerate(np.split(order, np.cumsum(bins.n)[:-1]), start=1):
        found.append(
            {
                "genre_id": ALL,
                "bin": number,
                "n_predicted": len(mine),
                "confidence": float(bins.confidence[number - 1]),
                "accuracy": float(bins.accuracy[number - 1]),
                "n_songs": len(mine),
                "n_groups": len(np.unique(group[mine])),
                "coverage": _mean(covered[mine]),
                "stated_coverage": stated_coverage,
                "set_size": _mean(size[mine]),
            }
        )
    called_of, true_of = _places(predicted, len(classes)), _places(truth, len(classes))
    for k, genre in enumerate(classes):
        if len(called_of[k]) or len(true_of[k]):
            found.append(row(genre, called_of[k], true_of[k], _SAMPLES_A_GENRE))
    # Fixed types also for columns without values, as the frames of several models are concatenated.
    return pd.DataFrame(found).astype({"stated_coverage": np.float64, "coverage": np.float64, "set_size": np.float64})


def _places(values: NDArray[np.integer], n: int) -> list[NDArray[np.int64]]:
    """Indices of the entries with each value from 0 to n - 1."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.searchsorted(values[order], np.arange(1, n)))


def _mean(values: NDArray[np.generic]) -> float | None:
    """Mean without NaN; None if all are NaN."""
    numbers = np.asarray(values, dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    return float(known.mean()) if len(known) else None
