"""The candidates that are tried where the configuration lists none, sized by the data.

``full`` is every estimator of both engines with its own grid. ``quick`` is the list below: each entry for what its
estimator is good at, on tables of a size at which it is worth its time. The points of an estimator's grid go through
successive halving (:mod:`genreatlas.models.halving`), so a wide grid costs little more than a narrow one.
"""

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from genreatlas.config import Candidate, TrainSection
from genreatlas.config.sections import EngineName
from genreatlas.models import sklearn_facts, spark_estimators
from genreatlas.models.types import Trial


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
    return sklearn_facts if candidate.engine == "sklearn" else spark_estimators


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
        *(Candidate(engine="spark", estimator=name) for name in spark_estimators.ESTIMATORS),
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
