"""Base classes of engines whose model is one file, and of engines that fit each candidate in one Spark task.

A :class:`FileEngine` implements reading the file; scoring with and without Spark and importances are in
:mod:`.task_grid` and :mod:`.task_answers`. A :class:`TaskEngine` also implements fitting a candidate on rows of the
matrix; the distributed grid is in :mod:`.task_grid` and :mod:`.task_fits`.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.errors import ModelError
from genreatlas.models.engines.file_models import FileModel
from genreatlas.models.engines.judged_rows import JudgedRows
from genreatlas.models.engines.protocol import Engine, StoredModel
from genreatlas.models.types import Trial

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from genreatlas.datasets.types import Matrix
    from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles
    from genreatlas.models.engines.task_grid import TaskGrid
    from genreatlas.models.meta import Meta


class FileEngine(Engine):
    """Base of engines whose model is one file."""

    @abstractmethod
    def loads(self, content: bytes) -> FileModel:
        """Read the result of :meth:`FileModel.dumps`; ModelError if it is something else."""

    def importances(self, model: Any, features: Sequence[str]) -> Mapping[str, float]:
        """Importance of each feature column from the model itself; empty if it has none."""
        return {}

    def weights(self, model: Any, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Approximate weight of each column, used to preselect columns; None if the model has none."""
        return None

    def load(self, meta: "Meta", path: Path) -> "StoredFile":
        """Return a handle; the file is read by the workers when it is used."""
        return StoredFile(meta, path, self)

    def open(self, path: Path) -> FileModel:
        """Read a model file; a ModelError names the file."""
        try:
            return self.loads(path.read_bytes())
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None


class TaskEngine(FileEngine):
    """Base of engines that fit a candidate on one core."""

    def fit_mb(self, estimator: str, params: Mapping[str, object], matrix: "Matrix") -> int:
        """Upper estimate of the memory of a fit, in 2**20 bytes."""
        sizes = (matrix.n_rows, matrix.n_features, matrix.n_classes)
        return self.get_estimator(estimator).memory.mb(params, *sizes)

    @abstractmethod
    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: AnyArray
    ) -> tuple[FileModel, list[str]]:
        """Fit a candidate on some rows of the matrix; runs in a Spark task, on one thread.

        Parameters
        ----------
        files : location of the matrix.
        settings : settings of the ``[train]`` section.
        rows : indices of the rows.

        Returns
        -------
        The uncalibrated model, and notes on the fit (no convergence, weights not used).

        Raises
        ------
        CandidateLimit : more rows or classes than the estimator is meant for.
        """

    def fitter(self) -> "type[TaskGrid]":
        """Return the grid that all engines of this kind share."""
        from genreatlas.models.engines.task_grid import TaskGrid

        return TaskGrid


@dataclass(frozen=True)
class StoredFile(StoredModel):
    """A stored model of an engine whose model is one file."""

    engine: FileEngine

    def predict(self, frame: "DataFrame") -> "DataFrame":
        """Score clips in Arrow batches."""
        from genreatlas.models.engines import task_grid

        return task_grid.predict(frame.sparkSession, frame, self.engine.name, self.path, self.layout.given)

    def predict_songs(
        self, frame: "DataFrame", most: int = 0, families: Sequence[int] | None = None
    ) -> "DataFrame | None":
        """Score songs in Arrow batches of whole songs; None if all scores of a song are kept."""
        from genreatlas.models.engines import task_grid
        from genreatlas.models.engines.song_blocks import TOP

        if len(self.classes) <= TOP:
            return None
        engine, given = self.engine.name, self.layout.given
        return task_grid.predict_songs(
            frame.sparkSession, frame, engine, self.path, given, self.confidence, TOP, most, families
        )

    def importances(self) -> Mapping[str, float]:
        """Importance of each feature column from the model itself."""
        return self.engine.importances(self.engine.open(self.path), self.features)

    def weights(self, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Approximate weight of each column from the model itself."""
        return self.engine.weights(self.engine.open(self.path), X)

    def permuted_answers(
        self, spark: "SparkSession", rows: JudgedRows, blocks: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, int], AnyArray]:
        """Compute the predictions in tasks that permute columns in place."""
        from genreatlas.models.engines import task_grid

        return task_grid.permuted_answers(spark, self.engine.name, self.path, rows, blocks, self.multi)
