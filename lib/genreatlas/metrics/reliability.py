"""Whether probabilities mean what they say: calibration error, coverage of sets, and what chance alone would show.

A calibration error and a gap of coverage are means of absolute values, so they are above 0 for a perfect model, too,
and the more so the fewer songs there are. The figure that a perfect model would show therefore stands beside each.

References: Naeini, Cooper & Hauskrecht 2015 (expected calibration error); Nguyen & O'Connor 2015 (bins of equal mass);
Roelofs et al. 2022, "Mitigating bias in calibration error estimation"; Ding et al. 2023, "Class-conditional conformal
prediction with many classes" (gap of coverage by class).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from genreatlas.arrays import AnyArray

Floats = NDArray[np.float64]

#: Bins of a calibration error.
N_BINS = 15


class Bins(NamedTuple):
    """Songs in the order of their confidence, cut into bins of equally many: each array is (n_bins,)."""

    n: NDArray[np.int64]
    confidence: Floats  #: mean
    accuracy: Floats  #: share that was right


def bins_of_equal_mass(confidence: AnyArray, right: AnyArray, n_bins: int = N_BINS) -> Bins:
    """Cut songs into bins by their confidence.

    Sizes differ by one song at most, and there are fewer bins where there are fewer songs. Songs of equal confidence
    may lie in two bins, in an order that does not depend on whether they were right.

    Parameters
    ----------
    confidence : (n,) probability of the predicted genre.
    right : (n,) whether it was the true one.
    """
    confidence, right = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not len(confidence):
        return Bins(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    order = np.argsort(confidence, kind="stable")
    confidence, right = confidence[order], _spread_over_ties(confidence[order], right[order])
    edges = np.linspace(0, len(order), min(n_bins, len(order)) + 1).round().astype(np.int64)
    n = np.diff(edges)
    return Bins(n, np.add.reduceat(confidence, edges[:-1]) / n, np.add.reduceat(right, edges[:-1]) / n)


def calibration_error(confidence: AnyArray, right: AnyArray, n_bins: int = N_BINS) -> float:
    """Mean distance of confidence and accuracy over bins of equal mass, weighted by their songs.

    Parameters
    ----------
    confidence : (n_songs,) probability of the predicted genre, 0 to 1.
    right : (n_songs,) whether it was the true one.
    n_bins : at most; each holds equally many songs.

    Returns
    -------
    0 to 1; NaN without songs.
    """
    bins = bins_of_equal_mass(confidence, right, n_bins)
    return float(np.average(np.abs(bins.confidence - bins.accuracy), weights=bins.n)) if len(bins.n) else float("nan")


def perfect_calibration_error(confidence: AnyArray, n_bins: int = N_BINS, n_samples: int = 200, seed: int = 7) -> float:
    """Mean calibration error of a perfectly calibrated model with these confidences: what chance alone gives.

    Songs are drawn independently of each other; songs of one artist are alike, so the true value is a little higher.

    Parameters
    ----------
    confidence : (n_songs,) 0 to 1.
    n_bins : see :func:`calibration_error`.
    n_samples : simulated test sets.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    rng = np.random.default_rng(seed)
    drawn = [calibration_error(confidence, rng.random(len(confidence)) < confidence, n_bins) for _ in range(n_samples)]
    return float(np.mean(drawn))


def coverage_gap(covered: AnyArray, n_songs: AnyArray, level: float, least_songs: int = 100) -> float:
    """Mean distance of the genres' coverage from the stated one; NaN where no genre has ``least_songs``.

    Parameters
    ----------
    covered, n_songs : (n_genres,) songs whose set held the genre, and songs of it.
    level : stated coverage, 0 to 1.
    least_songs : genres with fewer are left out.
    """
    counted = np.asarray(n_songs) >= max(1, least_songs)
    if not counted.any():
        return float("nan")
    return float(np.mean(np.abs(np.asarray(covered)[counted] / np.asarray(n_songs)[counted] - level)))


def binomial_gap(n_songs: AnyArray, level: float, least_songs: int = 100) -> float:
    """Expected value of :func:`coverage_gap` if each genre is covered as stated: what chance alone gives.

    The mean absolute deviation of a binomial share, by De Moivre's closed form (Diaconis & Zabell 1991).

    Parameters
    ----------
    n_songs : (n_genres,) songs of each genre.
    level : stated coverage, 0 to 1.
    least_songs : genres with fewer are left out.
    """
    sizes = np.asarray(n_songs, dtype=np.int64)
    sizes = sizes[sizes >= max(1, least_songs)]
    if not len(sizes):
        return float("nan")
    mode = np.floor(sizes * level) + 1
    return float(np.mean(2 * mode * (1 - level) * stats.binom.pmf(mode, sizes, level) / sizes))


def _spread_over_ties(ordered: Floats, right: Floats) -> Floats:
    """Every song of a confidence gets the mean of all with it, so that their order tells nothing."""
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    n = np.diff(np.append(first, len(ordered)))
    return np.repeat(np.add.reduceat(right, first) / n, n)
