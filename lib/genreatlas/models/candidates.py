"""Candidates of the configuration or of a preset: one trial for each point of their grids.

If the configuration lists none, the preset ``full`` tries every estimator of every engine with its default grid, and
``quick`` tries those that each engine recommends for the size of the table. In ``quick`` the points of an estimator's
grid go through successive halving, so a wide grid costs little more than a narrow one. Baselines are always included.

Halving uses folds as the resource (Jamieson and Talwalkar 2016): every point of a grid is fitted without the first fold
and scored on it; the better half continues with the second fold, the better half of those with the third, by the mean
over the folds so far. So scores on a fold are comparable between candidates, and none is fitted twice. Candidates that
were cut have no mean and are never compared with candidates scored on all folds. Halving compares only points of one
estimator on one feature set, so every estimator keeps its best point.
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
    """List the trials of the configuration without duplicates, sorted by feature set, engine and name.

    An empty list of candidates means those of ``train.preset``; ``quick`` is reduced to the size of the data later
    (:func:`sized`). A candidate without ``feature_sets`` runs on all of ``train.feature_sets``. A parameter missing in
    its grid has the estimator's default; without a grid the estimator's default grid is used. Baselines are always
    included: those without features run on the songs of the first set, ``technical`` and ``loudness`` on feature sets
    of their own if the store has them.

    Parameters
    ----------
    known_sets : available feature sets, including ``technical`` and ``loudness`` if the store has clips.

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
    """List all errors in ``[train] feature_sets`` and ``candidates``; needs neither Spark nor scikit-learn.

    Parameters
    ----------
    known_sets : available feature sets; None if not known yet.
    """
    if not train.feature_sets:
        return ["train.feature_sets is empty: there is nothing to train on."]
    found = []
    for candidate in train.candidates:
        found += get_engine(candidate.engine).candidate_errors(candidate, train, known_sets)
    return list(dict.fromkeys(found))


def is_quick(train: TrainSection) -> bool:
    """Whether candidates come from the preset ``quick``: the preset is set and the configuration lists none."""
    return not train.candidates and train.preset == "quick"


def listed(train: TrainSection) -> tuple[Candidate, ...]:
    """Candidates of a configuration without baselines; for ``quick``, those for all table sizes."""
    if train.candidates:
        return train.candidates
    if train.preset == "quick":
        return tuple(entry.candidate for entry in quick())
    contenders = [engine for engine in engines() if not engine.is_baseline and not engine.listed_only]
    return tuple(Candidate(engine=engine.name, estimator=name) for engine in contenders for name in engine.estimators)


def quick() -> tuple[Quick, ...]:
    """Entries of the preset ``quick``, in the order in which they are tried within a time budget."""
    return tuple(entry for engine in engines() for entry in engine.quick)


def grid_points(candidate: Candidate) -> list[dict[str, object]]:
    """Points of a candidate's grid, or of the estimator's default grid if it has none."""
    return get_engine(candidate.engine).grid_points(candidate.estimator, candidate.grid)


def _expand_one(candidate: Candidate, train: TrainSection) -> list[Trial]:
    return [
        make_trial(candidate.engine, candidate.estimator, feature_set, params, train.seed)
        for feature_set in get_engine(candidate.engine).feature_sets(candidate, train)
        for params in grid_points(candidate)
    ]


def make_trial(engine: str, estimator: str, feature_set: str, params: Mapping[str, object], seed: int) -> Trial:
    """Make a trial, named as in tables and reports, such as ``sklearn linear_svc on gtzan57 (C=1.0)``."""
    written = ", ".join(f"{name}={_written(params[name])}" for name in sorted(params))
    name = f"{engine} {estimator} on {feature_set}" + (f" ({written})" if written else "")
    return Trial(name, engine, estimator, feature_set, dict(params), seed)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def sized(trials: Iterable[Trial], n_rows: int, n_columns: int, n_classes: int) -> tuple[list[Trial], list[str]]:
    """Select the trials that the preset ``quick`` has for this table size.

    Returns
    -------
    Kept trials; at most one line that names the estimators left out.
    """
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
        f"left out {', '.join(dict.fromkeys(left_out))}"
    ]


def rivals(trials: Mapping[str, Trial], halve: bool) -> list[dict[str, str]]:
    """Group candidates for halving, as id = name, in the order in which they are tried within a time budget.

    With halving, the points of one estimator's grid are a group, and so is each baseline. Without halving there are two
    groups: baselines, then all others.
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
    """State of a group of rivals.

    Attributes
    ----------
    left : (candidate, fold) pairs to fit next; empty when the group is done.
    cut : candidate = message that says why it was cut.
    """

    left: tuple[tuple[str, int], ...]
    cut: Mapping[str, str]


def standing(rivals: Mapping[str, str], scores: Scores, folds: Sequence[int], halve: bool) -> Standing:
    """Determine which fits of a group of rivals are left; depends on the scores only.

    Parameters
    ----------
    rivals : candidate id = name; ties of scores are broken by name.
    scores : scores so far, of this run and of an earlier run that was killed.
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
                f"cut after {rung} of {len(folds)} folds: rank {place} of {len(ranked)} with a mean of "
                f"{mean[one]:.4f}; rank {len(kept)}, the last one kept, has {mean[kept[-1]]:.4f}"
            )
        alive = [one for one in alive if one in kept]
    return Standing((), cut)


def places(rivals: int, rung: int) -> int:
    """Number of rivals kept after a rung (counted from 1): half at each rung, rounded up."""
    return max(1, math.ceil(rivals / 2**rung))


def n_fits(rivals: int, folds: int, halve: bool) -> int:
    """Number of fits for a group of rivals if none fails."""
    if not halve:
        return rivals * folds
    return rivals + sum(places(rivals, rung) for rung in range(1, folds))
