"""What a Spark task does with a stored model that is one file: score clips, or songs with a column swapped.

To measure importances the judged rows lie once on every worker. A feature's columns get the values of other rows in
place, so a variant costs one prediction and no copy of the rows: with 6,373 columns, rows with one feature changed
would be 6,373 times the data. No pyspark here.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from genreatlas.datasets.sending import locate
from genreatlas.errors import ModelError
from genreatlas.models.engines import get_engine
from genreatlas.models.engines.protocol import Clips, ClipScores, FileModel, JudgedRows

#: Rows that :func:`permuted_batches` returns: answers of all songs, in order, with one block of columns swapped.
PERMUTED = "block int, repeat int, answers binary"

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
_PERMUTED_SCHEMA = pa.schema([("block", pa.int32()), ("repeat", pa.int32()), ("answers", pa.binary())])


def predict_batches(
    engine: str, name: str, folder: str | None, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Score the clips of each batch.

    Parameters
    ----------
    engine : that reads the model.
    name : file name of the model, an artifact unless ``folder`` (which every worker can read) is given.
    batches : with song_id, clip_id and features array<float>, or of clips with several rows frames array<float> and
        width int; missing features are NULL or NaN.

    Returns
    -------
    Batches of ``PREDICTED``. Frames never leave the worker.
    """
    model = load_once(engine, locate(name, folder))
    with threadpool_limits(1):
        for batch in batches:
            yield predict_batch(model, batch)


def predict_batch(model: FileModel, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Score one batch of clips; see :func:`predict_batches`.

    Raises
    ------
    ModelError : a clip's features are NULL or not as many as the model was trained on.
    """
    songs, clips = batch.column("song_id"), batch.column("clip_id")
    several = "width" in batch.schema.names
    column = batch.column("frames" if several else "features")
    if column.null_count:
        first = int(np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[0])
        raise ModelError(f"clip {clips[first]} has no features to score")
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    widths = batch.column("width").to_numpy(zero_copy_only=False).astype(np.int64) if several else lengths
    return _batch(songs, clips, model.clip_scores(Clips(songs, clips, column, lengths, widths, several)))


def _batch(songs: pa.Array, clips: pa.Array, said: ClipScores) -> pa.RecordBatch:
    offsets = pa.array(np.arange(len(said.n_rows) + 1) * said.sums.shape[1], type=pa.int32())
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), type=kind))
        for values, kind in ((said.sums, pa.float64()), (said.votes, pa.int32()))
    ]
    columns = [songs.cast(pa.string()), clips.cast(pa.string()), pa.array(said.n_rows, type=pa.int32()), *lists]
    return pa.RecordBatch.from_arrays(columns, schema=_PREDICTED_SCHEMA)


@lru_cache(maxsize=2)
def load_once(engine: str, path: str) -> FileModel:
    """Read a model once per worker process; its name holds its hash."""
    return get_engine(engine).open(Path(path))


def song_means(model: FileModel, rows: JudgedRows) -> NDArray[np.float64]:
    """Mean score of every class over a song's rows, (n_songs, n_classes)."""
    scores = model.matrix_scores(rows.X, slice(None), rows.song)
    starts = np.flatnonzero(np.diff(rows.song, prepend=-1))
    counts = np.diff(np.append(starts, len(rows.song)))
    return np.asarray(np.add.reduceat(scores, starts, axis=0) / counts[:, None])


def permuted(
    model: FileModel, rows: JudgedRows, blocks: Sequence[tuple[int, tuple[int, ...]]]
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
    engine: str,
    model: str,
    rows: str,
    tasks: Sequence[Sequence[tuple[int, tuple[int, ...]]]],
    multi: bool,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Answers for the blocks of the tasks whose indices come in as column ``id``.

    Parameters
    ----------
    engine : that reads the model.
    model, rows : artifacts: the model's file, and :meth:`JudgedRows.save`'s.
    multi : answers are float64 mean scores of every class; else the int32 class with the highest, the first of equal.
    """
    for batch in batches:
        for task in batch.column("id").to_pylist():
            with threadpool_limits(1):
                loaded, judged = load_once(engine, locate(model, None)), JudgedRows.load(locate(rows, None))
                for block, repeat, means in permuted(loaded, judged, tasks[task]):
                    answers = means if multi else np.argmax(means, axis=1).astype(np.int32)
                    yield pa.RecordBatch.from_pylist(
                        [{"block": block, "repeat": repeat, "answers": answers.tobytes()}], schema=_PERMUTED_SCHEMA
                    )
