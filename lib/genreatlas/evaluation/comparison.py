"""Comparison of two models: paired permutation tests over groups.

Under the null hypothesis two models are exchangeable, so their predictions may be swapped in every group (artist). The
difference of a metric is recomputed under random swaps; the two-sided p-value is the share of swaps with an absolute
difference at least as large as observed. If ``2**n_groups <= n_permutations``, all swaps are enumerated and the p-value
is exact; otherwise one is added to numerator and denominator, so that the p-value is never 0.

References: Good 2005, "Permutation, Parametric and Bootstrap Tests of Hypotheses", ch. 3; Phipson &
Smyth 2010 (why one is added); Holm 1979, "A simple sequentially rejective multiple test procedure".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics.figures import Ranking, totals_figure
from genreatlas.metrics.intervals import BLOCK_DRAWS

Floats = NDArray[np.float64]

#: Relative tolerance for equal differences, whose sums may be added in another order.
TIE = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Difference of model minus reference on common songs; ``p_value`` is NaN below ``min_groups`` groups."""

    metric: str
    difference: float
    p_value: float
    n_songs: int
    n_groups: int


def compare(
    model: Outcomes, reference: Outcomes, metric: str, *, n_permutations: int, min_groups: int = 5, seed: int = 7
) -> Comparison:
    """Test two single-label models on the same songs.

    Parameters
    ----------
    model, reference : outcomes of the same songs with the same classes and groups.
    metric : accuracy, balanced_accuracy, macro_f1 or weighted_f1.
    n_permutations : number of random swaps.
    min_groups : minimum number of groups for a p-value.
    seed : seed of the swaps.

    Raises
    ------
    ValueError : the outcomes are of different songs.
    """
    if model.classes != reference.classes or model.n_groups != reference.n_groups:
        raise ValueError("models can only be compared on the same songs and genres")
    n_classes = len(model.classes)
    mean = (model.totals + reference.totals) / 2.0
    half = (model.totals - reference.totals) / 2.0
    whole = mean.sum(axis=0)
    if half[:, 2 * n_classes : 3 * n_classes].count_nonzero():
        raise ValueError("models can only be compared on the same songs and genres")

    def difference(signs: Floats) -> Floats:
        swing = (half.T @ signs).T
        first, second = whole + swing, whole - swing
        return _metric_of(metric, first, n_classes) - _metric_of(metric, second, n_classes)

    return _test(metric, difference, round(model.n), model.n_groups, n_permutations, min_groups, seed)


def compare_rankings(
    scores: tuple[Floats, Floats],
    truth: NDArray[np.bool_],
    group: NDArray[np.int64],
    *,
    n_permutations: int,
    min_groups: int = 5,
    seed: int = 7,
) -> Comparison:
    """Test two multi-label models by macro average precision.

    Scores of both models for a genre are ranked together once; a swap then selects the scores of one of them.

    Parameters
    ----------
    scores : two (n_songs, n_classes) arrays: of the model and of the reference.
    truth : (n_songs, n_classes) true genres.
    group : (n_songs,) index of the song's group.
    n_permutations, min_groups, seed : see :func:`compare`.
    """
    n_groups = int(group.max()) + 1 if len(group) else 0
    both = np.concatenate([group, group + n_groups])
    rankings = [
        Ranking.of(np.concatenate([one, other]), np.concatenate([true, true]), both, 2 * n_groups)
        for one, other, true in zip(scores[0].T, scores[1].T, truth.T, strict=True)
        if true.any()
    ]

    def difference(signs: Floats) -> Floats:
        keep = (signs + 1.0) / 2.0
        first, second = np.concatenate([keep, 1.0 - keep]), np.concatenate([1.0 - keep, keep])
        return np.mean([r.figures(first)[0] - r.figures(second)[0] for r in rankings], axis=0)

    return _test("macro_average_precision", difference, len(group), n_groups, n_permutations, min_groups, seed)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of p-values for multiple tests; NaN values are not counted and stay NaN.

    The smallest of m p-values is multiplied by m, the next by m - 1, and so on; corrected values are made monotone and
    are at most 1.
    """
    values = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(len(values), np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    ascending = tested[np.argsort(values[tested], kind="stable")]
    factors = len(ascending) - np.arange(len(ascending))
    corrected[ascending] = np.minimum(np.maximum.accumulate(values[ascending] * factors), 1.0)
    return [float(value) for value in corrected]


def _test(
    metric: str,
    difference: Callable[[Floats], Floats],
    n_songs: int,
    n_groups: int,
    n_permutations: int,
    min_groups: int,
    seed: int,
) -> Comparison:
    if not n_groups:
        return Comparison(metric, float("nan"), float("nan"), 0, 0)
    seen = float(difference(np.ones((n_groups, 1)))[0])
    if n_groups < min_groups:
        return Comparison(metric, seen, float("nan"), n_songs, n_groups)
    bar = abs(seen) - TIE * max(abs(seen), 1e-3)
    exact = 2**n_groups <= n_permutations if n_groups < 60 else False
    reached = tried = 0
    for signs in _all_swaps(n_groups) if exact else _random_swaps(n_groups, n_permutations, seed):
        reached += int((np.abs(difference(signs)) >= bar).sum())
        tried += signs.shape[1]
    p_value = reached / tried if exact else (reached + 1) / (tried + 1)
    return Comparison(metric, seen, p_value, n_songs, n_groups)


def _all_swaps(n_groups: int) -> Iterator[Floats]:
    numbers = np.arange(2**n_groups)
    yield (1.0 - 2.0 * ((numbers[None, :] >> np.arange(n_groups)[:, None]) & 1)).astype(np.float64)


def _random_swaps(n_groups: int, n_permutations: int, seed: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    block = max(1, min(n_permutations, BLOCK_DRAWS // n_groups))
    for start in range(0, n_permutations, block):
        width = min(block, n_permutations - start)
        yield (generator.integers(0, 2, size=(width, n_groups)).T * 2.0 - 1.0).astype(np.float64)


def _metric_of(metric: str, sums: Floats, n_classes: int) -> Floats:
    right, predicted = sums[..., :n_classes], sums[..., n_classes : 2 * n_classes]
    return totals_figure(metric, right, predicted, sums[..., 2 * n_classes : 3 * n_classes])
