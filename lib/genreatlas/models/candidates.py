"""The candidate list of ``[[train.candidates]]``, expanded to one trial for each point of its grids."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from genreatlas.config import Candidate, TrainSection
from genreatlas.errors import ConfigError
from genreatlas.models.baselines import DUMMIES, FORESTS, check_baseline
from genreatlas.models.presets import facts_of, grid_points, listed
from genreatlas.models.types import Engine, Trial


def expand(train: TrainSection, known_sets: Iterable[str]) -> list[Trial]:
    """List every trial of the configuration, sorted by feature set, engine and name, each once.

    An empty list of candidates means those of ``train.preset`` (:mod:`genreatlas.models.presets`); ``quick`` is
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
