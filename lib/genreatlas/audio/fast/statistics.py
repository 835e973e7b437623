"""How frames become one number, in two passes over them."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.statistics import Statistic, Summarise

_ORDER = {"var": 2, "std": 2, "skew": 3, "kurtosis": 4}
_EPSILON = float(np.finfo(np.float64).eps)


def summarise() -> Summarise:
    """The function that computes statistics."""
    return moments


def moments(values: npt.NDArray[np.floating], statistics: Iterable[Statistic]) -> dict[str, npt.NDArray[np.float64]]:
    """Statistics along the last axis; see :func:`genreatlas.audio.statistics.summarise_plain`."""
    librosa()
    from genreatlas.audio.kernels.waves import central_moments

    statistics = list(statistics)
    rows = np.ascontiguousarray(values.reshape(-1, values.shape[-1]))
    order = max((_ORDER.get(name, 1) for name in statistics), default=1)
    mean, low, high, m2, m3, m4 = central_moments(rows, order).T
    # scipy's test for values that do not differ but for rounding: skewness and kurtosis are not defined
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
        "median": lambda: _median(rows),
    }
    return {name: found[name]().reshape(values.shape[:-1]) for name in statistics}


def _median(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    n = rows.shape[1]
    ordered = np.partition(rows, (n // 2,) if n % 2 else (n // 2 - 1, n // 2), axis=1)
    upper = ordered[:, n // 2].astype(np.float64)
    return upper if n % 2 else 0.5 * (ordered[:, n // 2 - 1] + upper)
