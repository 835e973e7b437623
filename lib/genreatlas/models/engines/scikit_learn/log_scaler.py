"""A scaler for columns that span orders of magnitude, such as variances: logarithms, then standardisation."""

from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from genreatlas.arrays import AnyArray

#: Minimum skewness of a positive column for the logarithm; an exponential distribution has 2.
_SKEWED = 1.0


class LogScaler(StandardScaler):
    """Standardise columns; first take logarithms of columns that are positive and skewed in the training rows.

    Before the logarithm, values are clipped from below at half of the smallest training value.

    Attributes
    ----------
    least_ : (n_features,) lower bound for the logarithm; 0 for columns without logarithm.
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "LogScaler":
        """Choose the columns for the logarithm, and fit means and standard deviations."""
        values = np.asarray(X)
        least = values.min(axis=0).astype(np.float64)
        skewed = np.array([_skewness(column) > _SKEWED for column in values.T], dtype=bool)
        self.least_ = np.where((least > 0) & skewed, least / 2, 0.0)
        super().fit(self._logs(np.array(values)), y, sample_weight)
        return self

    def transform(self, X: Any, copy: bool | None = None) -> Any:
        """Take logarithms of the chosen columns, then standardise."""
        values = np.array(X) if (self.copy if copy is None else copy) else np.asarray(X)
        return super().transform(self._logs(values), copy=False)

    def _logs(self, values: AnyArray) -> AnyArray:
        for place in np.flatnonzero(self.least_ > 0):
            values[:, place] = np.log(np.maximum(values[:, place], self.least_[place]))
        return values


def _skewness(column: AnyArray) -> float:
    """Third standardised moment; 0 for a constant column."""
    deviation = column.astype(np.float64) - column.mean(dtype=np.float64)
    spread = np.sqrt(np.mean(deviation**2))
    return float(np.mean((deviation / spread) ** 3)) if spread > 0 else 0.0
