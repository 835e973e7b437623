"""Engines whose candidates are each fitted in one Spark task on one core, and whose model is one file.

Such an engine says how a candidate is fitted on rows of the matrix and how its file is read. The grid over all cores,
scoring in Spark and without, and importances come from :mod:`.task_grid`, :mod:`.task_fits` and :mod:`.task_answers`.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.errors import ModelError
from genreatlas.models.engines.protocol import Clips, ClipScores, Engine, FileModel, JudgedRows, StoredModel
from genreatlas.models.meta import Meta
from genreatlas.models.types import Trial

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles
    from genreatlas.models.engines.task_grid import TaskGrid


class TaskEngine(Engine):
    """What an engine of this kind says beside its facts."""

    @abstractmethod
    def fit(
        self, trial: Trial, files: "MatrixFiles", settings: "GridSettings", rows: NDArray[Any]
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

    @abstractmethod
    def loads(self, content: bytes) -> FileModel:
        """Read what :meth:`FileModel.dumps` gave; ModelError where it is something else."""

    def importances(self, model: Any, features: Sequence[str]) -> Mapping[str, float]:
        """How much each column counts, by a model itself; empty where it does not say."""
        return {}

    def weights(self, model: Any, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """How much each column counts, to choose which are looked at closely; None where a model does not say."""
        return None

    def fitter(self) -> "type[TaskGrid]":
        """All engines of this kind share one grid."""
        from genreatlas.models.engines.task_grid import TaskGrid

        return TaskGrid

    def load(self, meta: Meta, path: Path) -> "TaskModel":
        """The file is read where it is used: by the workers."""
        return TaskModel(meta, path, self)

    def open(self, path: Path) -> FileModel:
        """Read a model file; ModelError names the file."""
        try:
            return self.loads(path.read_bytes())
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None


@dataclass(frozen=True)
class TaskModel(StoredModel):
    """A stored model of such an engine."""

    engine: TaskEngine

    def predict(self, frame: "DataFrame") -> "DataFrame":
        """Score clips in Arrow batches."""
        from genreatlas.models.engines import task_grid

        return task_grid.predict(frame.sparkSession, frame, self.engine.name, self.path, self.layout.given)

    def importances(self) -> Mapping[str, float]:
        """What the engine reads from the model."""
        return self.engine.importances(self.engine.open(self.path), self.features)

    def weights(self, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """What the engine reads from the model."""
        return self.engine.weights(self.engine.open(self.path), X)

    def permuted_answers(
        self, spark: "SparkSession", rows: JudgedRows, blocks: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, int], NDArray[Any]]:
        """Answers of tasks that swap columns in place."""
        from genreatlas.models.engines import task_grid

        return task_grid.permuted_answers(spark, self.engine.name, self.path, rows, blocks, self.multi)


class RowModel:
    """A model in memory that scores rows, each by itself: :class:`FileModel` made of ``scores`` and a few facts.

    A subclass has ``format``, ``n_classes``, ``n_features``, ``multi``, ``score_kind``, ``dumps`` and ``scores``. One
    whose ``score_kind`` is margin may have ``calibrated``, which gives it with a sigmoid for each class.
    """

    def matrix_scores(self: Any, X: NDArray[Any], rows: Any, song: NDArray[Any]) -> NDArray[np.float64]:
        """Scores of some rows of a training matrix; see :meth:`FileModel.matrix_scores`."""
        return np.asarray(self.scores(X[rows]))

    def clip_scores(self: Any, clips: Clips) -> ClipScores:
        """Scores of clips added up over their rows.

        Raises
        ------
        ModelError : a clip's rows are not as wide as the model was trained on.
        """
        wrong = (clips.widths != self.n_features) | (clips.lengths % max(self.n_features, 1) != 0)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ModelError(
                f"clip {clips.clips[at]} has {clips.widths[at]} features; the model was trained on {self.n_features}"
            )
        n_rows = clips.lengths // self.n_features
        X = clips.values.reshape(-1, self.n_features)
        clip_of_row = np.repeat(np.arange(len(n_rows)), n_rows)
        sums = np.zeros((len(n_rows), self.n_classes))
        counted = np.zeros((len(n_rows), self.n_classes), dtype=np.int64)
        for block in blocks(len(X), self.n_features):
            scores = self.scores(X[block])
            np.add.at(sums, clip_of_row[block], scores)
            np.add.at(counted, clip_of_row[block], votes(scores, self))
        return ClipScores(n_rows, sums, counted)


def votes(scores: NDArray[np.float64], model: FileModel) -> NDArray[np.int64]:
    """1 where a row speaks for a class: its highest score; with several labels, every class that it predicts."""
    if model.multi:
        return (scores > 0 if model.score_kind == "margin" else scores >= 0.5).astype(np.int64)
    found = np.zeros(scores.shape, dtype=np.int64)
    found[np.arange(len(scores)), np.argmax(scores, axis=1)] = 1
    return found


def blocks(n_rows: int, n_features: int, block_bytes: int = 32_000_000) -> Iterable[slice]:
    """Cut rows into slices of at most ``block_bytes`` of float32, so that scoring needs little memory."""
    step = max(1, block_bytes // max(1, 4 * n_features))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
