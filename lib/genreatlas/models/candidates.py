"""The candidate list of ``[[train.candidates]]``, expanded to one trial for each point of its grids."""

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from genreatlas.config import Candidate, TrainSection
from genreatlas.errors import ConfigError
from genreatlas.models import sklearn_estimators, spark_estimators
from genreatlas.models.baselines import DUMMIES, FORESTS, check_baseline
from genreatlas.models.types import Engine, Trial


def expand(train: TrainSection, known_sets: Iterable[str]) -> list[Trial]:
    """List every trial of the configuration, sorted by feature set, engine and name, each once.

    An empty list of candidates means every estimator of both engines with its own grid. A candidate
    without ``feature_sets`` runs on all of ``train.feature_sets``; a parameter that its grid does not
    name keeps the estimator's default, and an estimator without a grid has its own. The baselines are
    always there: those that look at no feature run on the songs of the first set, ``technical`` and
    ``loudness`` on sets of their own where the store has them.

    Parameters
    ----------
    known_sets : feature sets that can be had, ``technical`` and ``loudness`` among them where there are clips.

    Raises
    ------
    ConfigError : an unknown engine, estimator, parameter or value, with the nearest valid name; a
        candidate for a feature set that ``train.feature_sets`` lacks; a grid without values.
    """
    if not train.feature_sets:
        raise ConfigError("train.feature_sets is empty: there is nothing to train on.")
    listed = train.candidates or (
        *(Candidate(engine="sklearn", estimator=name) for name in sklearn_estimators.ESTIMATORS),
        *(Candidate(engine="spark", estimator=name) for name in spark_estimators.ESTIMATORS),
    )
    sets = set(known_sets)
    baselines = [Candidate(engine="baseline", estimator=name) for name in (*DUMMIES, *(sets & set(FORESTS)))]
    trials = {trial.name: trial for candidate in (*listed, *baselines) for trial in _expand_one(candidate, train, sets)}
    return sorted(trials.values(), key=lambda trial: (trial.feature_set, trial.engine, trial.name))


def _expand_one(candidate: Candidate, train: TrainSection, known_sets: set[str]) -> list[Trial]:
    if candidate.engine == "baseline":
        return _baseline(candidate, train, known_sets)
    if foreign := sorted(set(candidate.feature_sets) - set(train.feature_sets)):
        raise ConfigError(
            f"train.candidates: {candidate.estimator}: {', '.join(foreign)} is not in train.feature_sets "
            f"({', '.join(train.feature_sets)}). Add it there."
        )
    return [
        make_trial(candidate.engine, candidate.estimator, feature_set, params, train.seed)
        for feature_set in candidate.feature_sets or train.feature_sets
        for params in _grid(candidate)
    ]


def _baseline(candidate: Candidate, train: TrainSection, known_sets: set[str]) -> list[Trial]:
    name = candidate.estimator
    check_baseline(name)
    if candidate.grid:
        raise ConfigError(f"train.candidates: the baseline {name} has no parameters. Drop its grid.")
    if name in FORESTS and name not in known_sets:
        raise ConfigError(f"train.candidates: the baseline {name} needs clips of audio, and the store has none.")
    feature_set = name if name in FORESTS else train.feature_sets[0]
    return [make_trial("baseline", name, feature_set, {}, train.seed)]


def _grid(candidate: Candidate) -> list[dict[str, Any]]:
    """Points of the candidate's grid, over the estimator's own where it gives none for the scaler."""
    engine: Any = sklearn_estimators if candidate.engine == "sklearn" else spark_estimators
    default: Mapping[str, Any] = engine.get_estimator(candidate.estimator).grid
    grid: dict[str, Any] = dict(candidate.grid) if candidate.grid else {name: list(v) for name, v in default.items()}
    grid.setdefault("scaler", list(default.get("scaler", ("standard",)))[:1])
    for name, values in grid.items():
        if not values:
            raise ConfigError(f"train.candidates: {candidate.estimator}: {name} = [] has no values to try.")
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    for params in points:
        engine.check_params(candidate.estimator, params)
    return points


def make_trial(engine: Engine, estimator: str, feature_set: str, params: Mapping[str, Any], seed: int) -> Trial:
    """A trial with the name that tables and reports show, such as ``sklearn linear_svc on gtzan57 (C=1.0)``."""
    written = ", ".join(f"{name}={_written(params[name])}" for name in sorted(params))
    name = f"{engine} {estimator} on {feature_set}" + (f" ({written})" if written else "")
    return Trial(name, engine, estimator, feature_set, dict(params), seed)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
