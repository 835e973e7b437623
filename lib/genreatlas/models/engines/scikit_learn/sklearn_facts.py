"""Descriptions of the scikit-learn estimators that need no import of scikit-learn, which takes more than a second.

Names, parameters, grids and limits; :mod:`.sklearn_pipelines` builds and fits the estimators.
"""

from dataclasses import dataclass

from genreatlas.models.engines.estimators import (
    ANYTHING,
    SWITCH,
    TABLE,
    Facts,
    Memory,
    Quick,
    either,
    number,
    one_of,
    share,
    whole,
)

SCALERS = ("standard", "minmax", "robust", "log", "none")

#: Parameters that a grid may not set: a task has one thread and uses the trial's seed.
RESERVED = ("n_jobs", "random_state", "verbose", "warm_start")


@dataclass(frozen=True)
class SklearnFacts(Facts):
    """Description of a scikit-learn estimator.

    Attributes
    ----------
    multi_weights : whether ``fit`` takes a weight per row for multi-label targets, too.
    margins : whether scores are margins, which calibration turns into probabilities.
    """

    multi_weights: bool = True
    margins: bool = False


_SCALED = {"scaler": ("standard", "minmax")}
_UNSCALED = {"scaler": ("none",)}

#: Stands for None, which TOML lacks.
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

#: Name in the configuration = estimator. Limits are such that a fit takes minutes on one core.
ESTIMATORS: dict[str, SklearnFacts] = {
    "linear_svc": SklearnFacts(
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
        memory=Memory(value=28),
    ),
    # Time and memory grow with the square of the rows, and one machine is fitted for each pair of classes.
    "svc": SklearnFacts(
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
    "random_forest": SklearnFacts(
        _FOREST,
        {"min_samples_leaf": (1, 5), "max_features": ("sqrt", 0.3), **_UNSCALED},
        max_rows=1_000_000,
        importances=True,
        memory=Memory(trees=200),
    ),
    # One tree per class and iteration.
    "hist_gradient_boosting": SklearnFacts(
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
        memory=Memory(score=24),
    ),
    "logistic_regression": SklearnFacts(
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
        memory=Memory(score=24),
    ),
    "ada_boost": SklearnFacts(
        {
            "learning_rate": _POSITIVE,
            "n_estimators": _COUNT,
            **{f"estimator__{name}": values for name, values in _TREE.items()},
            "estimator__splitter": one_of("best", "random"),
        },
        {"learning_rate": (0.3, 1.0), "estimator__max_depth": (2, 4), **_UNSCALED},
        max_rows=500_000,
        max_classes=100,
        importances=True,
        multi_weights=False,
        memory=Memory(score=16),
    ),
    # Each prediction compares with every training row.
    "knn": SklearnFacts(
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
    "extra_trees": SklearnFacts(
        _FOREST,
        {"min_samples_leaf": (1, 5), "max_features": ("sqrt", 0.3), **_UNSCALED},
        max_rows=1_000_000,
        importances=True,
        memory=Memory(trees=200),
    ),
}

#: Entries of the preset ``quick``; together with those of Spark ML they cover every table size.
QUICK = (
    Quick(
        "sklearn",
        "logistic_regression",
        {"C": (0.01, 0.1, 0.3, 1.0), "scaler": ("standard", "log")},
        "linear boundaries; many genres and wide tables; probabilities without calibration",
        most_rows=200_000,
    ),
    Quick(
        "sklearn",
        "svc",
        {"C": (1.0, 3.0, 10.0), "gamma": ("scale",), "scaler": ("standard", "minmax", "log")},
        "non-linear boundaries on up to some thousand songs: the best candidate on most small tables",
        most_rows=20_000,
        most_classes=200,
    ),
    Quick(
        "sklearn",
        "linear_svc",
        {"C": (0.01, 0.1, 1.0), "scaler": ("standard",)},
        "linear boundaries on frames and large tables, where svc takes too long",
        least_rows=20_001,
        most_rows=1_000_000,
    ),
    Quick(
        "sklearn",
        "extra_trees",
        {"min_samples_leaf": (1, 5), "max_features": ("sqrt",), "scaler": ("none",)},
        "columns of any scale, outliers, uninformative columns",
        most_rows=200_000,
    ),
    # Limited to few columns, as time grows with the columns considered per split.
    Quick(
        "sklearn",
        "extra_trees",
        {"min_samples_leaf": (1, 5), "max_features": (0.3,), "scaler": ("none",)},
        "columns of any scale, only few of them informative",
        most_rows=50_000,
        most_columns=200,
    ),
    Quick(
        "sklearn",
        "hist_gradient_boosting",
        {"max_leaf_nodes": (15, 31), "learning_rate": (0.1,), "scaler": ("none",)},
        "large tables: fit time grows slowly with the rows, but with the genres and columns",
        least_rows=2_000,
        most_rows=1_000_000,
        most_columns=500,
        most_classes=50,
    ),
)
