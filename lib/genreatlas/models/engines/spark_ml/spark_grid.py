"""Fit and score Spark ML candidates on the same folds as the other engines."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from genreatlas.datasets.types import Matrix
from genreatlas.errors import EnvironmentFaultError, ModelError, Reason, environment_fault
from genreatlas.metrics import Score, metric_for, score, version_of
from genreatlas.models.engines.calibration import can_calibrate, fit_sigmoids
from genreatlas.models.engines.protocol import TrainingData
from genreatlas.models.engines.spark_ml.spark_pipelines import (
    Fit,
    Prepared,
    SparkModel,
    calibrated,
    column_names,
    fit,
    fixed_partitions,
    in_order,
    margins,
    prepare,
    sum_scores,
)
from genreatlas.models.engines.spark_ml.stored_pipelines import FittedPipeline
from genreatlas.models.types import FoldResult, FoldTask, Trial

#: Number of fits at the same time. Each fit is a chain of short jobs with idle cores in between; results do not depend
#: on other fits.
PARALLEL = 3


class SparkGrid:
    """Fits candidates on one feature set; see :class:`genreatlas.models.engines.protocol.Fitter`.

    Holds the rows and the fitted preprocessing stages that candidates share. Rows are staged because every fit reads
    them several times.
    """

    def __init__(self, data: TrainingData) -> None:
        dataset, matrix = data.dataset, data.matrix
        self.dataset = dataset
        self.matrix = matrix
        self.rows = data.rows().select("song_id", "clip_id", "frame", "fold", "genres", "weight", "features")
        self.train = data.train
        self.columns = column_names(matrix.features)
        self._known = _known_values(matrix)
        self._prepared: dict[tuple[int | None, str], Prepared] = {}
        self._locks: dict[tuple[int | None, str], Lock] = {}
        songs = dataset.songs[dataset.songs.part == "train"]
        self._fold = dict(zip(songs.song_id, songs.fold.astype(int), strict=True))
        index = {genre: number for number, genre in enumerate(dataset.classes)}
        self._genres = {
            song: [index[g] for g in genres] for song, genres in zip(songs.song_id, songs.genres, strict=True)
        }

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """Fit and score candidates on folds; yields one result at a time, in the order of ``tasks``.

        A failed fit is a result with a reason. An exception is raised only if Spark has died or the workers'
        environment is faulty, such as a missing library.
        """
        spark = self.rows.sparkSession
        with fixed_partitions(spark), ThreadPoolExecutor(PARALLEL, initializer=_activate, initargs=(spark,)) as pool:
            try:
                yield from ([result] for result in pool.map(self._score_fold, tasks))
            finally:
                pool.shutdown(cancel_futures=True)

    def refit(self, trial: Trial) -> FittedPipeline:
        """Fit a candidate on the whole training part; margins are calibrated on held-out folds.

        Margins are not calibrated if a class has songs in one fold only.

        Raises
        ------
        ModelError : the fit failed.
        """
        started = time.perf_counter()
        try:
            with fixed_partitions(self.rows.sparkSession):
                model = self._fit(trial, None)
                if model.score_kind == "margin" and self.train.calibrate:
                    y, fold = self.matrix.array("y")[:], self.matrix.array("fold")
                    if can_calibrate(y, fold, self.matrix.n_classes):
                        model = self._calibrate(trial, model)
        except Exception as error:
            self._raise_if_spark_is_gone()
            raise ModelError(
                f"{trial.name}: fitting it on the whole training part failed: {_in_words(error)}"
            ) from error
        return FittedPipeline(model, time.perf_counter() - started)

    def _raise_if_spark_is_gone(self) -> None:
        self.rows.sparkSession.range(1).count()

    def _score_fold(self, task: FoldTask) -> FoldResult:
        started = time.perf_counter()
        held_out = train_score = reason = detail = n_absent = None
        try:
            model = self._fit(task.trial, task.fold)
            (held_out, n_absent), (train_score, _) = self._judge(model, task.fold)
        except Exception as error:
            self._raise_if_spark_is_gone()
            if missing := environment_fault(error):
                raise EnvironmentFaultError(
                    f"train_models: no candidate can be fitted: {missing}. Fix this and run it again"
                ) from error
            reason, detail = Reason.FIT_FAILED.value, _in_words(error)
        seconds = time.perf_counter() - started
        version = version_of(metric_for(self.train.metric, self.matrix.multi))
        return FoldResult(
            task.experiment_id, task.fold, held_out, train_score, reason, detail, seconds, version, n_absent
        )

    def _fit(self, trial: Trial, held_out: int | None) -> SparkModel:
        rows = self.rows if held_out is None else self.rows.where(F.col("fold") != held_out)
        scaler = str(trial.params.get("scaler", "standard"))
        task = Fit(
            classes=self.matrix.classes,
            present=self._present(held_out),
            columns=self.columns,
            n_values=self.matrix.n_rows * self.matrix.n_features,
            multi=self.matrix.multi,
            weights=self.train.balance == "weights",
        )
        return fit(rows, trial, self._prepare(rows, held_out, scaler), task)

    def _prepare(self, rows: DataFrame, held_out: int | None, scaler: str) -> Prepared:
        key = (held_out, scaler)
        with self._locks.setdefault(key, Lock()):
            if key not in self._prepared:
                used = [place for place, fold in enumerate(self.matrix.folds) if fold != held_out]
                empty = self._known[used].sum(axis=0) == 0
                self._prepared[key] = prepare(rows, self.columns, empty.tolist(), scaler)
            return self._prepared[key]

    def _present(self, held_out: int | None) -> tuple[int, ...]:
        y = self.matrix.array("y")[:]
        if held_out is not None:
            y = y[self.matrix.array("fold") != held_out]
        if self.matrix.multi:  # without genres that no song or every song has
            return tuple(int(k) for k in np.flatnonzero(y.any(axis=0) & ~y.all(axis=0)))
        return tuple(int(k) for k in np.unique(y))

    def _judge(self, model: SparkModel, held_out: int) -> tuple[Score, Score]:
        rows = in_order(self.rows, self.matrix.n_rows * self.matrix.n_features)
        scored = model.score(rows.select("song_id", "clip_id", "frame", "features"))
        sums = sum_scores(scored, ["song_id"], self.matrix.n_classes, model.score_kind, self.matrix.multi)
        table = sums.select("song_id", "n_rows", "score_sum").toArrow().sort_by("song_id")
        songs = table.column("song_id").to_pylist()
        means = np.array(table.column("score_sum").to_pylist()) / table.column("n_rows").to_numpy()[:, None]
        held = np.array([self._fold[song] == held_out for song in songs])
        truth = self._truth(songs)
        metric = metric_for(self.train.metric, self.matrix.multi)
        return score(metric, truth[held], means[held]), score(metric, truth[~held], means[~held])

    def _truth(self, songs: Sequence[str]) -> NDArray[np.generic]:
        if not self.matrix.multi:
            return np.array([self._genres[song][0] for song in songs])
        hits = np.zeros((len(songs), self.matrix.n_classes), dtype=bool)
        for row, song in enumerate(songs):
            hits[row, self._genres[song]] = True
        return hits

    def _calibrate(self, trial: Trial, model: SparkModel) -> SparkModel:
        songs: list[str] = []
        found = []
        for fold in self.matrix.folds:
            held = self.rows.where(F.col("fold") == fold).select("song_id", "clip_id", "frame", "features")
            names, values = margins(self._fit(trial, fold), held, self.matrix.n_rows * self.matrix.n_features)
            songs += names
            found.append(values)
        weights = dict(zip(self.dataset.songs.song_id, self.dataset.songs.weight, strict=True))
        weight = np.array([weights[song] for song in songs]) if self.train.balance == "weights" else None
        return calibrated(model, fit_sigmoids(np.concatenate(found), self._truth(songs), weight))


def _known_values(matrix: Matrix) -> NDArray[np.int64]:
    """Number of non-missing values per fold and feature, (n_folds, n_features)."""
    X, fold = matrix.array("X"), matrix.array("fold")
    known = np.zeros((len(matrix.folds), matrix.n_features), dtype=np.int64)
    step = max(1, 4_000_000 // max(1, matrix.n_features))
    for start in range(0, matrix.n_rows, step):
        values = ~np.isnan(X[start : start + step])
        for place, number in enumerate(matrix.folds):
            known[place] += values[fold[start : start + step] == number].sum(axis=0)
    return known


def _activate(spark: SparkSession) -> None:
    """Set the active session of a thread. On Connect it is per thread, and tree models need it."""
    if known := getattr(type(spark), "_set_default_and_active_session", None):
        known(spark)


def _in_words(error: BaseException) -> str:
    lines = str(error).partition("JVM stacktrace")[0].strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:500]
