"""Spark ML estimators for candidates: class, default grid, limits.

Every candidate is ``Imputer(median) → VectorAssembler → StandardScaler (or none) → estimator``; columns without any
value in the training rows are left out.
"""

from dataclasses import dataclass, field
from typing import Literal

from genreatlas.models.engines.estimators import SWITCH, Facts, Quick, Values, list_of, number, one_of, whole
from genreatlas.values import Params

SCALERS = ("standard", "none")


@dataclass(frozen=True, kw_only=True)
class Estimator(Facts):
    """Description of a Spark ML estimator. Its parameter ``hidden`` is the list of the perceptron's hidden layers.

    Attributes
    ----------
    spark_class : class in ``pyspark.ml.classification``.
    settings : parameters that are always set.
    one_vs_rest : whether the class is binary only, so that it is fitted one-vs-rest.
    scores : source of the scores: the column probability, or the margin in rawPrediction.
    seeded : whether it has a parameter ``seed``.
    """

    spark_class: str
    settings: Params = field(default_factory=dict)
    one_vs_rest: bool = False
    scores: Literal["probability", "margin"] = "probability"
    seeded: bool = False
    max_rows: int = 50_000_000


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

#: Name in the configuration = estimator. Limits are such that a fit takes minutes on a small cluster.
ESTIMATORS: dict[str, Estimator] = {
    "logistic_regression": Estimator(
        spark_class="LogisticRegression",
        params={**_LINEAR, "elasticNetParam": number(least=0, most=1)},
        grid={"regParam": (0.001, 0.01, 0.1)},
    ),
    "random_forest": Estimator(
        spark_class="RandomForestClassifier",
        params={
            **_TREE,
            "numTrees": whole(1),
            "impurity": _IMPURITY,
            "featureSubsetStrategy": _SUBSET,
            "subsamplingRate": _RATE,
            "bootstrap": SWITCH,
        },
        grid={"numTrees": (100,), "maxDepth": (6, 10), "scaler": ("none",)},
        importances=True,
        seeded=True,
        max_classes=500,
    ),
    # One-vs-rest: one ensemble per class, each with maxIter trees that are fitted sequentially.
    "gbt": Estimator(
        spark_class="GBTClassifier",
        params={
            **_TREE,
            "maxIter": whole(0),
            "stepSize": _RATE,
            "subsamplingRate": _RATE,
            "featureSubsetStrategy": _SUBSET,
        },
        grid={"maxIter": (20,), "maxDepth": (3,), "scaler": ("none",)},
        importances=True,
        one_vs_rest=True,
        seeded=True,
        max_classes=30,
    ),
    "linear_svc": Estimator(
        spark_class="LinearSVC",
        params=_LINEAR,
        grid={"regParam": (0.01, 0.1), "maxIter": (50,)},
        one_vs_rest=True,
        scores="margin",
        max_classes=100,
    ),
    "multilayer_perceptron": Estimator(
        spark_class="MultilayerPerceptronClassifier",
        params={
            "hidden": list_of(whole(1)),
            "maxIter": whole(0),
            "tol": _NOT_NEGATIVE,
            "stepSize": number(above=0),
            "solver": one_of("l-bfgs", "gd"),
            "blockSize": whole(1),
        },
        grid={"hidden": ([32], [64, 32])},
        weights=False,
        seeded=True,
        max_classes=500,
    ),
    "decision_tree": Estimator(
        spark_class="DecisionTreeClassifier",
        params={**_TREE, "impurity": _IMPURITY},
        grid={"maxDepth": (4, 8), "scaler": ("none",)},
        importances=True,
        seeded=True,
        max_classes=500,
    ),
    # Other model types need non-negative counts.
    "naive_bayes": Estimator(spark_class="NaiveBayes", settings={"modelType": "gaussian"}),
}

#: Entries of the preset ``quick``.
QUICK = (
    Quick(
        "spark",
        "logistic_regression",
        {"regParam": (0.001, 0.01, 0.1)},
        "linear boundaries on more rows than one core fits in minutes",
        least_rows=200_001,
    ),
    Quick(
        "spark",
        "random_forest",
        {"numTrees": (100,), "maxDepth": (10,), "scaler": ("none",)},
        "non-linear boundaries on more rows than one core fits in minutes",
        least_rows=200_001,
        most_classes=500,
    ),
)
