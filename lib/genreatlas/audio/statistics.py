"""Statistics over the frames of a clip, by numpy and scipy, or by a compiled function in two passes."""

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from genreatlas.audio.graph import REFERENCE_GRAPH, fast
from genreatlas.audio.librosa_loading import librosa

Statistic = Literal["mean", "var", "std", "skew", "kurtosis", "median", "min", "max", "value"]

#: Function (values (..., n_frames), names of statistics) -> statistics along the last axis, by name.
Summarise = Callable[[npt.NDArray[np.floating], Iterable[Statistic]], dict[str, npt.NDArray[np.float64]]]

#: Description of each statistic in the comments of columns.
WORDS: dict[Statistic, str] = {
    "mean": "mean over frames",
    "var": "variance over frames",
    "std": "standard deviation over frames",
    "skew": "skewness over frames",
    "kurtosis": "excess kurtosis over frames",
    "median": "median over frames",
    "min": "lowest frame",
    "max": "highest frame",
}

_ORDER = {"var": 2, "std": 2, "skew": 3, "kurtosis": 4}
_EPSILON = float(np.finfo(np.float64).eps)


@REFERENCE_GRAPH.feature
def summarise() -> Summarise:
    """The function that computes statistics. It is a node of the graph, so that an engine can replace it."""
    return summarise_plain


@fast
def fast_summarise() -> Summarise:
    """The compiled function that computes statistics."""
    return moments


def summarise_plain(
    values: npt.NDArray[np.floating], statistics: Iterable[Statistic]
) -> dict[str, npt.NDArray[np.float64]]:
    """Statistics along the last axis by numpy and scipy.

    Parameters
    ----------
    values : (..., n_frames)
    statistics : names. Central moments are divided by n; kurtosis is excess kurtosis, 0 for a normal distribution.

    Returns
    -------
    Arrays (...,) float64 by name. Skewness and kurtosis of equal values are NaN, as in scipy.
    """
    # float64 throughout: a float32 sum over 660,000 samples depends on the blocking of the sum
    return {name: _STATISTICS[name](values) for name in statistics}


def moments(values: npt.NDArray[np.floating], statistics: Iterable[Statistic]) -> dict[str, npt.NDArray[np.float64]]:
    """Statistics along the last axis; see :func:`genreatlas.audio.statistics.summarise_plain`."""
    librosa()
    from genreatlas.audio.kernels.waves import central_moments

    statistics = list(statistics)
    rows = np.ascontiguousarray(values.reshape(-1, values.shape[-1]))
    order = max((_ORDER.get(name, 1) for name in statistics), default=1)
    mean, low, high, m2, m3, m4 = central_moments(rows, order).T
    # scipy's test for values that are equal up to rounding: skewness and kurtosis are undefined
    equal = (low == high) | (m2 <= (_EPSILON * mean) ** 2)
    m2_or_nan = np.where(equal, np.nan, m2)
    found = {
        "mean": lambda: mean,
        "min": lambda: low,
        "max": lambda: high,
        "var": lambda: m2,
        "std": lambda: np.sqrt(m2),
        "skew": lambda: m3 / m2_or_nan**1.5,
        "kurtosis": lambda: m4 / m2_or_nan**2 - 3.0,
        "median": lambda: _median_of_rows(rows),
    }
    return {name: found[name]().reshape(values.shape[:-1]) for name in statistics}


def _mean(values: npt.NDArray) -> npt.NDArray:
    return np.asarray(np.mean(values, axis=-1, dtype=np.float64))


def _var(values: npt.NDArray) -> npt.NDArray:
    return np.asarray(np.var(values, axis=-1, dtype=np.float64))


def _std(values: npt.NDArray) -> npt.NDArray:
    return np.asarray(np.std(values, axis=-1, dtype=np.float64))


def _skew(values: npt.NDArray) -> npt.NDArray:
    import scipy.stats

    return np.asarray(scipy.stats.skew(np.asarray(values, np.float64), axis=-1))


def _kurtosis(values: npt.NDArray) -> npt.NDArray:
    import scipy.stats

    return np.asarray(scipy.stats.kurtosis(np.asarray(values, np.float64), axis=-1))


def _median(values: npt.NDArray) -> npt.NDArray:
    return np.asarray(np.median(values, axis=-1))


def _min(values: npt.NDArray) -> npt.NDArray:
    return np.asarray(np.min(values, axis=-1))


def _max(values: npt.NDArray) -> npt.NDArray:
    return np.asarray(np.max(values, axis=-1))


_STATISTICS: dict[str, Callable[[npt.NDArray], npt.NDArray]] = {
    "mean": _mean,
    "var": _var,
    "std": _std,
    "skew": _skew,
    "kurtosis": _kurtosis,
    "median": _median,
    "min": _min,
    "max": _max,
}


def _median_of_rows(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    n = rows.shape[1]
    ordered = np.partition(rows, (n // 2,) if n % 2 else (n // 2 - 1, n // 2), axis=1)
    upper = ordered[:, n // 2].astype(np.float64)
    return upper if n % 2 else 0.5 * (ordered[:, n // 2 - 1] + upper)
