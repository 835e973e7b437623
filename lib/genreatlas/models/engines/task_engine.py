"""Engines whose model is one file, and those of them whose candidates are each fitted in one Spark task on one core.

The first say how the file is read: scoring in Spark and without, and importances, come from :mod:`.task_grid` and
:mod:`.task_answers`. The second say how a candidate is fitted on rows of the matrix, too: the grid over all cores comes
from :mod:`.task_grid` and :mod:`.task_fits`.
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
    """What an engine whose model is one file says beside its facts and how it fits."""

    @abstractmethod
    def loads(self, content: bytes) -> FileModel:
        """Read what :meth:`FileModel.dumps` gave; ModelError where it is something else."""

    def importances(self, model: Any, features: Sequence[str]) -> Mapping[str, float]:
        """How much each column counts, by a model itself; empty where it does not say."""
        return {}

    def weights(self, model: Any, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """How much each column counts, to choose which are looked at closely; None where a model does not say."""
        return None

    def load(self, meta: "Meta", path: Path) -> "StoredFile":
        """The file is read where it is used: by the workers."""
        return StoredFile(meta, path, self)

    def open(self, path: Path) -> FileModel:
        """Read a model file; ModelError names the file."""
        try:
            return self.loads(path.read_bytes())
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None


class TaskEngine(FileEngine):
    """What an engine that fits a candidate on one core says, too."""

    def fit_mb(self, estimator: str, params: Mapping[str, object], matrix: "Matrix") -> int:
        """Memory that a fit takes at most, in 2**20 bytes, by an estimate."""
        sizes = (matrix.n_rows, matrix.n_features, matrix.n_classes)
        return self.get_estimator(estimator).memory.mb(params, *sizes)

    @abstractmethod
    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: AnyArray
    ) -> tuple[FileModel, list[str]]:
        """Fit a candidate on some rows of the matrix; it runs in a Spark task, on one thread.

        Parameters
        ----------
        files : where the matrix is.
        rows : indices of the rows.

        Returns
        -------
        The model, not calibrated, and what is to be noted of the fit (no convergence, weights not used).

        Raises
        ------
        CandidateLimit : more rows or classes than the estimator is meant for.
        """

    def fitter(self) -> "type[TaskGrid]":
        """All engines of this kind share one grid."""
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
        """Score songs in Arrow batches of whole songs, where there are more genres than are kept of each."""
        from genreatlas.models.engines import task_grid
        from genreatlas.models.engines.song_blocks import TOP

        if len(self.classes) <= TOP:
            return None
        engine, given = self.engine.name, self.layout.given
        return task_grid.predict_songs(
            frame.sparkSession, frame, engine, self.path, given, self.confidence, TOP, most, families
        )

    def importances(self) -> Mapping[str, float]:
        """What the engine reads from the model."""
        return self.engine.importances(self.engine.open(self.path), self.features)

    def weights(self, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """What the engine reads from the model."""
        return self.engine.weights(self.engine.open(self.path), X)

    def permuted_answers(
        self, spark: "SparkSession", rows: JudgedRows, blocks: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, int], AnyArray]:
        """Answers of tasks that swap columns in place."""
        from genreatlas.models.engines import task_grid

        return task_grid.permuted_answers(spark, self.engine.name, self.path, rows, blocks, self.multi)
