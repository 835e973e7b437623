"""Linear discriminant analysis and nearest profiles from sums over the songs: one pass, and nothing per song is kept.

The sums are made of blocks of rows that are cut alike whatever the partitions of the tables were, and are added in
their order, so equal tables give equal models to the last digit. Of a matrix that is too large to be sent to workers
Spark makes the sums, where the rows are: :mod:`.partial_sums`.

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
    """Sufficient statistics of a normal distribution for each class with one covariance.

    Attributes
    ----------
    weight : (n_classes,) sum of weights.
    first : (n_classes, n_features) weighted sum of the values.
    second : (n_features, n_features) weighted sum of the products of values, over all classes.
    """

    weight: Array
    first: Array
    second: Array

    @classmethod
    def of(cls, table: Table) -> "Sums":
        """Sums of a table's rows, block after block."""
        width = table.X.shape[1]
        weights = table.weights
        total = cls(np.zeros(table.n_classes), np.zeros((table.n_classes, width)), np.zeros((width, width)))
        for block, X, y in table.blocks(exact=True):
            weight = weights[block]
            # (n_classes, n) with one entry a row: sums by class without an array of rows × classes.
            by_class = sparse.csr_array((weight, (y, np.arange(len(y)))), shape=(table.n_classes, len(y)))
            total.weight[:] += np.bincount(y, weights=weight, minlength=table.n_classes)
            total.first[:] += by_class @ X
            total.second[:] += (X * weight[:, None]).T @ X
        return total

    def means(self) -> Array:
        """(n_classes, n_features); of a class without rows the mean of all."""
        everywhere = self.first.sum(axis=0) / self.weight.sum()
        seen = self.weight > 0
        return np.where(seen[:, None], self.first / np.where(seen, self.weight, 1.0)[:, None], everywhere)

    def within(self) -> Array:
        """(n_features, n_features) covariance inside the classes, pooled."""
        means = self.means()
        return (self.second - means.T @ (means * self.weight[:, None])) / self.weight.sum()


def fit(table: Table, estimator: str, params: Params) -> tuple[LayeredModel, list[str]]:
    """Fit ``lda`` or ``nearest_profile``.

    Parameters
    ----------
    params : of lda ``shrinkage``, the share of the covariance that is replaced by a sphere of the same volume of
        variance; ``even``: whether every genre is as likely as every other beforehand. Shrinkage 1 is the nearest
        profile.
    """
    return fit_sums(Sums.of(table), table.columns, estimator, params)


def fit_sums(sums: Sums, columns: Columns, estimator: str, params: Params) -> tuple[LayeredModel, list[str]]:
    """Fit from sums of the scaled columns; see :func:`fit`."""
    shrinkage = 1.0 if estimator == "nearest_profile" else float(params.get("shrinkage", 0.0))
    weight, bias, notes = discriminant(sums, shrinkage, bool(params.get("even", estimator == "nearest_profile")))
    return LayeredModel(columns, ((weight, bias),)), notes


def discriminant(sums: Sums, shrinkage: float, even: bool) -> tuple[Array, Array, list[str]]:
    """Weights (n_features, n_classes) and biases (n_classes,) of the log probabilities, and what is to be noted."""
    covariance, means = sums.within(), sums.means()
    width = len(covariance)
    sphere = np.trace(covariance) / max(width, 1)
    covariance = (1.0 - shrinkage) * covariance
    covariance.flat[:: width + 1] += shrinkage * sphere
    values, vectors = linalg.eigh(covariance)
    # Directions without variance, such as a column that repeats another, say nothing: they are left out.
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
