"""NumPy: estimators for thousands of genres with little time and memory; each candidate on one core.

scikit-learn's estimators keep several float64 arrays of songs × genres: 450,000 songs × 3,000 genres are 11 GB each.
The estimators here read the memory-mapped matrix in blocks, and their memory grows with columns × genres only.

========================  ==============================================================================================
nearest_profile           nearest mean of a genre (nearest centroid), with the same variance in all directions
lda                       linear discriminant analysis from sums over the songs: one pass, no iterations
logistic_regression       multinomial, by mini-batches: no assumption on the distribution of a genre's songs
multilayer_perceptron     with one hidden layer: non-linear borders, genres with several kinds of songs
knn                       shares of genres among the nearest songs; by faiss if installed
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
        """Why an estimator cannot be fitted: also multi-label data, or too many songs for k-NN without faiss."""
        if matrix.in_buckets and matrix.n_features > MOST_COLUMNS_OF_SUMS:
            return Reason.TOO_MUCH_MEMORY, (
                f"{matrix.n_features:,} columns; sums computed in Spark are limited to "
                f"{MOST_COLUMNS_OF_SUMS:,} columns. Raise train.max_matrix_mb"
            )
        return limits(self.get_estimator(estimator), matrix.n_rows, matrix.n_classes) or self._unfit(
            estimator, matrix.n_rows, matrix.multi
        )

    def _unfit(self, estimator: str, n_rows: int, multi: bool) -> tuple[Reason, str] | None:
        if multi and estimator in ONE_GENRE:
            return (
                Reason.SEVERAL_GENRES,
                "songs have several genres (train.labels = multi); this estimator predicts one",
            )
        if estimator == "knn" and n_rows > MOST_ROWS_WITHOUT_FAISS and not has_faiss():
            return Reason.TOO_MANY_ROWS, (
                f"{n_rows:,} rows; without faiss this estimator takes at most {MOST_ROWS_WITHOUT_FAISS:,}. Install "
                "genreatlas[neighbours]"
            )
        return None

    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: AnyArray
    ) -> "tuple[ArrayModel, list[str]]":
        """Fit an estimator; columns are imputed and scaled block by block."""
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
        """Return the grid that computes sums in Spark."""
        from genreatlas.models.engines.thousands.sums_grid import SumsGrid

        return SumsGrid

    def loads(self, content: bytes) -> "ArrayModel":
        """Read an ``.npz`` file of numeric arrays."""
        from genreatlas.models.engines.thousands import array_files

        return array_files.loads(content)

    def weights(self, model: "ArrayModel", X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Mean absolute weight of each scaled column; None for k-NN."""
        return model.column_weights()

    def importances(self, model: "ArrayModel", features: Sequence[str]) -> Mapping[str, float]:
        """Empty, as these estimators have no importances of their own."""
        return {}
