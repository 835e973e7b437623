"""Build, fit and store the pipelines of scikit-learn candidates.

Names, grids and limits are in :mod:`.sklearn_facts`, which needs no scikit-learn. Every candidate is
``imputer → scaler → estimator``. Missing values are replaced by the median of the training rows
(``SimpleImputer(strategy="median")``; 0 for a column without any value), and the scaler is a dimension of the grid.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np
import skops.io
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from genreatlas.errors import ModelError
from genreatlas.models.engines.calibration import Array, Sigmoids
from genreatlas.models.engines.estimators import limits
from genreatlas.models.engines.file_models import RowModel
from genreatlas.models.engines.scikit_learn.log_scaler import LogScaler
from genreatlas.models.engines.scikit_learn.sklearn_facts import ESTIMATORS as FACTS
from genreatlas.models.engines.scikit_learn.sklearn_facts import SklearnFacts
from genreatlas.models.engines.scikit_learn.skops_checks import TRUSTED, check_arrays, check_schema
from genreatlas.models.engines.task_fits import CandidateLimit, GridSettings, MatrixFiles
from genreatlas.models.types import ScoreKind, Trial
from genreatlas.values import JsonObject, JsonView, Params

#: Scaler = factory; ``none`` does not scale.
SCALERS: dict[str, Callable[[], BaseEstimator] | None] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
    "log": LogScaler,
    "none": None,
}

#: Name in the configuration = factory of the classifier with our defaults.
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
    """An estimator: factory of the classifier with our defaults, and its description."""

    factory: Callable[[], BaseEstimator]
    facts: SklearnFacts = field(default_factory=SklearnFacts)


ESTIMATORS: dict[str, Estimator] = {name: Estimator(FACTORIES[name], facts) for name, facts in FACTS.items()}

#: Estimator of the baselines ``technical`` and ``loudness``: a small forest on columns that do not describe the music.
SMALL_FOREST = Estimator(lambda: RandomForestClassifier(n_estimators=100, max_depth=8, min_samples_leaf=2))


def make_pipeline(estimator: Estimator, params: Params, seed: int, multi: bool = False) -> Pipeline:
    """Build the unfitted pipeline of one candidate.

    Parameters
    ----------
    estimator : estimator to fit.
    params : parameters accepted by the engine's ``check_params``; the string ``none`` stands for None.
    seed : seed of all random parts.
    multi : whether a song may have several genres; then one classifier is fitted per genre.
    """
    classifier = estimator.factory()
    known = classifier.get_params(deep=True)
    settings = {key: None if value == "none" else value for key, value in params.items() if key != "scaler"}
    settings |= {key: seed % 2**32 for key in known if key.rpartition("__")[2] == "random_state"}
    classifier.set_params(**settings)  # n_jobs stays None: one thread
    scaler = SCALERS[params.get("scaler", "standard")]
    return Pipeline(
        [
            ("imputer", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scaler", scaler() if scaler is not None else "passthrough"),
            ("estimator", OneVsRestClassifier(classifier) if multi else classifier),
        ]
    )


#: Rows are scored in blocks of this size; see ``_by_row``.
_ROWS = 256


@dataclass(frozen=True)
class SklearnModel(RowModel):
    """A fitted pipeline, with sigmoids if its margins are calibrated."""

    pipeline: Pipeline
    n_classes: int
    multi: bool
    sigmoids: Sigmoids | None = None

    format = "skops"

    @property
    def score_kind(self) -> ScoreKind:
        """Kind of the scores: margin if the estimator has no probabilities and is not calibrated, else probability."""
        return "probability" if self.sigmoids is not None or hasattr(self.pipeline, "predict_proba") else "margin"

    @property
    def n_features(self) -> int:
        """Number of input columns."""
        return int(self.pipeline[0].n_features_in_)

    def scores(self, X: Array) -> Array:
        """Probability (or margin) of each class, (n_rows, n_classes) float64.

        A class without training rows gets probability 0, or the row's lowest margin minus 1.
        """
        raw = self.raw_scores(X)
        return raw if self.sigmoids is None else self.sigmoids.probabilities(raw, self.multi)

    def raw_scores(self, X: Array) -> Array:
        """Scores before calibration, (n_rows, n_classes)."""
        margins = not hasattr(self.pipeline, "predict_proba")
        values = self._by_row(self.pipeline.decision_function if margins else self.pipeline.predict_proba, X)
        if values.ndim == 1:
            values = np.stack([-values, values], axis=1)
        seen = np.asarray(self.pipeline.classes_, dtype=int)
        if len(seen) == self.n_classes:
            return values
        full = np.zeros((len(values), self.n_classes))
        if margins:
            full += values.min(axis=1, keepdims=True) - 1.0
        full[:, seen] = values
        return full

    def _by_row(self, function: Callable[[Array], Array], X: Array) -> Array:
        """Apply ``function`` so that a row's result does not depend on the other rows of the batch, to the bit.

        Batches differ between clusters, and the order of BLAS's sums depends on the number of rows. So rows are passed
        in blocks of one size, the last one padded. Trees (comparisons only) and libsvm (row by row) do not need this.
        """
        kind = type(self.pipeline[-1])
        if kind.__module__.startswith(("sklearn.ensemble", "sklearn.tree")) or kind.__name__ == "SVC":
            return np.asarray(function(X), dtype=float)
        found = []
        for start in range(0, max(len(X), 1), _ROWS):
            block = X[start : start + _ROWS]
            whole = np.zeros((_ROWS, X.shape[1]), dtype=X.dtype)
            whole[: len(block)] = block
            found.append(np.asarray(function(whole), dtype=float)[: len(block)])
        return np.concatenate(found)

    def calibrated(self, sigmoids: Sigmoids | None) -> "SklearnModel":
        """Return the model with calibrated margins; with None, without calibration."""
        return replace(self, sigmoids=sigmoids)

    def dumps(self) -> bytes:
        """Content of the skops file; unlike a pickle, it is read without running code from the file."""
        content: JsonObject = {"pipeline": self.pipeline, "n_classes": self.n_classes, "multi": self.multi}
        if self.sigmoids is not None:
            content |= {"slope": self.sigmoids.slope, "offset": self.sigmoids.offset}
        return skops.io.dumps(content, compression=ZIP_DEFLATED, compresslevel=6)


def read_fields(content: bytes) -> JsonView:
    """Read the content of a skops file.

    Raises
    ------
    ModelError : the file is of another kind, or has types that neither :data:`TRUSTED` nor skops trusts.
    """
    check_schema(content)
    try:
        unknown = sorted(set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED))
    except Exception as error:
        raise ModelError(f"the model file cannot be read as skops: {error}") from None
    if unknown:
        raise ModelError(f"the model file holds types that are not trusted: {', '.join(unknown)}. It was not loaded.")
    try:
        return dict(skops.io.loads(content, trusted=list(TRUSTED)))
    except Exception as error:
        raise ModelError(f"the model file cannot be loaded: {type(error).__name__}: {error}") from None


def loads(content: bytes) -> SklearnModel:
    """Read a skops file of one pipeline.

    Raises
    ------
    ModelError : see :func:`read_fields`; or the file is not a pipeline.
    """
    fields = read_fields(content)
    try:
        sigmoids = Sigmoids(fields["slope"], fields["offset"]) if "slope" in fields else None
        model = SklearnModel(fields["pipeline"], int(fields["n_classes"]), bool(fields["multi"]), sigmoids)
        check_arrays(model.pipeline, model.n_features)
        return model
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"the model file cannot be loaded: {type(error).__name__}: {error}") from None


def fit(
    estimator: Estimator, trial: Trial, files: MatrixFiles, settings: GridSettings, rows: Array
) -> tuple[SklearnModel, list[str]]:
    """Fit an estimator with a candidate's parameters; see :meth:`.task_engine.TaskEngine.fit`."""
    facts = estimator.facts
    exceeded = limits(facts, len(rows), files.n_classes)
    if exceeded is not None:
        raise CandidateLimit(*exceeded)
    y = files.array("y")[rows]
    weight = files.array("weight")[rows] if settings.weights else None
    notes = []
    if weight is not None and not (facts.multi_weights if files.multi else facts.weights):
        weight = None
        notes.append(f"{trial.estimator} does not support weights: all rows have the same weight")
    pipeline = make_pipeline(estimator, trial.params, trial.seed, files.multi)
    X = files.array("X")
    notes += fit_pipeline(pipeline, lambda: np.array(X[rows], dtype=np.float32), y, weight)
    return SklearnModel(pipeline, files.n_classes, files.multi), notes


def fit_pipeline(pipeline: Pipeline, take: Callable[[], Array], y: Array, weight: Array | None) -> list[str]:
    """Fit a pipeline step by step on one private copy of the rows, changed in place.

    Saves memory: ``Pipeline.fit`` keeps a copy of the matrix per step, and ``SimpleImputer`` sorts a masked copy of the
    whole matrix. Here all steps work on one copy, and medians are computed column by column.

    Parameters
    ----------
    pipeline : from :func:`make_pipeline`; fitted in place.
    take : returns a new (n_rows, n_features) float32 array, which is overwritten.
    y : (n_rows,) int class index, or (n_rows, n_classes) bool.
    weight : (n_rows,) float, or None for equal weights or an estimator without weights.

    Returns
    -------
    Messages of convergence warnings.
    """
    imputer, scaler, estimator = (step for _, step in pipeline.steps)
    X = take()
    _fit_imputer(imputer, X)
    with _in_place(imputer):
        X = imputer.transform(X)
    if scaler != "passthrough":
        with _in_place(scaler):
            X = scaler.fit_transform(X)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        if weight is None:
            estimator.fit(X, y)
        elif y.ndim == 2:  # one-vs-rest passes weights by metadata routing only
            with config_context(enable_metadata_routing=True):
                estimator.estimator.set_fit_request(sample_weight=True)
                estimator.fit(X, y, sample_weight=weight)
            for one in (estimator.estimator, *estimator.estimators_):
                vars(one).pop("_metadata_request", None)  # skops cannot write it, and it is no longer needed
        else:
            estimator.fit(X, y, sample_weight=weight)
    return sorted({str(one.message).splitlines()[0] for one in caught if issubclass(one.category, ConvergenceWarning)})


def _fit_imputer(imputer: SimpleImputer, X: Array) -> None:
    medians = np.zeros(X.shape[1], dtype=X.dtype)
    for k in range(X.shape[1]):
        column = X[:, k]
        known = column[~np.isnan(column)]
        medians[k] = np.median(known) if len(known) else 0.0
    imputer.fit(X[:1])
    imputer.statistics_ = medians


class _in_place:
    """Context in which a transformer overwrites its input."""

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def __enter__(self) -> None:
        self.transformer.set_params(copy=False)

    def __exit__(self, *_: object) -> None:
        self.transformer.set_params(copy=True)


def own_importances(model: SklearnModel) -> Array | None:
    """Impurity-based importances (n_features,) of a forest or tree; None for other models."""
    found = [one.feature_importances_ for one in _classifiers(model) if hasattr(one, "feature_importances_")]
    return np.mean(np.asarray(found, dtype=np.float64), axis=0) if found else None


def column_weights(model: SklearnModel, X: Array) -> Array | None:
    """Importances of a forest or tree, or mean absolute coefficients of standardised columns of a linear model.

    Returns
    -------
    (n_features,); None for other models.
    """
    if (own := own_importances(model)) is not None:
        return own
    slopes = [np.abs(np.atleast_2d(one.coef_)).mean(axis=0) for one in _classifiers(model) if hasattr(one, "coef_")]
    if not slopes:
        return None
    spread = np.nanstd(X, axis=0) if model.pipeline[1] == "passthrough" else 1.0
    return np.asarray(np.nan_to_num(np.mean(slopes, axis=0) * spread), dtype=np.float64)


def _classifiers(model: SklearnModel) -> list[object]:
    """The classifier, or the classifiers of one-vs-rest."""
    last = model.pipeline[-1]
    return list(last.estimators_) if isinstance(last, OneVsRestClassifier) else [last]
