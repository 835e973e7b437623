"""Fit temperatures and prediction sets on scores of songs that a model was not trained on.

Scores come from models that were fitted without the song's fold, so each artist's songs are scored by a model that
never heard the artist (cross-conformal prediction, Vovk 2015). Blocks of songs are read twice and never joined: what is
kept of a song is a few numbers, whatever the number of genres.

Artists, not songs, are exchangeable: an artist's songs are alike, so a quantile rests on as many independent values as
there are artists. The distributions of all artists' songs are pooled (Dunn, Wasserman & Ramdas 2022, "Distribution-free
prediction sets for two-layer hierarchical models"), each song counted once as coverage is counted, and the quantile
leaves room for one more artist with as many songs as the others have on average, all of them above it (hierarchical
conformal prediction, Lee, Barber & Willett 2023). What a song stands for beside is in
:mod:`genreatlas.models.confidence_weights`.

Where artists are not known, groups of the split take their place, and what is stated holds for new groups only: on
GTZAN, trained on random songs, 90 % sets covered 66 % of the songs of other artists.

References: beside those of :mod:`genreatlas.models.confidence`, Ding et al. 2023, "Class-conditional conformal
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

#: Stated coverage of prediction sets.
COVERAGE = 0.9

#: A genre of so many artists has a threshold of its own.
OWN_GROUPS = 100
#: Songs that a genre needs in a half of the artists to be put into a cluster, and that a cluster needs in the other.
CLUSTERED_SONGS = 10
#: Artists of a genre whose songs weigh as much as those that it borrows from. With a dozen artists its coverage by
#: its own quantile is off by 5 points by chance, by that of its cluster by 3 points, as no genre is quite like another.
SHARED_GROUPS = 30
CLUSTER_SONGS = 1000
MOST_CLUSTERS = 20

#: Exponents that are tried, each the double of the last but one, as a square is faster than a power; between them the
#: loss is a parabola in their logarithm.
_SHARPNESS = 0.1 * np.sqrt(2.0) ** np.arange(14)
#: How far the exponents of genres may lie apart (standard deviation of their logarithm); 0 is one for all.
_SPREADS = (0.0, 0.05, 0.1, 0.2, 0.35)

#: Probabilities to be spread over all classes that are tried; with many classes the first only, as that takes long.
FLOORS = (1e-6, 1e-4, 1e-2)
_MANY_CLASSES = 200

#: Knots of the curve, artists that each needs, and artists that speak for a curve without a bend.
_MOST_KNOTS, _BIN_GROUPS, _PRIOR_SONGS = 20, 40, 10

#: Shares of a genre's songs whose scores tell genres of one cluster from others, as Ding et al. have them.
_QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9)


class Block(NamedTuple):
    """Songs with the scores of a model that was not trained on them.

    ``scores`` is (n, n_classes), ``truth`` (n,) the true class, ``group`` (n,) the number of the artist, ``weight``
    (n,) above 0 the number of new songs that it stands for; 1 on average over all blocks.
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
    blocks : gives the same blocks of songs each time that it is called; it is called twice.
    unheard : share of new songs that none of these songs stands for
        (:class:`genreatlas.models.confidence_weights.Weighing`).

    Returns
    -------
    None where there are too few songs or artists to say anything (:data:`.confidence_weights.LEAST_SONGS`,
    :data:`.confidence_weights.LEAST_GROUPS`), or where more songs are unheard than sets may miss.
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
    independent = n_groups * float(weight.sum() ** 2 / (n_songs * (weight**2).sum()))  # Kish: as many equal weights
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
    """One exponent for each predicted class, drawn to that of all the more the fewer songs it has.

    How far classes may lie apart is what suits one half of the artists best when fitted on the other. Where classes
    have few songs, exponents of their own would be fitted to chance; sets of the same songs would then look better than
    those of new artists.

    Parameters
    ----------
    losses : (2, n_classes, n_exponents) summed log loss of the songs with that prediction, of each half of the artists,
        each artist counted about once.

    Returns
    -------
    (n_classes,)
    """
    judged = [sum(_at(losses[1 - half], _spread_out(losses[half], one)) for half in (0, 1)) for one in _SPREADS]
    return np.exp(_spread_out(losses.sum(axis=0), _SPREADS[int(np.argmin(judged))]))


def _spread_out(losses: Floats, spread: float) -> Floats:
    """Logarithms of the exponents of classes (n_classes,) that lie about ``spread`` apart before songs are seen."""
    steps = np.log(_SHARPNESS)
    common = _lowest(losses.sum(axis=0)[None, :])
    if not spread:
        return np.repeat(common, len(losses))
    return _lowest(losses + (steps - common) ** 2 / (2 * spread**2))


def fit_curve(top: Floats, right: NDArray[np.bool_], n_groups: float, weight: Floats | None = None) -> Floats:
    """How often the first class is right, by its probability: rising, and drawn to the probability itself.

    Isotonic regression (Zadrozny & Elkan 2002) over bins of equally many songs, each of which counts
    :data:`_PRIOR_SONGS` artists more that are right as often as they are said to be.

    Parameters
    ----------
    top : (n_songs,) probability of the first class.
    right : (n_songs,) whether it was the true one.
    n_groups : artists of the songs, or as many as weigh the same.
    weight : (n_songs,) what each song stands for; None: alike.

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
    if len(said) == 1:  # one point is a shift of all
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
    """Most probability ahead of a class with which it stays in the set, for each class.

    A genre of :data:`OWN_GROUPS` artists has a threshold of its own. Others borrow from the genres whose scores are
    distributed alike: which these are is found on one half of the artists, and their quantile on the other half. Genres
    with too few songs for that borrow from all. Their own songs count beside, the more the more artists they have
    (:data:`SHARED_GROUPS`).

    Parameters
    ----------
    ahead : (n_songs,) probability ahead of the true class (:func:`genreatlas.models.confidence.mass_ahead`).
    truth : (n_songs,) true class.
    group : (n_songs,) number of the artist, from 0 without gaps.
    weight : (n_songs,) what each song stands for; None: alike.
    unheard : share of new songs that none stands for.
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
    """Songs in the order of their values, with the share of all that lies at or below each; and their artists."""

    values: Floats
    below: Floats
    n_groups: int

    @classmethod
    def of(cls, values: Floats, group: NDArray[np.integer], weight: Floats) -> "_Shares":
        order = np.argsort(values, kind="stable")
        below = np.cumsum(weight[order])
        return cls(values[order], below / below[-1], len(np.unique(group)))

    def at(self, value: float) -> float:
        """Share at or below a value."""
        place = int(np.searchsorted(self.values, value, side="right"))
        return float(self.below[place - 1]) if place else 0.0


def _mixed_quantile(own: _Shares, pool: _Shares, part: float, level: float) -> float:
    """Quantile of the songs of one more artist, where ``part`` of the songs are a genre's own and the rest shared."""
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
    """Value that the songs of one more artist stay below with the probability ``level``; 1 where that is unknown.

    Parameters
    ----------
    values : (n_songs,) from 0 to 1.
    group : (n_songs,) number of the artist.
    weight : (n_songs,) what each song stands for; None: alike.
    unheard : share of new songs that none stands for; they are taken to lie above all values.
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
    """The rising values that are nearest by weighted squares (pool adjacent violators)."""
    pooled: list[list[float]] = []  # mean, weight, how many
    for value, one in zip(values.tolist(), weight.tolist(), strict=True):
        pooled.append([value, one, 1])
        while len(pooled) > 1 and pooled[-2][0] > pooled[-1][0]:
            right, left = pooled.pop(), pooled.pop()
            total = left[1] + right[1]
            pooled.append([(left[0] * left[1] + right[0] * right[1]) / total, total, left[2] + right[2]])
    return np.repeat([one[0] for one in pooled], [int(one[2]) for one in pooled])


def _losses(block: Block, floor: float, n_classes: int) -> Floats:
    """Log loss of a block's songs by half of the artists, predicted class and exponent, summed."""
    logs = log_probabilities(block.scores, floor)
    first = np.argmax(logs, axis=1)
    own = logs[np.arange(len(logs)), block.truth]
    weight = np.asarray(block.weight, dtype=np.float64)
    highest = logs[np.arange(len(logs)), first]
    below = (logs - highest[:, None]).astype(np.float32)  # twice as fast, and a loss needs no more digits
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
    """Number of each class's cluster, (n_classes,); -1 where it has none."""
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
    for number in np.unique(cluster[chosen]):  # one with few songs in the other half would have no threshold
        if (others & (cluster[truth] == number)).sum() < CLUSTERED_SONGS:
            cluster[cluster == number] = -1
    kept, renumbered = np.unique(cluster[cluster >= 0], return_inverse=True)
    cluster[cluster >= 0] = renumbered if len(kept) else cluster[cluster >= 0]
    return cluster


def _k_means(points: Floats, weight: Floats, n_clusters: int) -> Ints:
    """Lloyd's algorithm, weighted, begun with equal parts in the order of the points' means: no random choice."""
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
    """Logarithm of the exponent with the lowest loss of each row, by a parabola through its neighbours."""
    steps = np.log(_SHARPNESS)
    best = np.clip(np.argmin(losses, axis=1), 1, len(steps) - 2)
    rows = np.arange(len(losses))
    left, middle, right = (losses[rows, best + shift] for shift in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend > 0)
    return np.asarray(steps[best] + np.clip(shift, -1.0, 1.0) * (steps[1] - steps[0]))


def _at(losses: Floats, logarithm: Floats) -> float:
    """Sum of the losses (n_classes, n_exponents) at one exponent a class, by a parabola through the nearest three."""
    steps = np.log(_SHARPNESS)
    step = steps[1] - steps[0]
    near = np.clip(np.rint((logarithm - steps[0]) / step).astype(np.int64), 1, len(steps) - 2)
    rows = np.arange(len(losses))
    left, middle, right = (losses[rows, near + shift] for shift in (-1, 0, 1))
    t = (logarithm - steps[near]) / step
    return float((middle + t * (right - left) / 2 + t**2 * (left - 2 * middle + right) / 2).sum())
