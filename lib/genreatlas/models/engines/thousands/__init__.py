"""NumPy: estimators whose time and memory stay small with thousands of genres; every candidate on one core.

scikit-learn's estimators keep a score of every song and genre, in float64 and several times: 450,000 songs × 3,000
genres are 11 GB. These read the matrix where it lies, in blocks, and keep what grows with columns × genres only.

========================  ==============================================================================================
nearest_profile           nearest mean of a genre, all directions alike: what the profile of a genre is worth by itself
lda                       linear discriminant analysis, from sums over the songs: one pass, no iterations
logistic_regression       multinomial, by mini-batches: no assumption on how the songs of a genre are spread
multilayer_perceptron     one hidden layer before it: curved borders, genres that have several kinds of songs
knn                       shares of genres among the nearest songs, by faiss where there are many
========================  ==============================================================================================
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.errors import Reason
from genreatlas.models.engines.estimators import limits
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.engines.thousands.thousands_facts import (
    ESTIMATORS,
    MOST_COLUMNS_OF_SUMS,
    MOST_ROWS_WITHOUT_FAISS,
    ONE_GENRE,
    SCALERS,
    has_faiss,
)
from genreatlas.models.types import Trial

if TYPE_CHECKING:
    from genreatlas.datasets.types import Matrix
    from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles
    from genreatlas.models.engines.thousands.array_models import ArrayModel
    from genreatlas.models.engines.thousands.sums_grid import SumsGrid


class Thousands(TaskEngine):
    """The engine ``numpy``; its modules are imported by the methods that need them."""

    name = "numpy"
    title = "NumPy"
    noun = "NumPy estimator"
    imputation = "median of the training part; 0 where a feature has no value there"
    estimators = ESTIMATORS
    scalers = SCALERS
    formats: ClassVar[Mapping[str, str]] = {"arrays": "model.npz"}
    without_matrix = ONE_GENRE

    def over_limit(self, estimator: str, matrix: "Matrix") -> tuple[Reason, str] | None:
        """Also several genres for who tells one, and many songs for k-NN without faiss."""
        if matrix.in_buckets and matrix.n_features > MOST_COLUMNS_OF_SUMS:
            return Reason.TOO_MUCH_MEMORY, (
                f"{matrix.n_features:,} columns; sums that Spark makes where the rows are take at most "
                f"{MOST_COLUMNS_OF_SUMS:,}. Raise train.max_matrix_mb"
            )
        return limits(self.get_estimator(estimator), matrix.n_rows, matrix.n_classes) or self._unfit(
            estimator, matrix.n_rows, matrix.multi
        )

    def _unfit(self, estimator: str, n_rows: int, multi: bool) -> tuple[Reason, str] | None:
        if multi and estimator in ONE_GENRE:
            return Reason.SEVERAL_GENRES, "songs have several genres (train.labels = multi); this estimator tells one"
        if estimator == "knn" and n_rows > MOST_ROWS_WITHOUT_FAISS and not has_faiss():
            return Reason.TOO_MANY_ROWS, (
                f"{n_rows:,} rows; without faiss this estimator takes at most {MOST_ROWS_WITHOUT_FAISS:,}. Install "
                "genreatlas[neighbours]"
            )
        return None

    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: AnyArray
    ) -> "tuple[ArrayModel, list[str]]":
        """Fit an estimator on columns that are imputed and scaled block by block."""
        from genreatlas.models.engines.task_fits import CandidateLimit
        from genreatlas.models.engines.thousands import discriminants, nearest_songs, networks
        from genreatlas.models.engines.thousands.array_models import Columns, Table

        exceeded = limits(self.get_estimator(trial.estimator), len(rows), files.n_classes)
        if exceeded := exceeded or self._unfit(trial.estimator, len(rows), files.multi):
            raise CandidateLimit(*exceeded)
        X, params = files.array("X"), dict(trial.params)
        weight = files.array("weight")[rows] if settings.weights else None
        columns = Columns.of(X, rows, params.pop("scaler", SCALERS[0]))
        table = Table(X, rows, columns, files.array("y"), weight, files.n_classes)
        if trial.estimator in ("lda", "nearest_profile"):
            return discriminants.fit(table, trial.estimator, params)
        if trial.estimator == "knn":
            return nearest_songs.fit(table, params)
        hidden = int(params.pop("hidden", 256)) if trial.estimator == "multilayer_perceptron" else 0
        return networks.fit(table, hidden, trial.seed, networks.Settings(**params))

    def large_fitter(self) -> "type[SumsGrid]":
        """Sums are made by Spark."""
        from genreatlas.models.engines.thousands.sums_grid import SumsGrid

        return SumsGrid

    def loads(self, content: bytes) -> "ArrayModel":
        """Read an ``.npz`` file of arrays of numbers."""
        from genreatlas.models.engines.thousands import array_files

        return array_files.loads(content)

    def weights(self, model: "ArrayModel", X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Mean absolute weight of a column as the model scales it; None for k-NN."""
        return model.column_weights()

    def importances(self, model: "ArrayModel", features: Sequence[str]) -> Mapping[str, float]:
        """None of them has importances of its own."""
        return {}
