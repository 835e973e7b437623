"""What is known of the scikit-learn estimators without importing scikit-learn, which takes more than a second.

Names, parameters, grids and limits; :mod:`.sklearn_pipelines` has what makes and fits them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genreatlas.errors import ConfigError, nearest
from genreatlas.models.engines.estimators import (
    ANYTHING,
    SWITCH,
    TABLE,
    Values,
    either,
    faults,
    number,
    one_of,
    share,
    whole,
)

SCALERS = ("standard", "minmax", "robust", "none")

#: Parameters that a grid may not set: a task has one thread, and its seed is the trial's.
RESERVED = ("n_jobs", "random_state", "verbose", "warm_start")


@dataclass(frozen=True)
class Facts:
    """What a candidate list needs to know of one estimator.

    Attributes
    ----------
    params : parameters that a grid may name, with the values that they take.
    grid : parameter (or ``scaler``) = values tried where the configuration gives no grid.
    max_rows, max_classes : above these a candidate is skipped, with a reason.
    weights, multi_weights : whether ``fit`` takes a weight per row, with one label a song and with several;
        where it does not, all rows count the same.
    margins : whether its scores are margins, which calibration turns into probabilities.
    """

    params: Mapping[str, Values]
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    max_rows: int = 5_000_000
    max_classes: int = 2_000
    weights: bool = True
    multi_weights: bool = True
    margins: bool = False


_SCALED = {"scaler": ("standard", "minmax")}
_UNSCALED = {"scaler": ("none",)}

#: None, which TOML lacks.
_NONE = one_of("none")
_POSITIVE = number(above=0)
_SHARE = share()
_PART = share(most_is_one=False)
_COUNT = whole(1)
_CLASS_WEIGHT = either(one_of("balanced"), _NONE, TABLE)

_TREE = {
    "ccp_alpha": number(least=0),
    "class_weight": _CLASS_WEIGHT,
    "criterion": one_of("gini", "entropy", "log_loss"),
    "max_depth": either(_COUNT, _NONE),
    "max_features": either(_COUNT, _SHARE, one_of("sqrt", "log2"), _NONE),
    "max_leaf_nodes": either(whole(2), _NONE),
    "min_impurity_decrease": number(least=0),
    "min_samples_leaf": either(_COUNT, _PART),
    "min_samples_split": either(whole(2), _SHARE),
    "min_weight_fraction_leaf": number(least=0, most=0.5),
    "monotonic_cst": ANYTHING,
}
_FOREST = {
    **_TREE,
    "class_weight": either(one_of("balanced", "balanced_subsample"), _NONE, TABLE),
    "bootstrap": SWITCH,
    "max_samples": either(_COUNT, _POSITIVE, _NONE),
    "n_estimators": _COUNT,
    "oob_score": SWITCH,
}

#: Name in the configuration = estimator. Limits keep one fit within some minutes on one core.
ESTIMATORS: dict[str, Facts] = {
    "linear_svc": Facts(
        {
            "C": _POSITIVE,
            "class_weight": _CLASS_WEIGHT,
            "dual": either(SWITCH, one_of("auto")),
            "fit_intercept": SWITCH,
            "intercept_scaling": _POSITIVE,
            "loss": one_of("hinge", "squared_hinge"),
            "max_iter": whole(0),
            "multi_class": one_of("ovr", "crammer_singer"),
            "penalty": one_of("l1", "l2"),
            "tol": _POSITIVE,
        },
        {"C": (0.01, 0.1, 1.0), **_SCALED},
        max_rows=1_000_000,
        margins=True,
    ),
    # Time and memory of the kernel matrix grow with the square of the rows, and a pair of classes is one machine.
    "svc": Facts(
        {
            "C": _POSITIVE,
            "break_ties": SWITCH,
            "cache_size": _POSITIVE,
            "class_weight": _CLASS_WEIGHT,
            "coef0": number(),
            "decision_function_shape": one_of("ovr", "ovo"),
            "degree": whole(0),
            "gamma": either(one_of("scale", "auto"), number(least=0)),
            "kernel": one_of("linear", "poly", "rbf", "sigmoid"),
            "max_iter": whole(-1),
            "probability": SWITCH,
            "shrinking": SWITCH,
            "tol": _POSITIVE,
        },
        {"C": (1.0, 10.0), "gamma": ("scale", 0.01), **_SCALED},
        max_rows=30_000,
        max_classes=200,
        margins=True,
    ),
    "random_forest": Facts(
        _FOREST,
        {"min_samples_leaf": (1, 5), "max_features": ("sqrt", 0.3), **_UNSCALED},
        max_rows=1_000_000,
    ),
    # One tree per class and iteration.
    "hist_gradient_boosting": Facts(
        {
            "categorical_features": ANYTHING,
            "class_weight": _CLASS_WEIGHT,
            "early_stopping": either(SWITCH, one_of("auto")),
            "interaction_cst": ANYTHING,
            "l2_regularization": number(least=0),
            "learning_rate": _POSITIVE,
            "loss": one_of("log_loss"),
            "max_bins": whole(2, 255),
            "max_depth": either(_COUNT, _NONE),
            "max_features": _SHARE,
            "max_iter": _COUNT,
            "max_leaf_nodes": either(whole(2), _NONE),
            "min_samples_leaf": _COUNT,
            "monotonic_cst": ANYTHING,
            "n_iter_no_change": _COUNT,
            "scoring": ANYTHING,
            "tol": number(least=0),
            "validation_fraction": either(_PART, _COUNT, _NONE),
        },
        {"learning_rate": (0.05, 0.1), "max_leaf_nodes": (15, 31), **_UNSCALED},
        max_classes=100,
    ),
    "logistic_regression": Facts(
        {
            "C": _POSITIVE,
            "class_weight": _CLASS_WEIGHT,
            "dual": SWITCH,
            "fit_intercept": SWITCH,
            "intercept_scaling": _POSITIVE,
            "l1_ratio": either(number(least=0, most=1), _NONE),
            "max_iter": whole(0),
            "penalty": either(one_of("l1", "l2", "elasticnet"), _NONE),
            "solver": one_of("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"),
            "tol": number(least=0),
        },
        {"C": (0.01, 0.1, 1.0), **_SCALED},
        max_rows=1_000_000,
    ),
    "ada_boost": Facts(
        {
            "learning_rate": _POSITIVE,
            "n_estimators": _COUNT,
            **{f"estimator__{name}": values for name, values in _TREE.items()},
            "estimator__splitter": one_of("best", "random"),
        },
        {"learning_rate": (0.3, 1.0), "estimator__max_depth": (2, 4), **_UNSCALED},
        max_rows=500_000,
        max_classes=100,
        multi_weights=False,
    ),
    # Each prediction looks at every row that it was trained on.
    "knn": Facts(
        {
            "algorithm": one_of("auto", "ball_tree", "kd_tree", "brute"),
            "leaf_size": _COUNT,
            "metric": ANYTHING,
            "metric_params": ANYTHING,
            "n_neighbors": _COUNT,
            "p": _POSITIVE,
            "weights": one_of("uniform", "distance"),
        },
        {"n_neighbors": (5, 15), "scaler": ("standard", "robust")},
        max_rows=100_000,
        weights=False,
        multi_weights=False,
    ),
    "extra_trees": Facts(
        _FOREST,
        {"min_samples_leaf": (1, 5), "max_features": ("sqrt", 0.3), **_UNSCALED},
        max_rows=1_000_000,
    ),
}


def get_estimator(name: str) -> Facts:
    """The facts of an estimator; ConfigError with the nearest name where there is none."""
    if name not in ESTIMATORS:
        raise ConfigError(
            f"train.candidates: unknown scikit-learn estimator {name!r}. {nearest(name, ESTIMATORS, every=True)}"
        )
    return ESTIMATORS[name]


def grid_faults(name: str, grid: Mapping[str, Sequence[Any]]) -> list[str]:
    """Everything that is wrong in an estimator's grid.

    Parameters
    ----------
    name : key of ``ESTIMATORS``.
    grid : parameters of scikit-learn's class (``estimator__`` reaches AdaBoost's tree), and ``scaler``.

    Raises
    ------
    ConfigError : an unknown estimator.
    """
    where = f"train.candidates: {name}"
    reserved = [key for key in grid if key.rpartition("__")[2] in RESERVED]
    found = [f"{where}: {key} is always set from [train] and one thread a task. Drop it." for key in reserved]
    rest = {key: values for key, values in grid.items() if key not in reserved}
    return found + faults(where, {"scaler": one_of(*SCALERS), **get_estimator(name).params}, rest)


def check_params(name: str, params: Mapping[str, Any]) -> None:
    """Check one point of a grid.

    Raises
    ------
    ConfigError : an unknown estimator, parameter or scaler, with the nearest valid name; a reserved parameter; a
        value that the parameter does not take.
    """
    if found := grid_faults(name, {key: (value,) for key, value in params.items()}):
        raise ConfigError("\n".join(found))
