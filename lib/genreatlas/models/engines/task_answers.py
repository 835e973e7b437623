"""What a Spark task does to score clips with a stored scikit-learn model or baseline: one row a clip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from genreatlas.errors import ModelError
from genreatlas.models.engines.baseline.dummies import Dummy
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import Model, blocks, load_file
from genreatlas.models.engines.task_fits import locate

#: Arrow form of :data:`genreatlas.models.types.PREDICTED`.
_PREDICTED_SCHEMA = pa.schema(
    [
        ("song_id", pa.string()),
        ("clip_id", pa.string()),
        ("n_rows", pa.int32()),
        ("score_sum", pa.list_(pa.float64())),
        ("votes", pa.list_(pa.int32())),
    ]
)


def predict_batches(name: str, folder: str | None, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Score the clips of each batch.

    Parameters
    ----------
    name : file name of the model, an artifact unless ``folder`` (which every worker can read) is given.
    batches : with song_id, clip_id and features array<float>, or of clips with several rows frames array<float> and
        width int; missing features are NULL or NaN.

    Returns
    -------
    Batches of ``PREDICTED``. Frames never leave the worker.
    """
    model = load_once(locate(name, folder))
    with threadpool_limits(1):
        for batch in batches:
            yield predict_batch(model, batch)


def predict_batch(model: Model, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Score one batch of clips; see :func:`predict_batches`.

    Raises
    ------
    ModelError : a clip's features are NULL or not as many as the model was trained on.
    """
    songs, clips = batch.column("song_id"), batch.column("clip_id")
    several = "width" in batch.schema.names
    column = batch.column("frames" if several else "features")
    if column.null_count:
        raise ModelError(f"clip {clips[_first(pc.is_null(column))]} has no features to score")
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    widths = batch.column("width").to_numpy(zero_copy_only=False).astype(np.int64) if several else lengths
    if isinstance(model, Dummy):
        rows = lengths // np.maximum(widths, 1) if several else np.ones(len(lengths), dtype=np.int64)
        scores = model.scores(songs.to_pylist())
        return _batch(songs, clips, rows, scores * rows[:, None], _votes(scores, model) * rows[:, None])
    wrong = (widths != model.n_features) | (lengths % max(model.n_features, 1) != 0)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ModelError(f"clip {clips[at]} has {widths[at]} features; the model was trained on {model.n_features}")
    rows = lengths // model.n_features
    values = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    X = values.reshape(-1, model.n_features)
    clip_of_row = np.repeat(np.arange(len(rows)), rows)
    sums = np.zeros((len(rows), model.n_classes))
    votes = np.zeros((len(rows), model.n_classes), dtype=np.int64)
    for block in blocks(len(X), model.n_features):
        scores = model.scores(X[block])
        np.add.at(sums, clip_of_row[block], scores)
        np.add.at(votes, clip_of_row[block], _votes(scores, model))
    return _batch(songs, clips, rows, sums, votes)


def _votes(scores: NDArray[np.float64], model: Model) -> NDArray[np.int64]:
    """1 where a row speaks for a class: its highest score; with several labels, every class that it predicts."""
    if model.multi:
        return (scores > 0 if model.score_kind == "margin" else scores >= 0.5).astype(np.int64)
    votes = np.zeros(scores.shape, dtype=np.int64)
    votes[np.arange(len(scores)), np.argmax(scores, axis=1)] = 1
    return votes


def _batch(
    songs: pa.Array, clips: pa.Array, rows: NDArray[np.int64], sums: NDArray[np.float64], votes: NDArray[np.int64]
) -> pa.RecordBatch:
    offsets = pa.array(np.arange(len(rows) + 1) * sums.shape[1], type=pa.int32())
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), type=kind))
        for values, kind in ((sums, pa.float64()), (votes, pa.int32()))
    ]
    columns = [songs.cast(pa.string()), clips.cast(pa.string()), pa.array(rows, type=pa.int32()), *lists]
    return pa.RecordBatch.from_arrays(columns, schema=_PREDICTED_SCHEMA)


def _first(mask: pa.Array) -> int:
    return int(np.flatnonzero(mask.to_numpy(zero_copy_only=False))[0])


@lru_cache(maxsize=2)
def load_once(path: str) -> Model:
    """Read a model once per worker process; its name holds its hash."""
    return load_file(path)


#: Rows that :func:`permuted_batches` returns: answers of all songs, in order, with one block of columns swapped.
PERMUTED = "block int, repeat int, answers binary"

_PERMUTED_SCHEMA = pa.schema([("block", pa.int32()), ("repeat", pa.int32()), ("answers", pa.binary())])


@dataclass(frozen=True)
class JudgedRows:
    """Rows that importances are measured on.

    Attributes
    ----------
    X : (n_rows, n_features) float32, NaN = missing; rows of a song stand together.
    song : (n_rows,) index of the song, ascending from 0 without gaps.
    donor : (repeats, n_rows) place of the row whose value a row gets.
    """

    X: NDArray[np.float32]
    song: NDArray[np.int64]
    donor: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file."""
        with path.open("wb") as file:
            np.savez(file, X=self.X, song=self.song, donor=self.donor)

    @classmethod
    def load(cls, path: str) -> "JudgedRows":
        """Read the file; ``X`` is a copy of one's own."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["X"], stored["song"], stored["donor"])


def song_means(model: Model, rows: JudgedRows) -> NDArray[np.float64]:
    """Mean score of every class over a song's rows, (n_songs, n_classes)."""
    scores = model.scores(rows.X)
    starts = np.flatnonzero(np.diff(rows.song, prepend=-1))
    counts = np.diff(np.append(starts, len(rows.song)))
    return np.asarray(np.add.reduceat(scores, starts, axis=0) / counts[:, None])


def permuted(
    model: Model, rows: JudgedRows, blocks: Sequence[tuple[int, tuple[int, ...]]]
) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Mean scores of songs with each block of columns taken from other rows.

    Parameters
    ----------
    blocks : number and columns of each; no columns leave the rows as they are, and are scored once.

    Yields
    ------
    Block number, repeat, and (n_songs, n_classes) mean scores.
    """
    for number, columns in blocks:
        if not columns:
            yield number, 0, song_means(model, rows)
            continue
        places = list(columns)
        kept = rows.X[:, places].copy()
        for repeat, donor in enumerate(rows.donor):
            rows.X[:, places] = kept[donor]
            yield number, repeat, song_means(model, rows)
        rows.X[:, places] = kept


def permuted_batches(
    model: str,
    rows: str,
    tasks: Sequence[Sequence[tuple[int, tuple[int, ...]]]],
    multi: bool,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Answers for the blocks of the tasks whose indices come in as column ``id``.

    Parameters
    ----------
    model, rows : artifacts: the model's file, and :meth:`JudgedRows.save`'s.
    multi : answers are float64 mean scores of every class; else the int32 class with the highest, the first of equal.
    """
    for batch in batches:
        for task in batch.column("id").to_pylist():
            with threadpool_limits(1):
                loaded, judged = load_once(locate(model, None)), JudgedRows.load(locate(rows, None))
                for block, repeat, means in permuted(loaded, judged, tasks[task]):
                    answers = means if multi else np.argmax(means, axis=1).astype(np.int32)
                    yield pa.RecordBatch.from_pylist(
                        [{"block": block, "repeat": repeat, "answers": answers.tobytes()}], schema=_PERMUTED_SCHEMA
                    )
