"""Intervals of proportions whose songs come in groups: accuracy, recall of a genre, top-3 accuracy.

Songs of one artist are alike, so n songs know less than n independent ones. The interval is Clopper and Pearson's on an
*effective* number of songs: n over the design effect 1 + (m - 1) r, where m is the mean size of a song's group and r
the correlation within groups (Kish 1965; Korn & Graubard 1998). r is estimated by analysis of variance and drawn
towards a high one, the more so the fewer groups can tell: those with a wrong answer, or with a right one. Where all
songs are right, nothing was seen of r, and what is assumed alone says how far down the lower end lies. The end that
lies near 0 or 1 is Jeffreys' rather than Clopper and Pearson's, which is wider than it need be.

So the interval has a width where every answer is right, which a bootstrap over groups has not: 14 of 14 are not
1.000 [1.000, 1.000]. ``benchmarks/intervals.py`` simulates how often it holds the truth, beside Korn and Graubard's
own interval and the bootstrap; docs/intervals.md has the figures. It is made for correlations up to 0.6.

References: Clopper & Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial";
Brown, Cai & DasGupta 2001, "Interval estimation for a binomial proportion" (Jeffreys' interval); Kish 1965, "Survey
Sampling", ch. 5; Korn & Graubard 1998, "Confidence intervals for proportions with small expected
number of positive counts estimated from survey data"; Ridout, Demétrio & Firth 1999, "Estimating intraclass correlation
for binary data" (the estimator of analysis of variance).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Floats = NDArray[np.float64]

#: Correlation within groups that is assumed before any is seen, less :data:`PRIOR_SLOPE` over the number of groups.
PRIOR_CORRELATION = 0.6
PRIOR_SLOPE = 1.0
#: How many groups' evidence that assumption is worth.
PRIOR_GROUPS = 2.0
#: 1/2: the parameter of Jeffreys' prior, which the end of an interval near 0 or 1 comes to.
JEFFREYS = 0.5


@dataclass(frozen=True)
class Grouped:
    """What the interval needs to know of proportions over songs in groups; every array is (n_figures,).

    Attributes
    ----------
    right, songs : sums over groups.
    groups : number of groups that have songs.
    group_size : mean size of a song's group, sum(size**2) / sum(size).
    correlation : estimate of the correlation within groups, 0..1; 0 where nothing can be said.
    telling : groups with a right answer or groups with a wrong answer, whichever are fewer.
    """

    right: Floats
    songs: Floats
    groups: Floats
    group_size: Floats
    correlation: Floats
    telling: Floats

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
        telling = np.minimum(total(right > 0), total((right < songs) & (songs > 0)))
        return cls(hits, n, groups, size, np.clip(known, 0.0, 1.0), telling)

    def effective(self) -> Floats:
        """How many independent songs know as much, at most as many as there are."""
        seen = np.maximum(self.telling - 1.0, 0.0)
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
