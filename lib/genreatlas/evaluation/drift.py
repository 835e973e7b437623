"""Drift of new data from a model's training data.

The population stability index (PSI) compares shares over bins: ``sum((new - old) * ln(new / old))``. Bins are deciles
of the training values, plus one bin of missing values; shares are clipped at 1 in 10,000. Usual interpretation: below
0.1 no shift, 0.1 to 0.25 a shift, above 0.25 a large shift. Without any shift the expected value is about
``(bins - 1) * (1 / n + 1 / m)``. The Kolmogorov-Smirnov distance is the largest difference of the two distribution
functions.

References: Siddiqi 2006, "Credit Risk Scorecards", ch. 9; Yurdakul 2018, "Statistical Properties of Population
Stability Index" (expected value without shift); Massey 1951 for Kolmogorov-Smirnov.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

Floats = NDArray[np.float64]

_BINS = 10
_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Drift:
    """Drift of one feature or genre; NaN for values that do not apply."""

    subject: str
    name: str
    psi: float
    ks: float
    share_trained: float
    share_new: float
    mean_trained: float
    mean_new: float
    n_trained: int
    n_new: int


def psi(trained: Floats, new: Floats) -> float:
    """Population stability index of two arrays of shares or counts over the same bins."""
    old, now = (np.maximum(shares / max(shares.sum(), 1e-12), _LEAST_SHARE) for shares in (trained, new))
    return float(((now - old) * np.log(now / old)).sum())


def ks(trained: Floats, new: Floats) -> float:
    """Kolmogorov-Smirnov distance of two samples without missing values; NaN if one is empty."""
    if not len(trained) or not len(new):
        return float("nan")
    # The p-value is not used; its exact form takes minutes for large samples.
    return float(ks_2samp(trained, new, method="asymp").statistic)


def feature_drift(names: Sequence[str], trained: Floats, new: Floats) -> list[Drift]:
    """Drift of each feature between two matrices (n, n_features), NaN = missing."""
    return [_feature(name, trained[:, k], new[:, k]) for k, name in enumerate(names)]


def _feature(name: str, trained: Floats, new: Floats) -> Drift:
    known, now = trained[~np.isnan(trained)], new[~np.isnan(new)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(known) else np.array([])

    def shares(values: Floats, all_values: Floats) -> Floats:
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        return np.append(counts, len(all_values) - len(values)).astype(float)

    return Drift(
        subject="feature",
        name=name,
        psi=psi(shares(known, trained), shares(now, new)),
        ks=ks(known, now),
        share_trained=_share(len(trained) - len(known), len(trained)),
        share_new=_share(len(new) - len(now), len(new)),
        mean_trained=float(known.mean()) if len(known) else float("nan"),
        mean_new=float(now.mean()) if len(now) else float("nan"),
        n_trained=len(trained),
        n_new=len(new),
    )


def genre_drift(genres: Sequence[str], trained: Floats, new: Floats) -> list[Drift]:
    """Drift of the genres' shares, from counts of songs per genre; the row ``*`` has the PSI over all genres.

    The ``psi`` of a genre is its term of the sum.
    """
    nothing = float("nan")
    old, now = trained / max(trained.sum(), 1.0), new / max(new.sum(), 1.0)
    floor_old, floor_now = np.maximum(old, _LEAST_SHARE), np.maximum(now, _LEAST_SHARE)
    parts = (floor_now - floor_old) * np.log(floor_now / floor_old)
    n_trained, n_new = int(trained.sum()), int(new.sum())
    rows = [
        Drift("genre", genre, float(part), nothing, float(before), float(after), nothing, nothing, n_trained, n_new)
        for genre, part, before, after in zip(genres, parts, old, now, strict=True)
    ]
    whole = Drift("genre", "*", psi(trained, new), nothing, 1.0, 1.0, nothing, nothing, n_trained, n_new)
    return [*rows, whole]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
