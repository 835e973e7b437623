"""Calibration error of probabilities and coverage of prediction sets, with their expected values for a perfect model.

Calibration error and coverage gap are means of absolute values, so they are above 0 even for a perfect model,
especially with few songs. So each is reported with its expected value for a perfect model.

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

#: Default number of bins of the calibration error.
N_BINS = 15


class Bins(NamedTuple):
    """Bins with equal numbers of songs, in ascending order of confidence; each array is (n_bins,)."""

    n: NDArray[np.int64]  #: number of songs
    confidence: Floats  #: mean confidence
    accuracy: Floats  #: share of right predictions


def bins_of_equal_mass(confidence: AnyArray, right: AnyArray, n_bins: int = N_BINS) -> Bins:
    """Divide songs into bins by their confidence.

    Bin sizes differ by at most one song; there are at most as many bins as songs. Songs of equal confidence may be in
    two bins; each then counts with their mean accuracy, so that their order has no effect.

    Parameters
    ----------
    confidence : (n,) probability of the predicted genre.
    right : (n,) whether the prediction is right.
    n_bins : maximum number of bins.
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
    """Expected calibration error: mean distance of confidence and accuracy over bins, weighted by number of songs.

    Parameters
    ----------
    confidence : (n_songs,) probability of the predicted genre, 0 to 1.
    right : (n_songs,) whether the prediction is right.
    n_bins : maximum number of bins; all have about the same number of songs.

    Returns
    -------
    0 to 1; NaN without songs.
    """
    bins = bins_of_equal_mass(confidence, right, n_bins)
    return float(np.average(np.abs(bins.confidence - bins.accuracy), weights=bins.n)) if len(bins.n) else float("nan")


def perfect_calibration_error(confidence: AnyArray, n_bins: int = N_BINS, n_samples: int = 200, seed: int = 7) -> float:
    """Expected calibration error of a perfectly calibrated model with these confidences, by simulation.

    Songs are simulated independently; as songs of one artist are alike, the true value is a little higher.

    Parameters
    ----------
    confidence : (n_songs,) probability of the predicted genre, 0 to 1.
    n_bins : see :func:`calibration_error`.
    n_samples : number of simulated test sets.
    seed : seed of the simulation.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    rng = np.random.default_rng(seed)
    drawn = [calibration_error(confidence, rng.random(len(confidence)) < confidence, n_bins) for _ in range(n_samples)]
    return float(np.mean(drawn))


def coverage_gap(covered: AnyArray, n_songs: AnyArray, level: float, least_songs: int = 100) -> float:
    """Mean absolute difference of the genres' coverage from the nominal coverage.

    Parameters
    ----------
    covered, n_songs : (n_genres,) number of songs whose set contains their genre, and number of songs, by true genre.
    level : nominal coverage, 0 to 1.
    least_songs : genres with fewer songs are left out.

    Returns
    -------
    0 to 1; NaN if no genre has ``least_songs`` songs.
    """
    counted = np.asarray(n_songs) >= max(1, least_songs)
    if not counted.any():
        return float("nan")
    return float(np.mean(np.abs(np.asarray(covered)[counted] / np.asarray(n_songs)[counted] - level)))


def binomial_gap(n_songs: AnyArray, level: float, least_songs: int = 100) -> float:
    """Expected value of :func:`coverage_gap` if the coverage of every genre is nominal.

    Mean absolute deviation of a binomial proportion, by De Moivre's closed form (Diaconis & Zabell 1991).

    Parameters
    ----------
    n_songs : (n_genres,) number of songs of each genre.
    level : nominal coverage, 0 to 1.
    least_songs : genres with fewer songs are left out.
    """
    sizes = np.asarray(n_songs, dtype=np.int64)
    sizes = sizes[sizes >= max(1, least_songs)]
    if not len(sizes):
        return float("nan")
    mode = np.floor(sizes * level) + 1
    return float(np.mean(2 * mode * (1 - level) * stats.binom.pmf(mode, sizes, level) / sizes))


def _spread_over_ties(ordered: Floats, right: Floats) -> Floats:
    """Replace the values of songs with equal confidence by their mean, so that their order has no effect."""
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    n = np.diff(np.append(first, len(ordered)))
    return np.repeat(np.add.reduceat(right, first) / n, n)
