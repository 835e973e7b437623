"""A scaler for columns that spread over orders of magnitude, such as variances: logarithms, then standard scores."""

from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from genreatlas.arrays import AnyArray

#: Skewness from which a column of positive numbers is taken for one that spreads so: that of an exponential is 2.
_SKEWED = 1.0


class LogScaler(StandardScaler):
    """Standard scores of logarithms where all training values of a column are positive and it is skewed.

    Other columns get standard scores of their values. Below half of the smallest training value a value counts as that.

    Attributes
    ----------
    least_ : (n_features,) smallest value that a logarithm is taken of; 0 where the column stays as it is.
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "LogScaler":
        """Choose the columns, and find means and deviations."""
        values = np.asarray(X)
        least = values.min(axis=0).astype(np.float64)
        skewed = np.array([_skewness(column) > _SKEWED for column in values.T], dtype=bool)
        self.least_ = np.where((least > 0) & skewed, least / 2, 0.0)
        super().fit(self._logs(np.array(values)), y, sample_weight)
        return self

    def transform(self, X: Any, copy: bool | None = None) -> Any:
        """Logarithms, then standard scores."""
        values = np.array(X) if (self.copy if copy is None else copy) else np.asarray(X)
        return super().transform(self._logs(values), copy=False)

    def _logs(self, values: AnyArray) -> AnyArray:
        for place in np.flatnonzero(self.least_ > 0):
            values[:, place] = np.log(np.maximum(values[:, place], self.least_[place]))
        return values


def _skewness(column: AnyArray) -> float:
    """Third standardised moment; 0 of a constant column."""
    deviation = column.astype(np.float64) - column.mean(dtype=np.float64)
    spread = np.sqrt(np.mean(deviation**2))
    return float(np.mean((deviation / spread) ** 3)) if spread > 0 else 0.0
