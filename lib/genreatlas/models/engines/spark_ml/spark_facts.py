"""The Spark ML estimators that a candidate may name: class, default grid, limits.

Every candidate is ``Imputer(median) → VectorAssembler → StandardScaler (or none) → estimator``; a column
without any value among the training rows is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from genreatlas.errors import ConfigError, nearest
from genreatlas.models.engines.estimators import SWITCH, Values, faults, limits, list_of, number, one_of, whole

__all__ = ["ESTIMATORS", "Estimator", "check_params", "get_estimator", "grid_faults", "limits"]

SCALERS = ("standard", "none")


@dataclass(frozen=True)
class Estimator:
    """What training needs to know of one estimator.

    Attributes
    ----------
    spark_class : its name in ``pyspark.ml.classification``.
    params : parameters that a grid may name, as Spark spells them, with the values that they take; ``hidden`` is the
        perceptron's layers.
    grid : parameter = values tried where the configuration gives no grid.
    settings : parameters that are always set.
    one_vs_rest : whether it tells two classes apart only.
    scores : what its scores are made of: the column probability, or the margin of rawPrediction.
    weights : whether it takes a weight per row; where it does not, all rows count the same.
    seeded : whether it draws anything.
    max_rows, max_classes : above these a candidate is skipped, with a reason.
    """

    spark_class: str
    params: Mapping[str, Values]
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    one_vs_rest: bool = False
    scores: Literal["probability", "margin"] = "probability"
    weights: bool = True
    seeded: bool = False
    max_rows: int = 50_000_000
    max_classes: int = 2_000


_NOT_NEGATIVE = number(least=0)
_LINEAR = {
    "regParam": _NOT_NEGATIVE,
    "maxIter": whole(0),
    "tol": _NOT_NEGATIVE,
    "fitIntercept": SWITCH,
    "aggregationDepth": whole(2),
}
_TREE = {
    "maxDepth": whole(0, 30),
    "maxBins": whole(2),
    "minInstancesPerNode": whole(1),
    "minWeightFractionPerNode": number(least=0, below=0.5),
    "minInfoGain": _NOT_NEGATIVE,
    "maxMemoryInMB": whole(0),
}
_IMPURITY = one_of("gini", "entropy")
_SUBSET = Values(lambda value: isinstance(value, str), "auto, all, onethird, sqrt, log2, or a number as text")
_RATE = number(above=0, most=1)

#: Name in the configuration = estimator. Limits keep one fit within some minutes on a small cluster.
ESTIMATORS: dict[str, Estimator] = {
    "logistic_regression": Estimator(
        "LogisticRegression",
        {**_LINEAR, "elasticNetParam": number(least=0, most=1)},
        {"regParam": (0.001, 0.01, 0.1)},
    ),
    "random_forest": Estimator(
        "RandomForestClassifier",
        {
            **_TREE,
            "numTrees": whole(1),
            "impurity": _IMPURITY,
            "featureSubsetStrategy": _SUBSET,
            "subsamplingRate": _RATE,
            "bootstrap": SWITCH,
        },
        {"numTrees": (100,), "maxDepth": (6, 10), "scaler": ("none",)},
        seeded=True,
        max_classes=500,
    ),
    # One-vs-rest: as many ensembles as classes, each of maxIter trees that are grown one after the other.
    "gbt": Estimator(
        "GBTClassifier",
        {
            **_TREE,
            "maxIter": whole(0),
            "stepSize": _RATE,
            "subsamplingRate": _RATE,
            "featureSubsetStrategy": _SUBSET,
        },
        {"maxIter": (20,), "maxDepth": (3,), "scaler": ("none",)},
        one_vs_rest=True,
        seeded=True,
        max_classes=30,
    ),
    "linear_svc": Estimator(
        "LinearSVC",
        _LINEAR,
        {"regParam": (0.01, 0.1), "maxIter": (50,)},
        one_vs_rest=True,
        scores="margin",
        max_classes=100,
    ),
    "multilayer_perceptron": Estimator(
        "MultilayerPerceptronClassifier",
        {
            "hidden": list_of(whole(1)),
            "maxIter": whole(0),
            "tol": _NOT_NEGATIVE,
            "stepSize": number(above=0),
            "solver": one_of("l-bfgs", "gd"),
            "blockSize": whole(1),
        },
        {"hidden": ([32], [64, 32])},
        weights=False,
        seeded=True,
        max_classes=500,
    ),
    "decision_tree": Estimator(
        "DecisionTreeClassifier",
        {**_TREE, "impurity": _IMPURITY},
        {"maxDepth": (4, 8), "scaler": ("none",)},
        seeded=True,
        max_classes=500,
    ),
    # The other model types want counts; features have a sign.
    "naive_bayes": Estimator("NaiveBayes", {}, {}, {"modelType": "gaussian"}),
}


def get_estimator(name: str) -> Estimator:
    """The estimator of that name; ConfigError with the nearest one where there is none."""
    if name not in ESTIMATORS:
        raise ConfigError(
            f"train.candidates: unknown Spark estimator {name!r}. {nearest(name, ESTIMATORS, every=True)}"
        )
    return ESTIMATORS[name]


def grid_faults(name: str, grid: Mapping[str, Sequence[Any]]) -> list[str]:
    """Everything that is wrong in an estimator's grid; ConfigError where there is no such estimator."""
    known = {"scaler": one_of(*SCALERS), **get_estimator(name).params}
    return faults(f"train.candidates: {name}", known, grid)


def check_params(name: str, params: Mapping[str, Any]) -> None:
    """Check one point of a grid.

    Raises
    ------
    ConfigError : an unknown estimator, parameter or scaler, with the nearest valid name; a value that the parameter
        does not take.
    """
    if found := grid_faults(name, {key: (value,) for key, value in params.items()}):
        raise ConfigError("\n".join(found))
