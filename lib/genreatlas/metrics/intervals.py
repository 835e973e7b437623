"""Confidence intervals of metrics on songs in groups: songs of one artist are alike, so they are not independent.

**Proportions** (accuracy, recall of a genre, top-3 accuracy; :class:`Grouped`). The interval is that of Clopper and
Pearson with an *effective* number of songs: n divided by the design effect 1 + (m - 1) r, where m is the mean size of a
song's group and r the correlation within groups (Kish 1965; Korn & Graubard 1998). r is estimated by analysis of
variance and shrunk towards a high value; the shrinkage is stronger if few groups have a wrong prediction, or few a
right one. If all songs are right, the data say nothing about r, and only the prior determines the lower end. The end
near 0 or 1 is Jeffreys', as Clopper and Pearson's is too wide there.

Unlike a bootstrap over groups, this interval has a positive width if all predictions are right: 14 of 14 does not give
1.000 [1.000, 1.000]. ``benchmarks/intervals.py`` simulates its coverage, and that of Korn and Graubard's own interval
and of the bootstrap; docs/intervals.md has the results. It is designed for correlations up to 0.6.

**All other metrics** (macro-F1, precision, differences; :func:`trusted_interval`). Cluster bootstrap: whole groups
(artists, or copies of a recording) are drawn with replacement, with all their songs, and every metric is recomputed on
each draw. Resampling songs would give intervals that are too narrow.

The interval is the percentile interval. Its width comes from differences between groups, so it is too narrow if there
are few: with nearly all predictions right it covered the true macro-F1 in as little as 60 % of simulated test parts
with 10 groups and 77 % with 30 (benchmarks/intervals.py, docs/intervals.md). So an interval is only given from
:data:`LEAST_GROUPS` groups on, if at least :data:`LEAST_INFORMATIVE` of them have a wrong prediction and as many a
right one, and if its width is positive.

Means of F1 over genres are lower in a resample than in the sample, as small genres become even smaller; with three
songs per genre the plain interval did not even contain the sample's value. Their samples are shifted so that the mean
over resamples equals the sample's value (60 groups, 8 genres: coverage of the true macro-F1 92 % instead of 86 %). With
few groups per genre, macro-F1 itself is an underestimate, which no interval corrects.

References: Clopper & Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial";
Brown, Cai & DasGupta 2001, "Interval estimation for a binomial proportion" (Jeffreys' interval); Kish 1965, "Survey
Sampling", ch. 5; Korn & Graubard 1998, "Confidence intervals for proportions with small expected
number of positive counts estimated from survey data"; Ridout, Demétrio & Firth 1999, "Estimating intraclass correlation
for binary data" (the estimator of analysis of variance);
Efron & Tibshirani 1993, "An Introduction to the Bootstrap", ch. 8 and 13; Cameron,
Gelbach & Miller 2008, "Bootstrap-based improvements for inference with clustered errors" (pairs
cluster bootstrap).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

Floats = NDArray[np.float64]

#: Prior of the correlation within groups: ``PRIOR_CORRELATION - PRIOR_SLOPE / number of groups``.
PRIOR_CORRELATION = 0.6
PRIOR_SLOPE = 1.0

#: Weight of the prior, in groups.
PRIOR_GROUPS = 2.0

#: Parameter of Jeffreys' prior, used for the end of an interval near 0 or 1.
JEFFREYS = 0.5

#: Maximum number of weights (groups × samples) in a block: 4 million float64 are 32 MB.
BLOCK_DRAWS = 4_000_000

#: Minimum number of groups for a bootstrap interval.
LEAST_GROUPS = 30

#: Minimum number of groups with a wrong prediction, and of groups with a right one, for a bootstrap interval.
LEAST_INFORMATIVE = 5


@dataclass(frozen=True)
class Grouped:
    """Statistics of proportions over songs in groups; every array is (n_figures,), one entry per proportion.

    Attributes
    ----------
    right, songs : number of correctly predicted songs, and of songs.
    groups : number of groups with songs.
    group_size : mean size of a song's group, sum(size**2) / sum(size).
    correlation : estimate of the correlation within groups, 0 to 1; 0 if it cannot be estimated.
    informative : number of groups with a right prediction or with a wrong one, whichever is smaller.
    """

    right: Floats
    songs: Floats
    groups: Floats
    group_size: Floats
    correlation: Floats
    informative: Floats

    @classmethod
    def of(
        cls, right: Floats, songs: Floats, figure: NDArray[np.integer] | None = None, n_figures: int = 1
    ) -> "Grouped":
        """Compute the statistics from one entry per group and proportion.

        Parameters
        ----------
        right, songs : (n,) sums over the songs of a group; ``right`` may be fractional (probability of ties).
        figure : (n,) index of the entry's proportion; None: all entries are of one proportion.
        n_figures : number of proportions.
        """
        right, songs = np.asarray(right, dtype=np.float64), np.asarray(songs, dtype=np.float64)
        place = np.zeros(len(right), dtype=np.int64) if figure is None else np.asarray(figure, dtype=np.int64)

        def total(values: Floats | NDArray[np.bool_]) -> Floats:
            return np.bincount(place, weights=values.astype(np.float64), minlength=n_figures).astype(np.float64)

        n, hits, groups = total(songs), total(right), total(songs > 0)
        share = np.divide(right, songs, out=np.zeros_like(right), where=songs > 0)
        mean = np.divide(hits, n, out=np.zeros(n_figures), where=n > 0)
        size = np.divide(total(songs**2), n, out=np.ones(n_figures), where=n > 0)
        within = np.divide(total(right * (1.0 - share)), n - groups, out=np.zeros(n_figures), where=n > groups)
        between = np.divide(
            total(songs * (share - mean[place]) ** 2), groups - 1.0, out=np.zeros(n_figures), where=groups > 1
        )
        typical = np.divide(n - size, groups - 1.0, out=np.ones(n_figures), where=groups > 1)
        spread = between + (typical - 1.0) * within
        known = np.divide(between - within, spread, out=np.zeros(n_figures), where=spread > 0)
        informative = np.minimum(total(right > 0), total((right < songs) & (songs > 0)))
        return cls(hits, n, groups, size, np.clip(known, 0.0, 1.0), informative)

    def effective(self) -> Floats:
        """Effective number of songs (n_figures,): independent songs with the same variance; at most ``songs``."""
        seen = np.maximum(self.informative - 1.0, 0.0)
        # Effective number of groups: groups of equal size with the same variance.
        groups = np.maximum(self.songs / self.group_size, 1.0)
        assumed = np.maximum(PRIOR_CORRELATION - PRIOR_SLOPE / groups, 0.0)
        correlation = (PRIOR_GROUPS * assumed + seen * self.correlation) / (PRIOR_GROUPS + seen)
        design = 1.0 + np.maximum(self.group_size - 1.0, 0.0) * correlation
        # Correction for the uncertainty of the estimated correlation.
        return self.songs / design / (1.0 + seen / (PRIOR_GROUPS + seen) / groups)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Ends of the interval, (n_figures,) each; NaN without songs.

        Parameters
        ----------
        level : nominal coverage.
        """
        tail = (1.0 - level) / 2.0
        n = self.effective()
        share = np.divide(self.right, self.songs, out=np.full_like(self.songs, np.nan), where=self.songs > 0)
        hits = share * n
        # The end towards 1/2 is Clopper and Pearson's; the other approaches Jeffreys' as the share approaches 0 or 1.
        lean = JEFFREYS * (2.0 * share - 1.0)
        below, above = 1.0 + np.minimum(lean, 0.0), 1.0 - np.maximum(lean, 0.0)
        low = np.where(hits > 0, beta.ppf(tail, hits + 1.0 - below, n - hits + below), 0.0)
        high = np.where(hits < n, beta.ppf(1.0 - tail, hits + above, n - hits + 1.0 - above), 1.0)
        nothing = self.songs <= 0
        return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def group_weights(n_groups: int, n_samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Number of draws of each group in each bootstrap sample, in blocks of samples.

    Parameters
    ----------
    n_groups : number of groups; each sample draws this number with replacement.
    n_samples : number of bootstrap samples.
    seed : seed; the same seed and number of groups give the same draws for all metrics.

    Yields
    ------
    (n_groups, block) float64; every column sums to ``n_groups``.
    """
    generator = np.random.default_rng(seed)
    block = max(1, min(n_samples, BLOCK_DRAWS // max(n_groups, 1)))
    for start in range(0, n_samples, block):
        width = min(block, n_samples - start)
        drawn = generator.integers(0, n_groups, size=(width, n_groups))
        flat = drawn * width + np.arange(width)[:, None]
        yield np.bincount(flat.ravel(), minlength=n_groups * width).reshape(n_groups, width).astype(np.float64)


def interval(
    samples: NDArray[np.floating], *, around: float | None = None, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval over the first axis.

    Samples with NaN (for example because the genre was not drawn) are left out; the ends are NaN if all are NaN.

    Parameters
    ----------
    samples : (n_samples, ...) values of metrics on the bootstrap samples.
    around : shift the samples so that this is their mean, and clip them to 0..1; for metrics that are biased in
        resamples.
    level : share of samples between the ends.

    Returns
    -------
    low, high : arrays of the remaining shape.
    """
    tail = (1.0 - level) / 2.0
    flat = np.asarray(samples, dtype=np.float64).reshape(len(samples), -1)
    if around is not None:
        flat = np.clip(flat + (around - np.nanmean(flat)), 0.0, 1.0)
    ends = np.full((2, flat.shape[1]), np.nan)
    whole = ~np.isnan(flat).any(axis=0)
    if whole.any():
        ends[:, whole] = np.quantile(flat[:, whole], [tail, 1.0 - tail], axis=0)
    for column in np.flatnonzero(~whole):
        defined = flat[:, column][~np.isnan(flat[:, column])]
        if len(defined):
            ends[:, column] = np.quantile(defined, [tail, 1.0 - tail])
    shape = np.shape(samples)[1:]
    return ends[0].reshape(shape), ends[1].reshape(shape)


def trusted_interval(
    samples: NDArray[np.floating], *, informative: ArrayLike, around: float | None = None, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval as in :func:`interval`; NaN if it is not reliable.

    Parameters
    ----------
    samples, around, level : see :func:`interval`.
    informative : for each metric, the number of groups with a right prediction or with a wrong one, whichever is
        smaller. An interval needs at least :data:`LEAST_INFORMATIVE`, and a positive width.

    Returns
    -------
    low, high : arrays of the remaining shape.
    """
    low, high = interval(samples, around=around, level=level)
    none = (np.asarray(informative) < LEAST_INFORMATIVE) | ~(high > low)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)
