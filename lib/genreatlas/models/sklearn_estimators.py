"""The scikit-learn estimators that a grid may name: what makes and fits them.

Names, grids and limits are in :mod:`genreatlas.models.sklearn_facts`, which needs no scikit-learn. Every candidate is
``imputer → scaler → estimator``. Missing values are replaced by the median of the training rows
(``SimpleImputer(strategy="median")``, a column without any value by 0), and the scaler is a dimension of the grid.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from genreatlas.models.grid_values import limits
from genreatlas.models.sklearn_facts import ESTIMATORS as FACTS
from genreatlas.models.sklearn_facts import check_params
from genreatlas.models.sklearn_facts import get_estimator as get_facts

__all__ = ["ESTIMATORS", "SMALL_FOREST", "Estimator", "check_params", "get_estimator", "limits", "make_pipeline"]

#: Scaler = factory; ``none`` leaves the values as they are.
SCALERS: dict[str, Callable[[], BaseEstimator] | None] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
    "none": None,
}

#: Name in the configuration = what makes the classifier, with our own defaults.
FACTORIES: dict[str, Callable[[], BaseEstimator]] = {
    "linear_svc": lambda: LinearSVC(max_iter=5000),
    "svc": lambda: SVC(cache_size=100, decision_function_shape="ovr"),
    "random_forest": lambda: RandomForestClassifier(n_estimators=200),
    "hist_gradient_boosting": lambda: HistGradientBoostingClassifier(early_stopping=False),
    "logistic_regression": lambda: LogisticRegression(max_iter=2000),
    "ada_boost": lambda: AdaBoostClassifier(estimator=DecisionTreeClassifier(max_depth=3), n_estimators=100),
    "knn": lambda: KNeighborsClassifier(n_neighbors=10, weights="distance"),
    "extra_trees": lambda: ExtraTreesClassifier(n_estimators=200),
}


@dataclass(frozen=True)
class Estimator:
    """What fitting needs to know of one estimator; see :class:`genreatlas.models.sklearn_facts.Facts`.

    ``factory`` makes the classifier with our own defaults.
    """

    factory: Callable[[], BaseEstimator]
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    max_rows: int = 5_000_000
    max_classes: int = 2_000
    weights: bool = True
    multi_weights: bool = True
    margins: bool = False


ESTIMATORS: dict[str, Estimator] = {
    name: Estimator(
        FACTORIES[name],
        facts.grid,
        facts.max_rows,
        facts.max_classes,
        facts.weights,
        facts.multi_weights,
        facts.margins,
    )
    for name, facts in FACTS.items()
}

#: What `baselines` calls `technical` and `loudness`: the same small forest on columns that are not music.
SMALL_FOREST = Estimator(lambda: RandomForestClassifier(n_estimators=100, max_depth=8, min_samples_leaf=2))


def get_estimator(name: str) -> Estimator:
    """Return the estimator of that name; ConfigError with the nearest one where there is none."""
    get_facts(name)
    return ESTIMATORS[name]


def make_pipeline(estimator: Estimator, params: Mapping[str, Any], seed: int, multi: bool = False) -> Pipeline:
    """Build the unfitted pipeline of one candidate.

    Parameters
    ----------
    estimator : what to fit.
    params : checked by :func:`check_params`; the text ``none`` stands for None, which TOML lacks.
    seed : of everything random in it.
    multi : a song may have several genres; one classifier is fitted per genre.
    """
    classifier = estimator.factory()
    known = classifier.get_params(deep=True)
    settings = {key: None if value == "none" else value for key, value in params.items() if key != "scaler"}
    settings |= {key: seed % 2**32 for key in known if key.rpartition("__")[2] == "random_state"}
    classifier.set_params(**settings)  # n_jobs stays None, which is one thread
    scaler = SCALERS[params.get("scaler", "standard")]
    return Pipeline(
        [
            ("imputer", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scaler", scaler() if scaler is not None else "passthrough"),
            ("estimator", OneVsRestClassifier(classifier) if multi else classifier),
        ]
    )
