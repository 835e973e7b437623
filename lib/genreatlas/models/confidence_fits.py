"""Fit temperatures and prediction sets on scores of songs that a model was not trained on.

Scores come from models that were fitted without the song's fold, so each song is scored by a model that was not
trained on its artist (cross-conformal prediction, Vovk 2015). Blocks of songs are read twice and never concatenated: a
few numbers are kept of each song, whatever the number of genres.

Artists, not songs, are exchangeable: songs of an artist are alike, so the number of independent values behind a
quantile is the number of artists. The songs of all artists are pooled (Dunn, Wasserman & Ramdas 2022,
"Distribution-free prediction sets for two-layer hierarchical models"); each song counts once, as it does in coverage.
The quantile assumes one more artist with the average number of songs, all above the quantile (hierarchical conformal
prediction, Lee, Barber & Willett 2023). :mod:`genreatlas.models.confidence_weights` has the weights of songs.

If artists are unknown, groups of the split take their place, and the coverage holds for new groups only: on GTZAN,
trained on random songs, 90 % sets covered 66 % of the songs of other artists.

References: in addition to those of :mod:`genreatlas.models.confidence`, Ding et al. 2023, "Class-conditional conformal
prediction with many classes" (clusters of classes).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.models.confidence import Confidence, log_probabilities, mass_ahead, mixtures, sharpened
from genreatlas.models.confidence_weights import LEAST_GROUPS, LEAST_SONGS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Nominal coverage of prediction sets.
COVERAGE = 0.9

#: Minimum number of artists for a threshold that is fitted on the genre's songs alone.
OWN_GROUPS = 100
#: Minimum number of songs of a genre in the first half of the artists to be clustered, and of a cluster in the other.
CLUSTERED_SONGS = 10
#: Number of artists of a genre for which its own songs and those of its cluster have equal weight. With a dozen artists
#: the coverage by the genre's own quantile is off by 5 points by chance; by the cluster's quantile it is off by 3
#: points, because genres of a cluster differ.
SHARED_GROUPS = 30
CLUSTER_SONGS = 1000
MOST_CLUSTERS = 20

#: Grid of exponents. Each is twice the last but one, because a square is faster than a power. Between grid points the
#: loss is interpolated by a parabola in the logarithm of the exponent.
_SHARPNESS = 0.1 * np.sqrt(2.0) ** np.arange(14)
#: Candidates for the spread of the exponents over genres (standard deviation of the logarithm); 0: one for all.
_SPREADS = (0.0, 0.05, 0.1, 0.2, 0.35)

#: Candidates for :attr:`.Confidence.floor`; with more than ``_MANY_CLASSES`` classes only the first, to save time.
FLOORS = (1e-6, 1e-4, 1e-2)
_MANY_CLASSES = 200

#: Maximum number of knots of the curve, artists required per knot, and weight (in artists) of the prior that
#: probabilities are calibrated already.
_MOST_KNOTS, _BIN_GROUPS, _PRIOR_SONGS = 20, 40, 10

#: Quantiles of a genre's scores by which genres are clustered (Ding et al.).
_QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9)


class Block(NamedTuple):
    """Songs with the scores of a model that was not trained on them.

    ``scores`` is (n, n_classes), ``truth`` (n,) the true class, ``group`` (n,) the index of the artist. ``weight``
    (n,), above 0, is the number of new songs that the song represents; its mean over all blocks is 1.
    """

    scores: AnyArray
    truth: NDArray[np.integer]
    group: NDArray[np.integer]
    weight: Floats


def fit_confidence(
    blocks: Callable[[], Iterator[Block]], n_classes: int, coverage: float = COVERAGE, unheard: float = 0.0
) -> Confidence | None:
    """Fit temperatures, then the thresholds of sets on the calibrated probabilities.

    Parameters
    ----------
    blocks : returns an iterator over the blocks of songs; it is called twice and must yield the same blocks.
    coverage : nominal coverage of the sets.
    unheard : share of new songs that no song of the blocks represents
        (:class:`genreatlas.models.confidence_weights.Weighing`).

    Returns
    -------
    None if there are too few songs or artists (:data:`.confidence_weights.LEAST_SONGS`,
    :data:`.confidence_weights.LEAST_GROUPS`), or if ``unheard`` is at least 1 - ``coverage``.
    """
    if unheard >= 1.0 - coverage:
        return None
    floors = FLOORS if n_classes <= _MANY_CLASSES else FLOORS[:1]
    losses = np.zeros((len(floors), 2, n_classes, len(_SHARPNESS)))
    groups, weights = [], []
    for block in blocks():
        for number, floor in enumerate(floors):
            losses[number] += _losses(block, floor, n_classes)
        groups.append(np.asarray(block.group))
        weights.append(np.asarray(block.weight, dtype=np.float64))
    n_songs = sum(map(len, groups))
    n_groups = len(np.unique(np.concatenate(groups))) if groups else 0
    if n_songs < LEAST_SONGS or n_groups < LEAST_GROUPS:
        return None
    weight = np.concatenate(weights)
    independent = n_groups * float(weight.sum() ** 2 / (n_songs * (weight**2).sum()))  # effective number, Kish
    best = int(np.argmin(losses.sum(axis=(1, 2)).min(axis=1)))
    floor, sharpness = floors[best], fit_sharpness(losses[best] * (independent / weight.sum()))
    seen = []
    for block in blocks():
        logs = log_probabilities(block.scores, floor)
        sharp = sharpened(logs, sharpness[np.argmax(logs, axis=1)])
        seen.append((block.truth, sharp.max(axis=1), *mass_ahead(sharp, block.truth)))
    truth, top, mass, place = (np.concatenate(column) for column in zip(*seen, strict=True))
    curve = fit_curve(top, place == 0, independent, weight)
    even, sure = mixtures(top, curve, n_classes)
    ahead = np.where(place == 0, 0.0, (1.0 - even - sure) * mass + even * place / n_classes + sure)
    group = np.unique(np.concatenate(groups), return_inverse=True)[1].astype(np.int64)
    thresholds = fit_thresholds(ahead, truth.astype(np.int64), group, n_classes, coverage, weight, unheard)
    return Confidence(sharpness, curve, thresholds, coverage, n_songs, n_groups, floor)


def fit_sharpness(losses: Floats) -> Floats:
    """Fit one exponent per predicted class, shrunk to the common exponent; the more, the fewer songs the class has.

    The spread over classes is chosen by cross-validation between two halves of the artists. Without shrinkage,
    exponents of classes with few songs would overfit, and sets would look better on the songs of the fit than on new
    artists.

    Parameters
    ----------
    losses : (2, n_classes, n_exponents) summed log loss of the songs with that prediction, for each half of the
        artists, scaled so that each artist counts about once.

    Returns
    -------
    (n_classes,)
    """
    judged = [sum(_at(losses[1 - half], _spread_out(losses[half], one)) for half in (0, 1)) for one in _SPREADS]
    return np.exp(_spread_out(losses.sum(axis=0), _SPREADS[int(np.argmin(judged))]))


def _spread_out(losses: Floats, spread: float) -> Floats:
    """Logarithms of the exponents (n_classes,) under a normal prior with standard deviation ``spread``."""
    steps = np.log(_SHARPNESS)
    common = _lowest(losses.sum(axis=0)[None, :])
    if not spread:
        return np.repeat(common, len(losses))
    return _lowest(losses + (steps - common) ** 2 / (2 * spread**2))


def fit_curve(top: Floats, right: NDArray[np.bool_], n_groups: float, weight: Floats | None = None) -> Floats:
    """Fit the share of right predictions as a monotone function of the probability of the most probable class.

    Isotonic regression (Zadrozny & Elkan 2002) over bins with equal numbers of songs. Each bin is shrunk to its mean
    probability with the weight of :data:`_PRIOR_SONGS` artists.

    Parameters
    ----------
    top : (n_songs,) probability of the most probable class.
    right : (n_songs,) whether this class is the true one.
    n_groups : effective number of artists.
    weight : (n_songs,) weight of each song; None: equal weights.

    Returns
    -------
    (2, n_knots); see :attr:`genreatlas.models.confidence.Confidence.curve`.
    """
    weight = np.ones(len(top)) if weight is None else weight
    n_bins = int(np.clip(n_groups // _BIN_GROUPS, 1, _MOST_KNOTS))
    ordered = np.sort(top)
    edges = np.unique(ordered[(np.arange(1, n_bins) * len(top)) // n_bins])  # songs of equal probability stay together
    place = np.unique(np.searchsorted(edges, top, side="right"), return_inverse=True)[1]
    songs = np.bincount(place, weights=weight)
    said, share = (np.bincount(place, weights=weight * one) / songs for one in (top, right))
    n = songs * (n_groups / weight.sum())
    rising = _isotonic((n * share + _PRIOR_SONGS * said) / (n + _PRIOR_SONGS), n)
    if len(said) == 1:  # with one bin all probabilities are shifted
        return np.array([[0.0, said[0], 1.0], [0.0, rising[0], 1.0]])
    return np.stack([said, rising])


def fit_thresholds(
    ahead: Floats,
    truth: Ints,
    group: Ints,
    n_classes: int,
    coverage: float = COVERAGE,
    weight: Floats | None = None,
    unheard: float = 0.0,
) -> Floats:
    """Fit the thresholds of prediction sets.

    The threshold of a genre with :data:`OWN_GROUPS` artists is a quantile of its own songs. Other genres share songs
    with genres of similar score distributions: clusters are found on one half of the artists, their quantiles on the
    other half. Genres with too few songs to be clustered share the songs of all genres. A genre's own songs are mixed
    in, with a weight that grows with its number of artists (:data:`SHARED_GROUPS`).

    Parameters
    ----------
    ahead : (n_songs,) probability ranked before the true class (:func:`genreatlas.models.confidence.mass_ahead`).
    truth : (n_songs,) true class.
    group : (n_songs,) index of the artist, from 0 without gaps.
    n_classes : number of classes.
    coverage : nominal coverage.
    weight : (n_songs,) weight of each song; None: equal weights.
    unheard : share of new songs that no song represents.

    Returns
    -------
    (n_classes,) see :attr:`genreatlas.models.confidence.Confidence.thresholds`.
    """
    weight = np.ones(len(ahead)) if weight is None else weight
    pairs = np.unique(np.stack([truth, group]), axis=1)
    n_groups = np.bincount(pairs[0], minlength=n_classes)
    own = n_groups >= OWN_GROUPS
    cluster = _clusters(ahead, truth, group, n_classes, ~own)
    judged = (group % 2 == 1) & (cluster[truth] >= 0)
    everyone = _Shares.of(ahead, group, weight)
    pools = [
        _Shares.of(*(one[mine] for one in (ahead, group, weight)))
        for mine in (judged & (cluster[truth] == number) for number in range(cluster.max(initial=-1) + 1))
    ]
    thresholds = np.full(n_classes, artist_quantile(ahead, group, coverage, weight, unheard))
    order = np.argsort(truth, kind="stable")
    edges = np.searchsorted(truth[order], np.arange(n_classes + 1))
    for k in np.flatnonzero(n_groups):
        mine = order[edges[k] : edges[k + 1]]
        if own[k]:
            thresholds[k] = artist_quantile(ahead[mine], group[mine], coverage, weight[mine])
            continue
        pool = everyone if cluster[k] < 0 else pools[cluster[k]]
        level = coverage / (1.0 - unheard) if cluster[k] < 0 else coverage
        part = n_groups[k] / (n_groups[k] + SHARED_GROUPS)
        thresholds[k] = _mixed_quantile(_Shares.of(ahead[mine], group[mine], weight[mine]), pool, part, level)
    return thresholds


class _Shares(NamedTuple):
    """Weighted empirical distribution of songs: sorted values, cumulative shares, and the number of artists."""

    values: Floats
    below: Floats
    n_groups: int

    @classmethod
    def of(cls, values: Floats, group: NDArray[np.integer], weight: Floats) -> "_Shares":
        order = np.argsort(values, kind="stable")
        below = np.cumsum(weight[order])
        return cls(values[order], below / below[-1], len(np.unique(group)))

    def at(self, value: float) -> float:
        """Share of the songs with at most this value."""
        place = int(np.searchsorted(self.values, value, side="right"))
        return float(self.below[place - 1]) if place else 0.0


def _mixed_quantile(own: _Shares, pool: _Shares, part: float, level: float) -> float:
    """Conformal quantile of a mixture: weight ``part`` for a genre's own songs, the rest for the pool."""
    asked = level * (1.0 + 1.0 / pool.n_groups) - 1e-9
    if asked > 1.0:
        return 1.0
    low, high = 0.0, 1.0
    if part * own.at(low) + (1.0 - part) * pool.at(low) >= asked:
        return low
    for _ in range(40):
        middle = (low + high) / 2
        if part * own.at(middle) + (1.0 - part) * pool.at(middle) >= asked:
            high = middle
        else:
            low = middle
    return high


def artist_quantile(
    values: Floats,
    group: NDArray[np.integer],
    level: float,
    weight: Floats | None = None,
    unheard: float = 0.0,
) -> float:
    """Conformal quantile: a song of a new artist has at most this value with probability ``level``.

    Parameters
    ----------
    values : (n_songs,) from 0 to 1.
    group : (n_songs,) index of the artist.
    level : probability.
    weight : (n_songs,) weight of each song; None: equal weights.
    unheard : share of new songs that no song represents; they are assumed to have higher values than all songs.

    Returns
    -------
    The quantile; 1 if there are too few songs.
    """
    if not len(values):
        return 1.0
    weight = np.ones(len(values)) if weight is None else weight
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    total = float(below[-1])
    room = total / len(np.unique(group))
    place = int(np.searchsorted(below, level * (total / (1.0 - unheard) + room) - 1e-9 * total))
    return 1.0 if place >= len(values) else float(values[order[place]])


def _isotonic(values: Floats, weight: Floats) -> Floats:
    """Weighted least-squares isotonic regression (pool adjacent violators)."""
    pooled: list[list[float]] = []  # mean, weight, number of values
    for value, one in zip(values.tolist(), weight.tolist(), strict=True):
        pooled.append([value, one, 1])
        while len(pooled) > 1 and pooled[-2][0] > pooled[-1][0]:
            right, left = pooled.pop(), pooled.pop()
            total = left[1] + right[1]
            pooled.append([(left[0] * left[1] + right[0] * right[1]) / total, total, left[2] + right[2]])
    return np.repeat([one[0] for one in pooled], [int(one[2]) for one in pooled])


def _losses(block: Block, floor: float, n_classes: int) -> Floats:
    """Summed log loss of a block's songs, (2, n_classes, n_exponents): half of artists, predicted class, exponent."""
    logs = log_probabilities(block.scores, floor)
    first = np.argmax(logs, axis=1)
    own = logs[np.arange(len(logs)), block.truth]
    weight = np.asarray(block.weight, dtype=np.float64)
    highest = logs[np.arange(len(logs)), first]
    below = (logs - highest[:, None]).astype(np.float32)  # twice as fast; the precision suffices
    totals = np.empty((len(_SHARPNESS), len(logs)))
    for start in (0, 1):
        powers = np.exp(below * np.float32(_SHARPNESS[start]))
        for number in range(start, len(_SHARPNESS), 2):
            totals[number] = powers.sum(axis=1)
            np.square(powers, out=powers)
    losses = np.log(totals) + _SHARPNESS[:, None] * (highest - own)
    place = (np.asarray(block.group) % 2) * n_classes + first
    sums = [np.bincount(place, weights=weight * one, minlength=2 * n_classes) for one in losses]
    return np.asarray(np.stack(sums, axis=1).reshape(2, n_classes, -1), dtype=np.float64)


def _clusters(ahead: Floats, truth: Ints, group: Ints, n_classes: int, asked: NDArray[np.bool_]) -> Ints:
    """Cluster index of each class, (n_classes,); -1 for classes without a cluster."""
    cluster = np.full(n_classes, -1, dtype=np.int64)
    half = (group % 2 == 0) & asked[truth]
    order = np.flatnonzero(half)
    order = order[np.lexsort((ahead[order], truth[order]))]
    edges = np.searchsorted(truth[order], np.arange(n_classes + 1))
    n = np.diff(edges)
    chosen = np.flatnonzero(n >= CLUSTERED_SONGS)
    others = np.isin(truth, chosen) & (group % 2 == 1)
    n_clusters = min(MOST_CLUSTERS, int(others.sum()) // CLUSTER_SONGS)
    if n_clusters < 2 or len(chosen) < 2 * n_clusters:
        return cluster
    places = edges[chosen][:, None] + (np.array(_QUANTILES) * n[chosen][:, None]).astype(np.int64)
    cluster[chosen] = _k_means(ahead[order][places], n[chosen].astype(np.float64), n_clusters)
    for number in np.unique(cluster[chosen]):  # drop clusters with too few songs in the other half
        if (others & (cluster[truth] == number)).sum() < CLUSTERED_SONGS:
            cluster[cluster == number] = -1
    kept, renumbered = np.unique(cluster[cluster >= 0], return_inverse=True)
    cluster[cluster >= 0] = renumbered if len(kept) else cluster[cluster >= 0]
    return cluster


def _k_means(points: Floats, weight: Floats, n_clusters: int) -> Ints:
    """Weighted k-means (Lloyd). Initial clusters are equal parts in the order of the points' means: deterministic."""
    place = np.argsort(points.mean(axis=1), kind="stable")
    label = np.empty(len(points), dtype=np.int64)
    label[place] = np.arange(len(points)) * n_clusters // len(points)
    for _ in range(50):
        total = np.bincount(label, weights=weight, minlength=n_clusters)
        centres = np.stack(
            [np.bincount(label, weights=weight * column, minlength=n_clusters) for column in points.T], axis=1
        )
        centres = np.where(total[:, None] > 0, centres / np.maximum(total, 1e-12)[:, None], np.inf)
        distance = np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
        moved = np.argmin(distance, axis=1)
        if np.array_equal(moved, label):
            break
        label = moved
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _lowest(losses: Floats) -> Floats:
    """Logarithm of the exponent with the lowest loss for each row, interpolated by a parabola."""
    steps = np.log(_SHARPNESS)
    best = np.clip(np.argmin(losses, axis=1), 1, len(steps) - 2)
    rows = np.arange(len(losses))
    left, middle, right = (losses[rows, best + shift] for shift in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend > 0)
    return np.asarray(steps[best] + np.clip(shift, -1.0, 1.0) * (steps[1] - steps[0]))


def _at(losses: Floats, logarithm: Floats) -> float:
    """Sum of the losses (n_classes, n_exponents) at one exponent per class, interpolated by a parabola."""
    steps = np.log(_SHARPNESS)
    step = steps[1] - steps[0]
    near = np.clip(np.rint((logarithm - steps[0]) / step).astype(np.int64), 1, len(steps) - 2)
    rows = np.arange(len(losses))
    left, middle, right = (losses[rows, near + shift] for shift in (-1, 0, 1))
    t = (logarithm - steps[near]) / step
    return float((middle + t * (right - left) / 2 + t**2 * (left - 2 * middle + right) / 2).sum())
