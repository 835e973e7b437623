"""scikit-learn: each candidate is fitted on one core, many candidates in parallel."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.models.engines.scikit_learn.sklearn_facts import ESTIMATORS, QUICK, RESERVED, SCALERS
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.types import Trial

if TYPE_CHECKING:
    from genreatlas.models.engines.scikit_learn.sklearn_pipelines import SklearnModel
    from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles


class ScikitLearn(TaskEngine):
    """The engine ``sklearn``; its modules are imported by the methods that need them."""

    name = "sklearn"
    title = "scikit-learn"
    imputation = "median of the training part; 0 where a feature has no value there"
    estimators = ESTIMATORS
    scalers = SCALERS
    quick = QUICK
    formats: ClassVar[Mapping[str, str]] = {"skops": "model.skops"}

    def grid_errors(self, estimator: str, grid: Mapping[str, Sequence[object]]) -> list[str]:
        """List all errors in a grid of parameters of the scikit-learn class.

        Parameters of AdaBoost's tree have the prefix ``estimator__``.
        """
        reserved = [key for key in grid if key.rpartition("__")[2] in RESERVED]
        found = [
            f"train.candidates: {estimator}: {key} is always set from [train] and one thread a task. Drop it."
            for key in reserved
        ]
        return found + super().grid_errors(estimator, {key: grid[key] for key in grid if key not in reserved})

    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: AnyArray
    ) -> "tuple[SklearnModel, list[str]]":
        """Fit a pipeline of imputer, scaler and estimator."""
        from genreatlas.models.engines.scikit_learn import sklearn_pipelines

        estimator = sklearn_pipelines.ESTIMATORS[trial.estimator]
        return sklearn_pipelines.fit(estimator, trial, files, settings, rows)

    def loads(self, content: bytes) -> "SklearnModel":
        """Read a skops file; only classes that training writes are accepted."""
        from genreatlas.models.engines.scikit_learn import sklearn_pipelines

        return sklearn_pipelines.loads(content)

    def importances(self, model: "SklearnModel", features: Sequence[str]) -> Mapping[str, float]:
        """Impurity-based importance of each column, for forests and trees; else empty."""
        from genreatlas.models.engines.scikit_learn import sklearn_pipelines

        own = sklearn_pipelines.own_importances(model)
        return {} if own is None else dict(zip(features, own.tolist(), strict=True))

    def weights(self, model: "SklearnModel", X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Importances of the model, or mean absolute coefficients of a linear model; None if it has neither."""
        from genreatlas.models.engines.scikit_learn import sklearn_pipelines

        return sklearn_pipelines.column_weights(model, X)
