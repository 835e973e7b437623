"""The candidates that are tried where the configuration lists none, sized by the data.

``full`` is every estimator of both engines with its own grid. ``quick`` is the list below: each entry for what its
estimator is good at, on tables of a size at which it is worth its time. The points of an estimator's grid go through
successive halving (:mod:`genreatlas.models.candidates`), so a wide grid costs little more than a narrow one.
"""

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genreatlas.config import Candidate, TrainSection
from genreatlas.config.sections import EngineName
from genreatlas.errors import ConfigError
from genreatlas.models.engines.baseline.dummies import DUMMIES, FORESTS, check_baseline
from genreatlas.models.engines.scikit_learn import sklearn_facts
from genreatlas.models.engines.spark_ml import spark_facts
from genreatlas.models.types import Engine, Trial


@dataclass(frozen=True)
class Quick:
    """One entry of the list ``quick``.

    Attributes
    ----------
    why : what the estimator is good at.
    least_rows, most_rows : rows of the training matrix between which it is tried.
    most_columns, most_classes : above these it is not tried.
    """

    engine: EngineName
    estimator: str
    grid: Mapping[str, tuple[Any, ...]]
    why: str
    least_rows: int = 0
    most_rows: int = 10**12
    most_columns: int = 10**12
    most_classes: int = 10**12

    def suits(self, n_rows: int, n_columns: int, n_classes: int) -> bool:
        """Whether it is worth its time on a table of this size."""
        return (
            self.least_rows <= n_rows <= self.most_rows
            and n_columns <= self.most_columns
            and n_classes <= self.most_classes
        )

    @property
    def candidate(self) -> Candidate:
        """The entry as a configuration lists it."""
        grid = {name: list(values) for name, values in self.grid.items()}
        return Candidate(engine=self.engine, estimator=self.estimator, grid=grid)


#: In the order in which a budget is spent on them. There is an entry for every size.
QUICK = (
    Quick(
        "sklearn",
        "logistic_regression",
        {"C": (0.01, 0.1, 0.3, 1.0), "scaler": ("standard",)},
        "straight borders; many genres and wide tables; probabilities without calibration",
        most_rows=200_000,
    ),
    Quick(
        "sklearn",
        "svc",
        {"C": (1.0, 3.0, 10.0), "gamma": ("scale",), "scaler": ("standard", "minmax")},
        "curved borders on up to some thousand songs: the best of all on most small tables",
        most_rows=20_000,
        most_classes=200,
    ),
    Quick(
        "sklearn",
        "linear_svc",
        {"C": (0.01, 0.1, 1.0), "scaler": ("standard",)},
        "straight borders on frames and large tables, where svc takes too long",
        least_rows=20_001,
        most_rows=1_000_000,
    ),
    Quick(
        "sklearn",
        "extra_trees",
        {"min_samples_leaf": (1, 5), "max_features": ("sqrt",), "scaler": ("none",)},
        "columns of any scale, outliers, columns that say nothing",
        most_rows=200_000,
    ),
    # Its time grows with the columns that a tree looks at.
    Quick(
        "sklearn",
        "extra_trees",
        {"min_samples_leaf": (1, 5), "max_features": (0.3,), "scaler": ("none",)},
        "the same where few columns say much",
        most_rows=50_000,
        most_columns=200,
    ),
    Quick(
        "sklearn",
        "hist_gradient_boosting",
        {"max_leaf_nodes": (15, 31), "learning_rate": (0.1,), "scaler": ("none",)},
        "large tables: its time grows least with the rows, but with the genres and columns",
        least_rows=2_000,
        most_rows=1_000_000,
        most_columns=500,
        most_classes=50,
    ),
    Quick(
        "spark",
        "logistic_regression",
        {"regParam": (0.001, 0.01, 0.1)},
        "more rows than one core fits in minutes",
        least_rows=200_001,
    ),
    Quick(
        "spark",
        "random_forest",
        {"numTrees": (100,), "maxDepth": (10,), "scaler": ("none",)},
        "the same for curved borders",
        least_rows=200_001,
        most_classes=500,
    ),
)


def facts_of(candidate: Candidate) -> Any:
    """The module that knows the estimators of a candidate's engine."""
    return sklearn_facts if candidate.engine == "sklearn" else spark_facts


def grid_points(candidate: Candidate) -> list[dict[str, Any]]:
    """Points of a candidate's grid, or of the estimator's own; without a scaler they have the estimator's first."""
    default: Mapping[str, Any] = facts_of(candidate).get_estimator(candidate.estimator).grid
    grid: dict[str, Any] = dict(candidate.grid) if candidate.grid else {name: list(v) for name, v in default.items()}
    grid.setdefault("scaler", list(default.get("scaler", ("standard",)))[:1])
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def is_quick(train: TrainSection) -> bool:
    """Whether the preset ``quick`` decides what is tried; candidates that are listed are tried as they are."""
    return not train.candidates and train.preset == "quick"


def listed(train: TrainSection) -> tuple[Candidate, ...]:
    """The candidates of a configuration without the baselines; of ``quick``, those of every size."""
    if train.candidates:
        return train.candidates
    if train.preset == "quick":
        return tuple(entry.candidate for entry in QUICK)
    return (
        *(Candidate(engine="sklearn", estimator=name) for name in sklearn_facts.ESTIMATORS),
        *(Candidate(engine="spark", estimator=name) for name in spark_facts.ESTIMATORS),
    )


def sized(trials: Iterable[Trial], n_rows: int, n_columns: int, n_classes: int) -> tuple[list[Trial], list[str]]:
    """Those of the preset's trials that suit a table of this size, and a line on what was left out."""
    suitable: dict[tuple[str, str, str], bool] = {}
    for entry in QUICK:
        for params in grid_points(entry.candidate):
            key = (entry.engine, entry.estimator, json.dumps(params, sort_keys=True))
            suitable[key] = entry.suits(n_rows, n_columns, n_classes)
    kept = [t for t in trials if suitable.get((t.engine, t.estimator, t.params_json), True)]
    there = {(trial.engine, trial.estimator) for trial in kept}
    left_out = [f"{e.engine} {e.estimator}" for e in QUICK if (e.engine, e.estimator) not in there]
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
    order: dict[tuple[str, str], int] = {(one.engine, one.estimator): place for place, one in enumerate(QUICK)}
    groups: dict[tuple[bool, int, str, str], dict[str, str]] = {}
    for one, trial in trials.items():
        key = (trial.engine, trial.estimator) if halve else ("", "")
        group = (trial.engine != "baseline", order.get(key, len(order)), *key)
        groups.setdefault(group, {})[one] = trial.name
    return [groups[group] for group in sorted(groups)]


def expand(train: TrainSection, known_sets: Iterable[str]) -> list[Trial]:
    """List every trial of the configuration, sorted by feature set, engine and name, each once.

    An empty list of candidates means those of ``train.preset`` (:mod:`genreatlas.models.candidates`); ``quick`` is
    cut down later to what suits the size of the data. A candidate without ``feature_sets`` runs on all of
    ``train.feature_sets``; a parameter that its grid does not name keeps the estimator's default, and an
    estimator without a grid has its own. The baselines are always there: those that look at no feature run on
    the songs of the first set, ``technical`` and ``loudness`` on sets of their own where the store has them.

    Parameters
    ----------
    known_sets : feature sets that can be had, ``technical`` and ``loudness`` among them where there are clips.

    Raises
    ------
    ConfigError : an unknown engine, estimator, parameter or value, with the nearest valid name; a
        candidate for a feature set that ``train.feature_sets`` lacks; a grid without values.
    """
    sets = set(known_sets)
    if faults := candidate_faults(train, sets):
        raise ConfigError("\n".join(faults))
    baselines = [Candidate(engine="baseline", estimator=name) for name in (*DUMMIES, *(sets & set(FORESTS)))]
    trials = {
        trial.name: trial for candidate in (*listed(train), *baselines) for trial in _expand_one(candidate, train)
    }
    return sorted(trials.values(), key=lambda trial: (trial.feature_set, trial.engine, trial.name))


def candidate_faults(train: TrainSection, known_sets: Iterable[str] | None = None) -> list[str]:
    """Everything that is wrong in ``[train] feature_sets`` and ``candidates``; needs neither Spark nor scikit-learn.

    Parameters
    ----------
    known_sets : feature sets that can be had; None where nobody knows yet.
    """
    if not train.feature_sets:
        return ["train.feature_sets is empty: there is nothing to train on."]
    found = []
    for candidate in train.candidates:
        name = candidate.estimator
        try:
            if candidate.engine == "baseline":
                found += _baseline_faults(candidate, known_sets)
                continue
            if foreign := sorted(set(candidate.feature_sets) - set(train.feature_sets)):
                found.append(
                    f"train.candidates: {name}: {', '.join(foreign)} is not in train.feature_sets "
                    f"({', '.join(train.feature_sets)}). Add it there."
                )
            found += facts_of(candidate).grid_faults(name, candidate.grid)
        except ConfigError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def _baseline_faults(candidate: Candidate, known_sets: Iterable[str] | None) -> list[str]:
    name = candidate.estimator
    check_baseline(name)
    if candidate.grid:
        return [f"train.candidates: the baseline {name} has no parameters. Drop its grid."]
    if name in FORESTS and known_sets is not None and name not in known_sets:
        return [f"train.candidates: the baseline {name} needs clips of audio, and the store has none."]
    return []


def _expand_one(candidate: Candidate, train: TrainSection) -> list[Trial]:
    name = candidate.estimator
    if candidate.engine == "baseline":
        feature_set = name if name in FORESTS else train.feature_sets[0]
        return [make_trial("baseline", name, feature_set, {}, train.seed)]
    return [
        make_trial(candidate.engine, name, feature_set, params, train.seed)
        for feature_set in candidate.feature_sets or train.feature_sets
        for params in grid_points(candidate)
    ]


def make_trial(engine: Engine, estimator: str, feature_set: str, params: Mapping[str, Any], seed: int) -> Trial:
    """A trial with the name that tables and reports show, such as ``sklearn linear_svc on gtzan57 (C=1.0)``."""
    written = ", ".join(f"{name}={_written(params[name])}" for name in sorted(params))
    name = f"{engine} {estimator} on {feature_set}" + (f" ({written})" if written else "")
    return Trial(name, engine, estimator, feature_set, dict(params), seed)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
