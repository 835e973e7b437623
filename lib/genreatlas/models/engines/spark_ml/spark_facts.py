"""The Spark ML estimators that a candidate may name: class, default grid, limits.

Every candidate is ``Imputer(median) → VectorAssembler → StandardScaler (or none) → estimator``; a column
without any value among the training rows is left out.
"""

from dataclasses import dataclass, field
from typing import Literal

from genreatlas.models.engines.estimators import SWITCH, Facts, Quick, Values, list_of, number, one_of, whole
from genreatlas.values import Params

SCALERS = ("standard", "none")


@dataclass(frozen=True, kw_only=True)
class Estimator(Facts):
    """What training needs to know of one estimator; ``hidden`` among its parameters is the perceptron's layers.

    Attributes
    ----------
    spark_class : its name in ``pyspark.ml.classification``.
    settings : parameters that are always set.
    one_vs_rest : whether it tells two classes apart only.
    scores : what its scores are made of: the column probability, or the margin of rawPrediction.
    seeded : whether it draws anything.
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

#: Name in the configuration = estimator. Limits keep one fit within some minutes on a small cluster.
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
    # One-vs-rest: as many ensembles as classes, each of maxIter trees that are grown one after the other.
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
    # The other model types want counts; features have a sign.
    "naive_bayes": Estimator(spark_class="NaiveBayes", settings={"modelType": "gaussian"}),
}

#: Its part of the preset ``quick``.
QUICK = (
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
