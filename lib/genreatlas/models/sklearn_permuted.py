"""What a Spark task does to measure importances of a stored scikit-learn model: swap a column, score, put it back.

The judged rows lie once on every worker. A feature's columns get the values of other rows in place, so a variant costs
one prediction and no copy of the rows: with 6,373 columns, rows with one feature changed would be 6,373 times the data.
No pyspark here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from genreatlas.models.sklearn_model import Model
from genreatlas.models.sklearn_predict import load_once
from genreatlas.models.sklearn_worker import locate

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
