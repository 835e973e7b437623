"""The scikit-learn estimators that a grid may name: factory, default grid, limits.

Every candidate is ``imputer → scaler → estimator``. Missing values are replaced by the median of the
training rows (``SimpleImputer(strategy="median")``, a column without any value by 0), and the scaler is a
dimension of the grid.
"""

import difflib
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

from genreatlas.errors import ConfigError, Reason

#: Scaler = factory; ``none`` leaves the values as they are.
SCALERS: dict[str, Callable[[], BaseEstimator] | None] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
    "none": None,
}

#: Parameters that a grid may not set: a task has one thread, and its seed is the trial's.
RESERVED = ("n_jobs", "random_state", "verbose", "warm_start")


@dataclass(frozen=True)
class Estimator:
    """What the grid needs to know of one estimator.

    Attributes
    ----------
    factory : makes the classifier with our own defaults.
    grid : parameter (or ``scaler``) = values tried where the configuration gives no grid.
    max_rows, max_classes : above these a candidate is skipped, with a reason.
    weights, multi_weights : whether ``fit`` takes a weight per row, with one label a song and with several;
        where it does not, all rows count the same.
    margins : whether its scores are margins, which calibration turns into probabilities.
    """

    factory: Callable[[], BaseEstimator]
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    max_rows: int = 5_000_000
    max_classes: int = 2_000
    weights: bool = True
    multi_weights: bool = True
    margins: bool = False


_SCALED = {"scaler": ("standard", "minmax")}
_UNSCALED = {"scaler": ("none",)}

#: Name in the configuration = estimator. Limits keep one fit within some minutes on one core.
ESTIMATORS: dict[str, Estimator] = {
    "linear_svc": Estimator(
        lambda: LinearSVC(max_iter=5000), {"C": (0.01, 0.1, 1.0), **_SCALED}, max_rows=1_000_000, margins=True
    ),
    # Time and memory of the kernel matrix grow with the square of the rows, and a pair of classes is one machine.
    "svc": Estimator(
        lambda: SVC(cache_size=100, decision_function_shape="ovr"),
        {"C": (1.0, 10.0), "gamma": ("scale", 0.01), **_SCALED},
        max_rows=30_000,
        max_classes=200,
        margins=True,
    ),
    "random_forest": Estimator(
        lambda: RandomForestClassifier(n_estimators=200),
        {"min_samples_leaf": (1, 5), "max_features": ("sqrt", 0.3), **_UNSCALED},
        max_rows=1_000_000,
    ),
    # One tree per class and iteration.
    "hist_gradient_boosting": Estimator(
        lambda: HistGradientBoostingClassifier(early_stopping=False),
        {"learning_rate": (0.05, 0.1), "max_leaf_nodes": (15, 31), **_UNSCALED},
        max_classes=100,
    ),
    "logistic_regression": Estimator(
        lambda: LogisticRegression(max_iter=2000), {"C": (0.01, 0.1, 1.0), **_SCALED}, max_rows=1_000_000
    ),
    "ada_boost": Estimator(
        lambda: AdaBoostClassifier(estimator=DecisionTreeClassifier(max_depth=3), n_estimators=100),
        {"learning_rate": (0.3, 1.0), "estimator__max_depth": (2, 4), **_UNSCALED},
        max_rows=500_000,
        max_classes=100,
        multi_weights=False,
    ),
    # Each prediction looks at every row that it was trained on.
    "knn": Estimator(
        lambda: KNeighborsClassifier(n_neighbors=10, weights="distance"),
        {"n_neighbors": (5, 15), "scaler": ("standard", "robust")},
        max_rows=100_000,
        weights=False,
        multi_weights=False,
    ),
    "extra_trees": Estimator(
        lambda: ExtraTreesClassifier(n_estimators=200),
        {"min_samples_leaf": (1, 5), "max_features": ("sqrt", 0.3), **_UNSCALED},
        max_rows=1_000_000,
    ),
}

#: What `baselines` calls `technical` and `loudness`: the same small forest on columns that are not music.
SMALL_FOREST = Estimator(lambda: RandomForestClassifier(n_estimators=100, max_depth=8, min_samples_leaf=2))


def get_estimator(name: str) -> Estimator:
    """Return the estimator of that name; ConfigError with the nearest one where there is none."""
    if name not in ESTIMATORS:
        raise ConfigError(f"train.candidates: unknown scikit-learn estimator {name!r}.{_nearest(name, ESTIMATORS)}")
    return ESTIMATORS[name]


def check_params(name: str, params: Mapping[str, Any]) -> None:
    """Check the names in one grid against the estimator.

    Parameters
    ----------
    name : key of ``ESTIMATORS``.
    params : parameters of scikit-learn's class (``estimator__`` reaches AdaBoost's tree), and ``scaler``.

    Raises
    ------
    ConfigError : an unknown estimator, parameter or scaler, with the nearest valid name; a reserved parameter.
    """
    known = get_estimator(name).factory().get_params(deep=True)
    where = f"train.candidates: {name}"
    for key, value in params.items():
        if key == "scaler":
            if value not in SCALERS:
                raise ConfigError(f"{where}: unknown scaler {value!r}.{_nearest(str(value), SCALERS)}")
        elif key.rpartition("__")[2] in RESERVED:
            raise ConfigError(f"{where}: {key} is always set from [train] and one thread a task. Drop it.")
        elif key not in known:
            valid = [one for one in ("scaler", *known) if one.rpartition("__")[2] not in RESERVED]
            raise ConfigError(f"{where}: unknown parameter {key!r}.{_nearest(key, valid)}")


def limits(estimator: Estimator, n_rows: int, n_classes: int) -> tuple[Reason, str] | None:
    """Return why a data set is too large for the estimator, in a code and in words; None where it is not."""
    if n_rows > estimator.max_rows:
        return Reason.TOO_MANY_ROWS, f"{n_rows:,} rows; this estimator takes at most {estimator.max_rows:,}"
    if n_classes > estimator.max_classes:
        return Reason.TOO_MANY_CLASSES, f"{n_classes:,} classes; this estimator takes at most {estimator.max_classes:,}"
    return None


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


def _nearest(name: str, valid: Any) -> str:
    near = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else f" Valid: {', '.join(valid)}."
