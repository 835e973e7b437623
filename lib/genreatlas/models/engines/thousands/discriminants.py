"""Linear discriminant analysis and nearest profiles from sums over the songs, in one pass.

Sums are computed over blocks of rows that do not depend on the partitions of tables, and are added in order, so equal
tables give equal models to the bit. If the matrix is too large to be sent to workers, Spark computes the sums
(:mod:`.partial_sums`).

References: Friedman 1989 (shrinkage of the covariance); Tibshirani et al. 2002, sec. 2 (nearest centroids).
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from genreatlas.models.engines.thousands.array_models import Array, Columns, Table
from genreatlas.models.engines.thousands.layered import LayeredModel
from genreatlas.values import Params


@dataclass(frozen=True)
class Sums:
    """Sufficient statistics of one normal distribution per class with a common covariance.

    Attributes
    ----------
    weight : (n_classes,) sum of weights.
    first : (n_classes, n_features) weighted sum of values.
    second : (n_features, n_features) weighted sum of products of values, over all classes.
    """

    weight: Array
    first: Array
    second: Array

    @classmethod
    def of(cls, table: Table) -> "Sums":
        """Compute the sums over a table, block by block."""
        width = table.X.shape[1]
        weights = table.weights
        total = cls(np.zeros(table.n_classes), np.zeros((table.n_classes, width)), np.zeros((width, width)))
        for block, X, y in table.blocks(exact=True):
            weight = weights[block]
            # Sparse (n_classes, n) with one entry per row: sums by class without a dense array.
            by_class = sparse.csr_array((weight, (y, np.arange(len(y)))), shape=(table.n_classes, len(y)))
            total.weight[:] += np.bincount(y, weights=weight, minlength=table.n_classes)
            total.first[:] += by_class @ X
            total.second[:] += (X * weight[:, None]).T @ X
        return total

    def means(self) -> Array:
        """Class means (n_classes, n_features); the overall mean for a class without rows."""
        everywhere = self.first.sum(axis=0) / self.weight.sum()
        seen = self.weight > 0
        return np.where(seen[:, None], self.first / np.where(seen, self.weight, 1.0)[:, None], everywhere)

    def within(self) -> Array:
        """Pooled within-class covariance, (n_features, n_features)."""
        means = self.means()
        return (self.second - means.T @ (means * self.weight[:, None])) / self.weight.sum()


def fit(table: Table, estimator: str, params: Params) -> tuple[LayeredModel, list[str]]:
    """Fit ``lda`` or ``nearest_profile``.

    Parameters
    ----------
    table : training rows.
    estimator : ``lda`` or ``nearest_profile``.
    params : ``shrinkage`` (lda only): share of the covariance that is replaced by a multiple of the identity with the
        same trace; 1 is the nearest profile. ``even``: whether all genres have the same prior.
    """
    return fit_sums(Sums.of(table), table.columns, estimator, params)


def fit_sums(sums: Sums, columns: Columns, estimator: str, params: Params) -> tuple[LayeredModel, list[str]]:
    """Fit from sums of the scaled columns; see :func:`fit`."""
    shrinkage = 1.0 if estimator == "nearest_profile" else float(params.get("shrinkage", 0.0))
    weight, bias, notes = discriminant(sums, shrinkage, bool(params.get("even", estimator == "nearest_profile")))
    return LayeredModel(columns, ((weight, bias),)), notes


def discriminant(sums: Sums, shrinkage: float, even: bool) -> tuple[Array, Array, list[str]]:
    """Weights (n_features, n_classes) and biases (n_classes,) of the log probabilities, and notes."""
    covariance, means = sums.within(), sums.means()
    width = len(covariance)
    sphere = np.trace(covariance) / max(width, 1)
    covariance = (1.0 - shrinkage) * covariance
    covariance.flat[:: width + 1] += shrinkage * sphere
    values, vectors = linalg.eigh(covariance)
    # Directions without variance, as from duplicate columns, are left out.
    told = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-300)
    whiten = vectors[:, told] / np.sqrt(values[told])
    centre = sums.first.sum(axis=0) / sums.weight.sum()
    profile = (means - centre) @ whiten
    weight = whiten @ profile.T
    seen = sums.weight > 0
    prior = np.where(seen, 1.0 if even else sums.weight, 0.0)
    with np.errstate(divide="ignore"):
        log_prior = np.where(seen, np.log(prior / prior.sum()), -700.0)  # never predicted; exp(-700) is a number
    bias = -0.5 * np.sum(profile**2, axis=1) - centre @ weight + log_prior
    left_out = int(width - told.sum())
    notes = [f"{left_out} of {width} directions have no variance inside genres and are left out"] if left_out else []
    return weight, bias, notes
