"""The distributed grid of engines that fit on one core: every (candidate, fold) is one Spark task on one thread.

The matrix is stored once on the driver as ``.npy``, sent to each worker as an artifact, and memory-mapped there, so
that it uses neither the driver's heap nor a broadcast. Works on classic Spark and on Spark Connect.
:mod:`genreatlas.datasets.sending` describes which files remain.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from genreatlas.arrays import AnyArray
from genreatlas.config import TrainSection
from genreatlas.datasets.sending import copy_once, send_file
from genreatlas.datasets.types import Matrix
from genreatlas.errors import ConfigError, EnvironmentFaultError, ModelError, Reason
from genreatlas.metrics import metric_for, version_of
from genreatlas.models.confidence import Confidence
from genreatlas.models.engines import get_task_engine, not_built_in
from genreatlas.models.engines.judged_rows import JudgedRows
from genreatlas.models.engines.protocol import TrainingData
from genreatlas.models.engines.task_answers import PERMUTED, answer_batches, permuted_batches, predict_batches
from genreatlas.models.engines.task_fits import (
    FOLD_RESULT,
    REFITTED,
    GridSettings,
    MatrixFiles,
    refit_batches,
    score_batches,
    with_engines,
)
from genreatlas.models.types import ANSWERED, PREDICTED, FittedModel, FoldResult, FoldTask, Trial
from genreatlas.scratch import scratch_folder
from genreatlas.watching import machine_mb, new_mark, watched

#: Tasks per core in one Spark job of the grid. More tasks leave cores idle less often; fewer tasks mean that a killed
#: run has less to repeat.
TASKS_A_CORE = 8

#: Share of the machine's memory for all tasks together; the rest is for Spark, the driver and the system.
TASKS_SHARE = 0.75

#: Maximum number of Spark tasks for permutation importances.
_PERMUTED_TASKS = 16

#: Messages of Spark when a Python worker or an executor died instead of raising an exception.
_WORKER_DIED = (
    "Python worker exited unexpectedly",
    "Python worker process terminated",
    "ExecutorLostFailure",
    "EOFException",
    "WorkerKilledError",
)
_DEATH = "the worker process died while fitting it (out of memory, or a crash in a library)"
_LESS = "Lower train.max_songs or train.frames_per_song, or leave the candidate out"


class TaskGrid:
    """Fits candidates on one feature set; see :class:`genreatlas.models.engines.protocol.Fitter`."""

    def __init__(self, data: TrainingData) -> None:
        self.data = data
        self._cores: int | None = None

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """Fit and score candidates on folds; yields the results of each Spark job."""
        if self._cores is None:
            self._cores = _cores(self.data.spark)
        size = (tasks_a_core or TASKS_A_CORE) * self._cores
        for start in range(0, len(tasks), size):
            some = tasks[start : start + size]
            sizes = [fit_mb(task.trial, self.data.matrix) for task in some]
            for job in side_by_side(some, sizes, self._cores, room_mb(self.data.spark)):
                yield score_folds(self.data.spark, self.data.matrix, job, self.data.train)

    def refit(self, trial: Trial) -> FittedModel:
        """Fit a candidate on the whole training part; ModelError if it fails."""
        return refit(self.data.spark, self.data.matrix, trial, self.data.train)


def side_by_side(
    tasks: Sequence[FoldTask], sizes: Sequence[int], cores: int, room: int | None
) -> Iterator[list[FoldTask]]:
    """Split tasks into Spark jobs so that the tasks that run at the same time fit into memory.

    Small tasks form one job, in their order. Jobs of large tasks contain as many as fit into memory.

    Parameters
    ----------
    sizes : memory of each task, in 2**20 bytes.
    cores : number of tasks that run at the same time.
    room : memory for all tasks together, in 2**20 bytes; None if unknown.
    """
    large = [place for place, size in enumerate(sizes) if room is not None and size * cores > room]
    if small := [task for place, task in enumerate(tasks) if place not in set(large)]:
        yield small
    job: list[FoldTask] = []
    held = 0
    for place in sorted(large, key=lambda place: sizes[place]):
        if job and (len(job) == cores or held + sizes[place] > (room or 0)):
            yield job
            job, held = [], 0
        job.append(tasks[place])
        held += sizes[place]
    if job:
        yield job


def score_folds(
    spark: SparkSession, matrix: Matrix, tasks: Sequence[FoldTask], train: TrainSection
) -> list[FoldResult]:
    """Run each task as one Spark task and return one result per task, in the order of ``tasks``.

    A failed candidate is a result with a reason. A candidate that kills its worker is found by bisection of the tasks
    and also becomes such a result; the others keep their scores.

    Raises
    ------
    ConfigError : the matrix is larger than ``train.max_matrix_mb``; raised before any task starts.
    """
    if not tasks:
        return []
    files = send_matrix(spark, matrix, train)
    return _score(spark, tasks, files, _settings(matrix, train))


def refit(spark: SparkSession, matrix: Matrix, trial: Trial, train: TrainSection) -> FittedModel:
    """Fit a candidate on the whole training part, in one Spark task, and return its file.

    Margins are calibrated on held-out folds if every class is in at least two folds; else ``score_kind`` is margin.

    Raises
    ------
    ConfigError : the matrix is larger than ``train.max_matrix_mb``.
    ModelError : the fit failed.
    """
    files = send_matrix(spark, matrix, train)
    work = partial(refit_batches, trial, files, _settings(matrix, train))
    worker = watched(_with_engines([trial.engine], work))
    try:
        pieces = spark.range(0, 1, 1, 1).mapInArrow(worker, REFITTED).collect()
    except Exception as error:
        if not any(sign in str(error) for sign in _WORKER_DIED):
            raise
        spark.range(1).count()  # raises if Spark itself, not only the worker, has died
        raise ModelError(f"{trial.name}: fitting it on the whole training part: {_DEATH}. {_LESS}") from None
    pieces.sort(key=lambda row: row["piece"])
    first = pieces[0]
    _end_at_environment_fault(first["reason"], first["detail"])
    if first["reason"] is not None:
        raise ModelError(f"{trial.name}: fitting it on the whole training part failed: {first['detail']}")
    content = b"".join(bytes(row["content"]) for row in pieces)
    confidence = json.loads(first["confidence"]) if first["confidence"] else None
    return FittedModel(content, first["format"], first["score_kind"], first["seconds"], confidence, first["detail"])


def predict(
    spark: SparkSession,
    frame: DataFrame,
    engine: str,
    model: Path,
    given: Sequence[str],
    folder_is_shared: bool = False,
) -> DataFrame:
    """Score clips with a stored model.

    Parameters
    ----------
    frame : columns song_id, clip_id and ``given``.
    engine : name of the engine that reads the model.
    model : file with :attr:`FittedModel.content`.
    given : :attr:`genreatlas.audio.layouts.Layout.given` of the model's layout.
    folder_is_shared : whether every worker can read ``model`` at its path; else the file is sent to the workers.

    Returns
    -------
    Lazy frame with one row of ``PREDICTED`` per clip.
    """
    if folder_is_shared:
        worker = partial(predict_batches, engine, model.name, str(model.parent.absolute()))
    else:
        worker = partial(predict_batches, engine, _send_model(spark, model), None)
    return frame.select("song_id", "clip_id", *given).mapInArrow(watched(_with_engines([engine], worker)), PREDICTED)


def predict_songs(
    spark: SparkSession,
    frame: DataFrame,
    engine: str,
    model: Path,
    given: Sequence[str],
    confidence: Confidence | None,
    kept: int,
    most: int,
    families: Sequence[int] | None,
) -> DataFrame:
    """Score songs with a stored model.

    Parameters
    ----------
    frame : columns song_id, clip_id, truth and ``given``.
    engine, model, given : see :func:`predict`.
    confidence : the model's calibration and prediction sets.
    kept : number of highest scores returned per song; the true genre's score is added.
    most : size of the largest prediction set whose genres are returned.
    families : index of the family of each class, from 0; None: no sums over families.

    Returns
    -------
    Lazy frame with one row of ``ANSWERED`` per song.
    """
    worker = partial(answer_batches, engine, _send_model(spark, model), None, confidence, kept, most, families)
    songs = frame.select("song_id", "clip_id", "truth", *given).repartition("song_id")
    whole = songs.sortWithinPartitions("song_id", "clip_id")
    return whole.mapInArrow(watched(_with_engines([engine], worker)), ANSWERED)


def permuted_answers(
    spark: SparkSession, engine: str, model: Path, rows: JudgedRows, blocks: Sequence[tuple[int, ...]], multi: bool
) -> dict[tuple[int, int], AnyArray]:
    """Predictions with the values of a block of columns permuted between rows; block -1 is without permutation.

    Returns
    -------
    By block and repeat: (n_songs,) class with the highest mean score; multi-label: all mean scores, flat.
    """
    folder = scratch_folder("sent")
    unnamed = folder / f".judged-{os.getpid()}.npz"
    rows.save(unnamed)
    name = f"judged-{hashlib.sha256(unnamed.read_bytes()).hexdigest()[:20]}.npz"
    unnamed.replace(folder / name)
    send_file(spark, folder / name)
    numbered = [(-1, ()), *enumerate(blocks)]
    n_tasks = max(1, min(_PERMUTED_TASKS, len(numbered)))
    tasks = [numbered[task::n_tasks] for task in range(n_tasks)]
    work = partial(permuted_batches, engine, _send_model(spark, model), name, tasks, multi)
    worker = _with_engines([engine], work)
    kind = np.float64 if multi else np.int32
    found = spark.range(0, n_tasks, 1, n_tasks).mapInArrow(worker, PERMUTED).toArrow().to_pylist()
    return {(row["block"], row["repeat"]): np.frombuffer(row["answers"], kind) for row in found}


def send_matrix(spark: SparkSession, matrix: Matrix, train: TrainSection) -> MatrixFiles:
    """Send the files of a matrix to the workers once per session, or copy them to ``train.shared_path``."""
    if train.shared_path is not None:
        folder = train.shared_path.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for name in matrix.ARRAYS:
            copy_once(matrix.file(name), folder / matrix.file(name).name)
        return MatrixFiles(
            matrix.dataset_id, matrix.n_classes, matrix.multi, str(folder), matrix.features, matrix.sequences
        )
    megabytes = matrix.n_bytes / 1e6
    if megabytes > train.max_matrix_mb and not matrix.in_buckets:  # else only labels are sent
        raise ConfigError(
            f"the training matrix has {megabytes:,.0f} MB ({matrix.n_rows:,} rows of {matrix.n_features:,} features); "
            f"train.max_matrix_mb = {train.max_matrix_mb:,} is the most that is sent to every worker. Raise it, lower "
            "train.max_songs or train.frames_per_song, or name a folder that all workers can read in train.shared_path."
        )
    for name in matrix.ARRAYS:
        send_file(spark, matrix.file(name))
    return MatrixFiles(
        matrix.dataset_id, matrix.n_classes, matrix.multi, features=matrix.features, sequences=matrix.sequences
    )


def _score(
    spark: SparkSession, tasks: Sequence[FoldTask], files: MatrixFiles, settings: GridSettings
) -> list[FoldResult]:
    work = partial(score_batches, tuple(tasks), files, settings)
    worker = _with_engines([task.trial.engine for task in tasks], work)
    try:
        # One partition and one Spark task per task; without a shuffle, adaptive execution does not coalesce them.
        rows = spark.range(0, len(tasks), 1, len(tasks)).mapInArrow(worker, FOLD_RESULT).collect()
    except Exception as error:  # classic Spark raises a py4j error here, Connect a PySparkException
        if not any(sign in str(error) for sign in _WORKER_DIED):
            raise
        if len(tasks) > 1:
            middle = len(tasks) // 2
            halves = (tasks[:middle], tasks[middle:])
            return [result for half in halves for result in _score(spark, half, files, settings)]
        spark.range(1).count()  # raises if Spark itself, not only the worker, has died
        detail = f"{_DEATH}. {_LESS}"
        return [
            FoldResult(
                tasks[0].experiment_id, tasks[0].fold, None, None, Reason.FIT_FAILED.value, detail, 0.0,
                version_of(settings.metric),
            )
        ]  # fmt: skip
    for row in rows:
        _end_at_environment_fault(row["reason"], row["detail"])
    found = {(row["experiment_id"], row["fold"]): FoldResult(**row.asDict()) for row in rows}
    return [found[task.experiment_id, task.fold] for task in tasks]


def _with_engines(names: Iterable[str], work: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a worker function so that the engines it needs are sent along, unless they are built in."""
    added = not_built_in(names)
    return partial(with_engines, added, work) if added else work


def room_mb(spark: SparkSession) -> int | None:
    """Memory for all tasks on this machine, in 2**20 bytes; None on a cluster, whose machines are unknown."""
    # A Connect session does not have this key; its workers may be on other machines.
    is_local = (spark.conf.get("spark.master", None) or "").startswith("local")
    return int(TASKS_SHARE * machine_mb()) if is_local else None


def fit_mb(trial: Trial, matrix: Matrix) -> int:
    """Upper estimate of the memory of a candidate's fit, in 2**20 bytes."""
    return get_task_engine(trial.engine).fit_mb(trial.estimator, trial.params, matrix)


def _cores(spark: SparkSession) -> int:
    """Number of cores of a job: the default number of partitions of a range."""
    numbers = spark.range(100_000).select(F.spark_partition_id().alias("partition"))
    return max(1, numbers.distinct().count())


def _end_at_environment_fault(reason: str | None, detail: str | None) -> None:
    """Raise if a worker lacks something that every candidate needs, so that no candidate is stored as failed."""
    if reason == Reason.ENVIRONMENT_FAULT:
        raise EnvironmentFaultError(f"train_models: no candidate can be fitted: {detail}. Fix this and run it again")


def _settings(matrix: Matrix, train: TrainSection) -> GridSettings:
    return GridSettings(metric_for(train.metric, matrix.multi), train.calibrate, train.balance == "weights", new_mark())


def _send_model(spark: SparkSession, model: Path) -> str:
    """Send a model file under a name that contains its hash; return the name."""
    name = f"{hashlib.sha256(model.read_bytes()).hexdigest()[:20]}-{model.name}"
    send_file(spark, model, name)
    return name
