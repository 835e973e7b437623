"""Intervals of figures whose songs come in groups: songs of one artist are alike, so they are not independent draws.

**Proportions** (accuracy, recall of a genre, top-3 accuracy; :class:`Grouped`). n songs know less than n independent
ones. The interval is Clopper and Pearson's on an *effective* number of songs: n over the design effect 1 + (m - 1) r,
where m is the mean size of a song's group and r the correlation within groups (Kish 1965; Korn & Graubard 1998). r is
estimated by analysis of variance and drawn towards a high one, the more so the fewer groups can tell: those with a
wrong answer, or with a right one. Where all songs are right, nothing was seen of r, and what is assumed alone says how
far down the lower end lies. The end that lies near 0 or 1 is Jeffreys' rather than Clopper and Pearson's, which is
wider than it need be.

So the interval has a width where every answer is right, which a bootstrap over groups has not: 14 of 14 are not
1.000 [1.000, 1.000]. ``benchmarks/intervals.py`` simulates how often it holds the truth, beside Korn and Graubard's
own interval and the bootstrap; docs/intervals.md has the figures. It is made for correlations up to 0.6.

**All other figures** (macro-F1, precision, differences; :func:`trusted_interval`). Whole groups (artists, or copies of
a recording) are drawn with replacement (cluster bootstrap), with all their songs, and every figure is computed again on
each draw; resampling songs would give intervals that are too narrow.

The interval is the percentile interval. It shows what groups differ in, so it collapses where they do not: with
nearly all answers right it held the true macro-F1 in as little as 60 % of simulated test parts with 10 groups and 77 %
with 30 (benchmarks/intervals.py, docs/intervals.md). So it is given from :data:`LEAST_GROUPS` groups on, of which
:data:`LEAST_INFORMATIVE` have a wrong answer and as many a right one, and never without a width.

Means of F1 over genres are lower in a resample than in the sample, since small genres become
smaller still; with three songs a genre the plain interval did not even hold the figure itself.
Theirs is moved so that the resamples' mean lies on the figure (60 groups, 8 genres: 92 % instead of
86 % held the true macro-F1). With few groups a genre, macro-F1 stays an underestimate for any interval.

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

#: Correlation within groups that is assumed before any is seen, less :data:`PRIOR_SLOPE` over the number of groups.
PRIOR_CORRELATION = 0.6
PRIOR_SLOPE = 1.0

#: How many groups' evidence that assumption is worth.
PRIOR_GROUPS = 2.0

#: 1/2: the parameter of Jeffreys' prior, which the end of an interval near 0 or 1 comes to.
JEFFREYS = 0.5

#: Draws held in memory at once, over all samples of a block: 4 million float64 are 32 MB.
BLOCK_DRAWS = 4_000_000

#: Groups below which resamples of groups say too little.
LEAST_GROUPS = 30

#: Groups with a wrong answer, and groups with a right one, below which resamples repeat each other.
LEAST_INFORMATIVE = 5


@dataclass(frozen=True)
class Grouped:
    """What the interval needs to know of proportions over songs in groups; every array is (n_figures,).

    Attributes
    ----------
    right, songs : sums over groups.
    groups : number of groups that have songs.
    group_size : mean size of a song's group, sum(size**2) / sum(size).
    correlation : estimate of the correlation within groups, 0..1; 0 where nothing can be said.
    informative : groups with a right answer or groups with a wrong answer, whichever are fewer.
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
        """Count from one entry per group and figure.

        Parameters
        ----------
        right, songs : (n,) sums of one group; ``right`` may be fractional (a tie's chance).
        figure : (n,) which figure the entry belongs to; None: all to one.
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
        """How many independent songs know as much, at most as many as there are."""
        seen = np.maximum(self.informative - 1.0, 0.0)
        # Groups of one size that would vary as much.
        groups = np.maximum(self.songs / self.group_size, 1.0)
        assumed = np.maximum(PRIOR_CORRELATION - PRIOR_SLOPE / groups, 0.0)
        correlation = (PRIOR_GROUPS * assumed + seen * self.correlation) / (PRIOR_GROUPS + seen)
        design = 1.0 + np.maximum(self.group_size - 1.0, 0.0) * correlation
        # What was seen of the correlation was itself seen on few groups.
        return self.songs / design / (1.0 + seen / (PRIOR_GROUPS + seen) / groups)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Ends of the interval, (n_figures,) each; NaN where there are no songs.

        Parameters
        ----------
        level : share of samples whose interval is to hold the truth.
        """
        tail = (1.0 - level) / 2.0
        n = self.effective()
        share = np.divide(self.right, self.songs, out=np.full_like(self.songs, np.nan), where=self.songs > 0)
        hits = share * n
        # Towards 1/2 Clopper and Pearson's end; the other one nears Jeffreys' as the share nears 0 or 1.
        lean = JEFFREYS * (2.0 * share - 1.0)
        below, above = 1.0 + np.minimum(lean, 0.0), 1.0 - np.maximum(lean, 0.0)
        low = np.where(hits > 0, beta.ppf(tail, hits + 1.0 - below, n - hits + below), 0.0)
        high = np.where(hits < n, beta.ppf(1.0 - tail, hits + above, n - hits + 1.0 - above), 1.0)
        nothing = self.songs <= 0
        return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def group_weights(n_groups: int, n_samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each group is drawn in each bootstrap sample, in blocks of samples.

    Parameters
    ----------
    n_groups : groups, of which as many are drawn with replacement per sample.
    n_samples : bootstrap samples.
    seed : the same seed and number of groups give the same draws, whatever is judged with them.

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

    Samples in which a figure is undefined (the genre was not drawn) are left out of its interval;
    where none is defined the ends are NaN.

    Parameters
    ----------
    samples : (n_samples, ...) a figure on every bootstrap sample.
    around : move the samples so that their mean lies here, and keep the ends in 0..1; for figures
        that resampling biases.
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
    """Percentile interval as in :func:`interval`, NaN where it would claim more than resamples of groups know.

    Parameters
    ----------
    informative : groups with a right or groups with a wrong answer, whichever are fewer, for every figure; an interval
        needs :data:`LEAST_INFORMATIVE`, and a width.
    """
    low, high = interval(samples, around=around, level=level)
    none = (np.asarray(informative) < LEAST_INFORMATIVE) | ~(high > low)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)
