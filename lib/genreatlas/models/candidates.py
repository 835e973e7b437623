"""What is tried: the candidates of the configuration or of a preset, one trial for each point of their grids.

Where the configuration lists none, ``full`` is every estimator of every engine with its own grid, and ``quick`` is
what each engine says is worth its time on tables of a size. The points of an estimator's grid in ``quick`` go through
successive halving, so a wide grid costs little more than a narrow one. The baselines are always there.

Halving is on folds: every point of a grid is fitted without the first fold and scored on it, the better half goes on
to the second fold, the better half of those to the third, by the mean over the folds so far. So a score on a fold
means the same for every candidate, and none is fitted twice. What is cut has no mean: it is never compared with
candidates that saw all folds. Only points of one estimator on one feature set are rivals, so every estimator keeps
its best one. (Jamieson and Talwalkar 2016, with folds as the resource.)
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from genreatlas.config import Candidate, TrainSection
from genreatlas.errors import ConfigError
from genreatlas.models.engines import engines, get_engine, is_baseline
from genreatlas.models.engines.estimators import Quick
from genreatlas.models.types import Trial


def expand(train: TrainSection, known_sets: Iterable[str]) -> list[Trial]:
    """List every trial of the configuration, sorted by feature set, engine and name, each once.

    An empty list of candidates means those of ``train.preset``; ``quick`` is cut down later to what suits the size of
    the data. A candidate without ``feature_sets`` runs on all of ``train.feature_sets``; a parameter that its grid does
    not name keeps the estimator's default, and an estimator without a grid has its own. The baselines are always
    there: those that look at no feature run on the songs of the first set, ``technical`` and ``loudness`` on sets of
    their own where the store has them.

    Parameters
    ----------
    known_sets : feature sets that can be had, ``technical`` and ``loudness`` among them where there are clips.

    Raises
    ------
    ConfigError : an unknown engine, estimator, parameter or value, with the nearest valid name; a
        candidate for a feature set that ``train.feature_sets`` lacks; a grid without values.
    """
    sets = set(known_sets)
    if faults := candidate_errors(train, sets):
        raise ConfigError("\n".join(faults))
    always = [Candidate(engine=engine.name, estimator=name) for engine in engines() for name in engine.always(sets)]
    trials = {trial.name: trial for candidate in (*listed(train), *always) for trial in _expand_one(candidate, train)}
    return sorted(trials.values(), key=lambda trial: (trial.feature_set, trial.engine, trial.name))


def candidate_errors(train: TrainSection, known_sets: Iterable[str] | None = None) -> list[str]:
    """Everything that is wrong in ``[train] feature_sets`` and ``candidates``; needs neither Spark nor scikit-learn.

    Parameters
    ----------
    known_sets : feature sets that can be had; None where nobody knows yet.
    """
    if not train.feature_sets:
        return ["train.feature_sets is empty: there is nothing to train on."]
    found = []
    for candidate in train.candidates:
        found += get_engine(candidate.engine).candidate_errors(candidate, train, known_sets)
    return list(dict.fromkeys(found))


def is_quick(train: TrainSection) -> bool:
    """Whether the preset ``quick`` decides what is tried; candidates that are listed are tried as they are."""
    return not train.candidates and train.preset == "quick"


def listed(train: TrainSection) -> tuple[Candidate, ...]:
    """The candidates of a configuration without the baselines; of ``quick``, those of every size."""
    if train.candidates:
        return train.candidates
    if train.preset == "quick":
        return tuple(entry.candidate for entry in quick())
    contenders = [engine for engine in engines() if not engine.is_baseline and not engine.listed_only]
    return tuple(Candidate(engine=engine.name, estimator=name) for engine in contenders for name in engine.estimators)


def quick() -> tuple[Quick, ...]:
    """The entries of the preset ``quick``, in the order in which a budget is spent on them."""
    return tuple(entry for engine in engines() for entry in engine.quick)


def grid_points(candidate: Candidate) -> list[dict[str, object]]:
    """Points of a candidate's grid, or of the estimator's own."""
    return get_engine(candidate.engine).grid_points(candidate.estimator, candidate.grid)


def _expand_one(candidate: Candidate, train: TrainSection) -> list[Trial]:
    return [
        make_trial(candidate.engine, candidate.estimator, feature_set, params, train.seed)
        for feature_set in get_engine(candidate.engine).feature_sets(candidate, train)
        for params in grid_points(candidate)
    ]


def make_trial(engine: str, estimator: str, feature_set: str, params: Mapping[str, object], seed: int) -> Trial:
    """A trial with the name that tables and reports show, such as ``sklearn linear_svc on gtzan57 (C=1.0)``."""
    written = ", ".join(f"{name}={_written(params[name])}" for name in sorted(params))
    name = f"{engine} {estimator} on {feature_set}" + (f" ({written})" if written else "")
    return Trial(name, engine, estimator, feature_set, dict(params), seed)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def sized(trials: Iterable[Trial], n_rows: int, n_columns: int, n_classes: int) -> tuple[list[Trial], list[str]]:
    """Those of the preset's trials that suit a table of this size, and a line on what was left out."""
    suitable: dict[tuple[str, str, str], bool] = {}
    for entry in quick():
        for params in grid_points(entry.candidate):
            key = (entry.engine, entry.estimator, json.dumps(params, sort_keys=True))
            suitable[key] = entry.suits(n_rows, n_columns, n_classes)
    kept = [t for t in trials if suitable.get((t.engine, t.estimator, t.params_json), True)]
    there = {(trial.engine, trial.estimator) for trial in kept}
    left_out = [f"{e.engine} {e.estimator}" for e in quick() if (e.engine, e.estimator) not in there]
    if not left_out:
        return kept, []
    return kept, [
        f"preset quick for {n_rows:,} rows, {n_columns:,} columns and {n_classes:,} genres: "
        f"without {', '.join(dict.fromkeys(left_out))}"
    ]


def rivals(trials: Mapping[str, Trial], halve: bool) -> list[dict[str, str]]:
    """Groups of candidates among which halving cuts, as id = name, in the order in which a budget is spent.

    The points of one estimator's grid are a group, and so is each baseline. Without halving all candidates are one,
    after the baselines.
    """
    order: dict[tuple[str, str], int] = {(one.engine, one.estimator): place for place, one in enumerate(quick())}
    groups: dict[tuple[bool, int, str, str], dict[str, str]] = {}
    for one, trial in trials.items():
        key = (trial.engine, trial.estimator) if halve else ("", "")
        group = (not is_baseline(trial.engine), order.get(key, len(order)), *key)
        groups.setdefault(group, {})[one] = trial.name
    return [groups[group] for group in sorted(groups)]


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
