"""How the frames of a clip become one number."""

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from genreatlas.audio.graph import LIBROSA

Statistic = Literal["mean", "var", "std", "skew", "kurtosis", "median", "min", "max", "value"]
#: Of (..., n_frames) the wanted statistics along the last axis, by name.
Summarise = Callable[[npt.NDArray[np.floating], Iterable[Statistic]], dict[str, npt.NDArray[np.float64]]]

#: Statistic = what a column's comment says of it.
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


@LIBROSA.feature
def summarise() -> Summarise:
    """The function that computes statistics: a node like any other, so that an engine can have its own."""
    return summarise_plain


def summarise_plain(
    values: npt.NDArray[np.floating], statistics: Iterable[Statistic]
) -> dict[str, npt.NDArray[np.float64]]:
    """Statistics along the last axis by numpy and scipy.

    Parameters
    ----------
    values : (..., n_frames)
    statistics : which; variance and its kin divide by n, kurtosis is 0 for a normal distribution.

    Returns
    -------
    By name (...,) float64. Skewness and kurtosis of values that are all equal are NaN, as scipy has it.
    """
    # float64 throughout: a float32 sum over 660,000 samples depends on how it is blocked
    return {name: _STATISTICS[name](values) for name in statistics}


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
