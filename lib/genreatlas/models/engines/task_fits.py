"""Work of one Spark task of the grid: fit without a fold and score on it, or fit on all rows and return the model.

A song may have many rows (clips, frames). Its score for a genre is the mean over its rows, so that every song has the
same weight. No pyspark here: the functions take and return Arrow batches and read the memory-mapped matrix files.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from genreatlas.datasets.sending import locate
from genreatlas.datasets.sparse_labels import labels_of
from genreatlas.errors import Reason, environment_fault
from genreatlas.metrics import TOTALS_METRICS, Score, score, score_predicted, version_of
from genreatlas.metrics.block_ranking import block_ranking
from genreatlas.models.confidence import Confidence
from genreatlas.models.engines import adopt, get_task_engine
from genreatlas.models.engines.calibration import Array, Sigmoids, can_calibrate, fit_sigmoids, fold_splits
from genreatlas.models.engines.file_models import FileModel, blocks
from genreatlas.models.engines.held_out import HeldOut, parts_to_hold_out
from genreatlas.models.engines.protocol import Engine
from genreatlas.models.engines.song_blocks import song_blocks
from genreatlas.models.types import FoldResult, FoldTask, Trial
from genreatlas.watching import MOST_DEATHS, watching

#: Schema of the rows that :func:`score_batches` returns, one per task.
FOLD_RESULT = (
    "experiment_id string, fold int, score double, train_score double, reason string, detail string, seconds double, "
    "metric_version int, n_absent int"
)
#: Schema of the rows that :func:`refit_batches` returns: the model file in pieces, or the reason why there is none.
REFITTED = (
    "piece int, content binary, format string, score_kind string, reason string, detail string, seconds double, "
    "confidence string"
)

#: Maximum number of scores (rows × classes) for the training score. With 3,000 genres this is 20,000 songs, with a
#: standard error of at most 0.35 points.
MOST_FITTED = 60_000_000

#: Maximum number of scores that are ranked in memory: 128 MB, with several copies.
_MOST_RANKED = 16_000_000

#: Size of the pieces of a model file; far below 128 MB, the limit of a message on Connect.
PIECE_BYTES = 8_000_000

_FOLD_SCHEMA = pa.schema(
    [
        ("experiment_id", pa.string()),
        ("fold", pa.int32()),
        ("score", pa.float64()),
        ("train_score", pa.float64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("seconds", pa.float64()),
        ("metric_version", pa.int32()),
        ("n_absent", pa.int32()),
    ]
)
_REFIT_SCHEMA = pa.schema(
    [
        ("piece", pa.int32()),
        ("content", pa.binary()),
        ("format", pa.string()),
        ("score_kind", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("seconds", pa.float64()),
        ("confidence", pa.string()),
    ]
)


@dataclass(frozen=True)
class MatrixFiles:
    """Location and shape of the matrix for a task.

    ``folder`` is a path that every worker can read; None means that the files were sent as artifacts. ``sequences`` is
    the folder of the shards with the clips if rows of X are clips (:mod:`genreatlas.datasets.sequences`).
    """

    dataset_id: str
    n_classes: int
    multi: bool
    folder: str | None = None
    features: tuple[str, ...] = ()  #: names of the columns
    sequences: str | None = None

    def array(self, name: str) -> Array:
        """Open an array of :class:`genreatlas.datasets.types.Matrix`, memory-mapped and read-only."""
        array = np.asarray(np.load(locate(f"{self.dataset_id}-{name}.npy", self.folder), mmap_mode="r"))
        return labels_of(array, self.multi) if name == "y" else array


@dataclass(frozen=True)
class GridSettings:
    """Settings of ``[train]`` for a task; tasks record under ``mark`` that they run (:mod:`genreatlas.watching`)."""

    metric: str
    calibrate: bool
    weights: bool
    mark: str = ""


def with_engines(
    engines: Sequence[Engine],
    work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Register engines that are not built in, then run a task's work."""
    for engine in engines:
        adopt(engine)
    return work(batches)


def score_batches(
    tasks: Sequence[FoldTask], files: MatrixFiles, settings: GridSettings, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Run the tasks whose indices are in column ``id``; one row of ``FOLD_RESULT`` per task.

    A task whose worker was killed twice before is returned as failed, as another attempt would be killed again.
    """
    with watching(settings.mark) as before:
        for batch in batches:
            for index in batch.column("id").to_pylist():
                task = tasks[index]
                if before.deaths < MOST_DEATHS:
                    result = score_fold(task, files, settings)
                else:
                    reason = Reason.FIT_FAILED.value
                    version = version_of(settings.metric)
                    result = FoldResult(
                        task.experiment_id, task.fold, None, None, reason, before.message, 0.0, version
                    )  # fmt: skip
                yield pa.RecordBatch.from_pylist([asdict(result)], schema=_FOLD_SCHEMA)


def refit_batches(
    trial: Trial, files: MatrixFiles, settings: GridSettings, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Fit one candidate on all rows; rows of ``REFITTED``."""
    for batch in batches:
        for _ in range(batch.num_rows):
            for row in refit_rows(trial, files, settings):
                yield pa.RecordBatch.from_pylist([row], schema=_REFIT_SCHEMA)


def score_fold(task: FoldTask, files: MatrixFiles, settings: GridSettings) -> FoldResult:
    """Fit a candidate without one fold and score it on that fold, on one thread.

    The score depends on the task and the matrix only, never on the worker. A failure is a result with a reason. A fit
    that did not converge has a score and a note in ``detail``.
    """
    started = time.perf_counter()
    held_out = train_score = reason = n_absent = None
    with threadpool_limits(1):
        try:
            fold = files.array("fold")
            model, notes = fit(task.trial, files, settings, np.flatnonzero(fold != task.fold))
            held_out, n_absent = score_rows(model, files, settings.metric, np.flatnonzero(fold == task.fold))
            fitted = some_songs(files.array("song"), np.flatnonzero(fold != task.fold), files.n_classes)
            train_score = score_rows(model, files, settings.metric, fitted).value
            detail = "; ".join(notes) or None
        except CandidateLimit as limit:
            reason, detail = limit.reason.value, limit.detail
        except Exception as error:
            held_out, (reason, detail) = None, _fault(error)
    seconds = time.perf_counter() - started
    version = version_of(settings.metric)
    return FoldResult(task.experiment_id, task.fold, held_out, train_score, reason, detail, seconds, version, n_absent)


def refit_rows(trial: Trial, files: MatrixFiles, settings: GridSettings) -> Iterator[dict[str, object]]:
    """Fit a candidate on all rows, calibrate it on held-out folds, and yield its file in pieces."""
    started = time.perf_counter()
    empty = {
        "piece": 0, "content": b"", "format": "", "score_kind": "", "reason": None, "detail": None, "confidence": None,
    }  # fmt: skip
    try:
        with threadpool_limits(1):
            model, notes = fit(trial, files, settings, np.arange(len(files.array("fold"))))
            calibrated = getattr(model, "calibrated", None)
            sigmoids, margins = None, np.empty((0, files.n_classes), dtype=np.float32)
            if calibrated is not None and model.score_kind == "margin" and settings.calibrate:
                sigmoids, margins = calibrate(trial, files, settings)
                model = calibrated(sigmoids)
            confidence = None
            if can_be_sure(trial, model, settings):
                scores = None if sigmoids is None else sigmoids.probabilities(margins, multi=False)
                confidence, unsure = find_confidence(trial, files, settings, scores)
                notes += unsure
        content = model.dumps()
        get_task_engine(trial.engine).loads(
            content
        )  # fails now, not when scoring, if a parameter brought in a type that is not trusted
    except CandidateLimit as limit:
        yield empty | {"reason": limit.reason.value, "detail": limit.detail, "seconds": time.perf_counter() - started}
        return
    except Exception as error:
        reason, detail = _fault(error)
        yield empty | {"reason": reason, "detail": detail, "seconds": time.perf_counter() - started}
        return
    row = empty | {"format": model.format, "score_kind": model.score_kind, "detail": "; ".join(notes) or None}
    row |= {"seconds": time.perf_counter() - started}
    row |= {"confidence": None if confidence is None else json.dumps(confidence.to_json())}
    for piece, start in enumerate(range(0, len(content), PIECE_BYTES)):
        yield row | {"piece": piece, "content": content[start : start + PIECE_BYTES]}


class CandidateLimit(Exception):
    """The data set is too large for the candidate."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def fit(trial: Trial, files: MatrixFiles, settings: GridSettings, rows: Array) -> tuple[FileModel, list[str]]:
    """Fit a candidate on some rows of the matrix with its engine; see :meth:`.task_engine.TaskEngine.fit`."""
    return get_task_engine(trial.engine).fit(trial, files, settings, rows)


def calibrate(trial: Trial, files: MatrixFiles, settings: GridSettings) -> tuple[Sigmoids | None, Array]:
    """Fit sigmoids on margins of held-out folds; folds never divide a group.

    Returns
    -------
    The sigmoids and the margins (n_rows, n_classes); None and no rows if a class is in fewer than two folds.
    """
    y, fold, song, X = files.array("y")[:], files.array("fold"), files.array("song"), files.array("X")
    if not can_calibrate(y, fold, files.n_classes):
        return None, np.empty((0, files.n_classes), dtype=np.float32)
    margins = np.empty((len(fold), files.n_classes), dtype=np.float32)
    for train, held_out in fold_splits(fold):
        model, _ = fit(trial, files, settings, train)
        for block in blocks(len(held_out), X.shape[1] + 2 * files.n_classes):
            margins[held_out[block]] = model.matrix_scores(X, held_out[block], song)
    return fit_sigmoids(margins, y, files.array("weight") if settings.weights else None), margins


def can_be_sure(trial: Trial, model: FileModel, settings: GridSettings) -> bool:
    """Whether a model gets temperatures and prediction sets: one genre per song, probabilities, not a baseline."""
    is_baseline = get_task_engine(trial.engine).is_baseline
    return settings.calibrate and model.score_kind == "probability" and not model.multi and not is_baseline


def find_confidence(
    trial: Trial, files: MatrixFiles, settings: GridSettings, scores: Array | None = None
) -> tuple[Confidence | None, list[str]]:
    """Fit temperatures and prediction sets on held-out songs.

    Parameters
    ----------
    scores : (n_rows, n_classes) probabilities by models that were fitted without the row's fold; None: they are
        computed.

    Returns
    -------
    The fit, None if there are too few songs; and notes for the user.
    """
    fold, group, y, song = (files.array(name) for name in ("fold", "group", "y", "song"))
    held = HeldOut(files.array("X"), y, song, group, files.n_classes)
    if len(np.unique(fold)) < 2:
        return None, []
    if scores is not None:
        held.add_scores(scores, fold_splits(fold))
    is_dear = get_task_engine(trial.engine).dear
    parts = fold_splits(fold) if is_dear or scores is not None else parts_to_hold_out(fold, group, y, song)
    for train, held_out in parts if scores is None else ():
        held.add(fit(trial, files, settings, train)[0], train, held_out)
        if held.is_enough:
            break
    return held.confidence()


def score_rows(model: FileModel, files: MatrixFiles, metric: str, rows: Array) -> Score:
    """Score a model on some rows, at song level by the mean score of each song's rows.

    Only the predictions of each block of songs are kept. Ranking metrics need all scores; if there are too many, they
    are computed twice instead.
    """
    song, y, X = files.array("song"), files.array("y"), files.array("X")
    found = song_blocks(model, X, song, rows)
    if metric in TOTALS_METRICS:
        pairs = [(block.rows, np.argmax(block.means, axis=1)) for block in found]
        if not pairs:
            raise ValueError("the fold has no rows")
        first, predicted = (np.concatenate(column) for column in zip(*pairs, strict=True))
        return score_predicted(metric, y[first], predicted, files.n_classes)
    if len(rows) * files.n_classes > _MOST_RANKED:

        def twice() -> Iterator[tuple[Any, Array, Array]]:
            for block in song_blocks(model, X, song, rows):
                yield y, block.rows, block.means

        return block_ranking(metric, twice, files.n_classes)
    every = list(found)
    if not every:
        raise ValueError("the fold has no rows")
    first = np.concatenate([block.rows for block in every])
    return score(metric, y[first], np.concatenate([block.means for block in every]))


def some_songs(song: Array, rows: Array, n_classes: int) -> Array:
    """Rows for the training score: all, or if scores (rows × classes) exceed :data:`MOST_FITTED`, every n-th song."""
    most = max(1, MOST_FITTED // n_classes)
    if len(rows) <= most:
        return rows
    every = -(-len(rows) // most)
    of_row = np.asarray(song[rows])
    _, place = np.unique(of_row, return_inverse=True)
    return np.asarray(rows[place % every == 0])


def _fault(error: Exception) -> tuple[str, str]:
    """Reason code and message; faults of the worker's environment (a missing library) have a reason of their own."""
    if (missing := environment_fault(error)) is not None:
        return Reason.ENVIRONMENT_FAULT.value, missing
    return Reason.FIT_FAILED.value, _in_words(error)


def _in_words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:500]
