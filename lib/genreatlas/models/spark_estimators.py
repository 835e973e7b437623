"""The Spark ML estimators that a candidate may name: class, default grid, limits.

Every candidate is ``Imputer(median) → VectorAssembler → StandardScaler (or none) → estimator``; a column
without any value among the training rows is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from genreatlas.errors import ConfigError, Reason
from genreatlas.models.names import nearest

SCALERS = ("standard", "none")


@dataclass(frozen=True)
class Estimator:
    """What training needs to know of one estimator.

    Attributes
    ----------
    spark_class : its name in ``pyspark.ml.classification``.
    params : parameters that a grid may name, as Spark spells them; ``hidden`` is the perceptron's layers.
    grid : parameter = values tried where the configuration gives no grid.
    settings : parameters that are always set.
    one_vs_rest : whether it tells two classes apart only.
    scores : what its scores are made of: the column probability, or the margin of rawPrediction.
    weights : whether it takes a weight per row; where it does not, all rows count the same.
    seeded : whether it draws anything.
    max_rows, max_classes : above these a candidate is skipped, with a reason.
    """

    spark_class: str
    params: tuple[str, ...]
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    one_vs_rest: bool = False
    scores: Literal["probability", "margin"] = "probability"
    weights: bool = True
    seeded: bool = False
    max_rows: int = 50_000_000
    max_classes: int = 2_000


_TREE = ("maxDepth", "maxBins", "minInstancesPerNode", "minWeightFractionPerNode", "minInfoGain", "maxMemoryInMB")

#: Name in the configuration = estimator. Limits keep one fit within some minutes on a small cluster.
ESTIMATORS: dict[str, Estimator] = {
    "logistic_regression": Estimator(
        "LogisticRegression",
        ("regParam", "elasticNetParam", "maxIter", "tol", "fitIntercept", "aggregationDepth"),
        {"regParam": (0.001, 0.01, 0.1)},
    ),
    "random_forest": Estimator(
        "RandomForestClassifier",
        (*_TREE, "numTrees", "impurity", "featureSubsetStrategy", "subsamplingRate", "bootstrap"),
        {"numTrees": (100,), "maxDepth": (6, 10), "scaler": ("none",)},
        seeded=True,
        max_classes=500,
    ),
    # One-vs-rest: as many ensembles as classes, each of maxIter trees that are grown one after the other.
    "gbt": Estimator(
        "GBTClassifier",
        (*_TREE, "maxIter", "stepSize", "subsamplingRate", "featureSubsetStrategy"),
        {"maxIter": (20,), "maxDepth": (3,), "scaler": ("none",)},
        one_vs_rest=True,
        seeded=True,
        max_classes=30,
    ),
    "linear_svc": Estimator(
        "LinearSVC",
        ("regParam", "maxIter", "tol", "fitIntercept", "aggregationDepth"),
        {"regParam": (0.01, 0.1), "maxIter": (50,)},
        one_vs_rest=True,
        scores="margin",
        max_classes=100,
    ),
    "multilayer_perceptron": Estimator(
        "MultilayerPerceptronClassifier",
        ("hidden", "maxIter", "tol", "stepSize", "solver", "blockSize"),
        {"hidden": ([32], [64, 32])},
        weights=False,
        seeded=True,
        max_classes=500,
    ),
    "decision_tree": Estimator(
        "DecisionTreeClassifier",
        (*_TREE, "impurity"),
        {"maxDepth": (4, 8), "scaler": ("none",)},
        seeded=True,
        max_classes=500,
    ),
    # The other model types want counts; features have a sign.
    "naive_bayes": Estimator("NaiveBayes", (), {}, {"modelType": "gaussian"}),
}


def get_estimator(name: str) -> Estimator:
    """The estimator of that name; ConfigError with the nearest one where there is none."""
    if name not in ESTIMATORS:
        raise ConfigError(f"train.candidates: unknown Spark estimator {name!r}. {nearest(name, ESTIMATORS)}")
    return ESTIMATORS[name]


def check_params(name: str, params: Mapping[str, Any]) -> None:
    """Check the names in one point of a grid.

    Raises
    ------
    ConfigError : an unknown estimator, parameter or scaler, with the nearest valid name.
    """
    known = get_estimator(name).params
    for key, value in params.items():
        if key == "scaler":
            if value not in SCALERS:
                raise ConfigError(f"train.candidates: {name}: unknown scaler {value!r}. {nearest(str(value), SCALERS)}")
        elif key not in known:
            valid = nearest(key, ("scaler", *known))
            raise ConfigError(f"train.candidates: {name}: unknown parameter {key!r}. {valid}")


def limits(estimator: Estimator, n_rows: int, n_classes: int) -> tuple[Reason, str] | None:
    """Why a data set is too large for the estimator, in a code and in words; None where it is not."""
    if n_rows > estimator.max_rows:
        return Reason.TOO_MANY_ROWS, f"{n_rows:,} rows; this estimator takes at most {estimator.max_rows:,}"
    if n_classes > estimator.max_classes:
        return Reason.TOO_MANY_CLASSES, f"{n_classes:,} classes; this estimator takes at most {estimator.max_classes:,}"
    return None
