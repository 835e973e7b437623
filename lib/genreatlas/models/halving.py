"""Which fits come next: all folds of every candidate, or successive halving over the grid of each estimator.

Halving is on folds: every point of a grid is fitted without the first fold and scored on it, the better half goes on
to the second fold, the better half of those to the third, by the mean over the folds so far. So a score on a fold
means the same for every candidate, and none is fitted twice. What is cut has no mean: it is never compared with
candidates that saw all folds. Only points of one estimator on one feature set are rivals, so every estimator keeps
its best one. (Jamieson and Talwalkar 2016, with folds as the resource.)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Scores of some candidates so far: id = fold = score, None where the fit failed.
Scores = Mapping[str, Mapping[int, float | None]]


@dataclass(frozen=True)
class Standing:
    """How far a group of rivals has come.

    Attributes
    ----------
    left : (candidate, fold) pairs to fit next; empty when the group is done.
    cut : candidate = why it was cut, in words.
    """

    left: tuple[tuple[str, int], ...]
    cut: Mapping[str, str]


def standing(rivals: Mapping[str, str], scores: Scores, folds: Sequence[int], halve: bool) -> Standing:
    """What is left to do for a group of rivals; the same scores always give the same answer.

    Parameters
    ----------
    rivals : candidate's id = its name, which decides between equal scores.
    scores : what is known already, by this run or by one that was killed.
    folds : all folds, ascending.
    halve : whether half of the rivals is cut after each fold; else all are fitted on all folds.
    """
    if not halve:
        return Standing(tuple((one, fold) for one in rivals for fold in folds if fold not in scores.get(one, {})), {})
    alive, cut = list(rivals), dict[str, str]()
    for rung, fold in enumerate(folds, 1):
        if left := tuple((one, fold) for one in alive if fold not in scores.get(one, {})):
            return Standing(left, cut)
        alive = [one for one in alive if scores[one][fold] is not None]
        mean = {one: math.fsum(scores[one][f] or 0.0 for f in folds[:rung]) / rung for one in alive}
        ranked = sorted(alive, key=lambda one: (-mean[one], rivals[one]))
        kept = ranked if rung == len(folds) else ranked[: places(len(rivals), rung)]
        for place, one in enumerate(ranked[len(kept) :], len(kept) + 1):
            cut[one] = (
                f"cut after {rung} of {len(folds)} folds: place {place} of {len(ranked)} with a mean of "
                f"{mean[one]:.4f}; place {len(kept)} has {mean[kept[-1]]:.4f}"
            )
        alive = [one for one in alive if one in kept]
    return Standing((), cut)


def places(rivals: int, rung: int) -> int:
    """How many of a number of rivals go on after a rung, which count from 1: half of them, rounded up, each time."""
    return max(1, math.ceil(rivals / 2**rung))


def n_fits(rivals: int, folds: int, halve: bool) -> int:
    """Fits that a group of rivals costs where none fails."""
    if not halve:
        return rivals * folds
    return rivals + sum(places(rivals, rung) for rung in range(1, folds))
