"""Scoring in a Spark task with a stored model that is one file: clips, songs, and songs with permuted columns.

For permutation importances the evaluated rows are sent once to every worker, and columns are permuted in place. So a
permutation costs one prediction and no copy of the rows; with 6,373 columns, a copy per column would be 6,373 times the
data. No pyspark here.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from genreatlas.arrays import AnyArray
from genreatlas.datasets.sending import locate
from genreatlas.errors import ModelError
from genreatlas.models.confidence import Confidence
from genreatlas.models.engines import get_engine
from genreatlas.models.engines.file_models import Clips, ClipScores, FileModel
from genreatlas.models.engines.judged_rows import JudgedRows
from genreatlas.models.engines.song_blocks import BLOCK_BYTES, TOP, song_blocks, sums_of_runs, top_scores, true_ranks

#: Schema of :func:`permuted_batches`: predictions of all songs, in order, with one block of columns permuted.
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
#: Arrow form of :data:`genreatlas.models.types.ANSWERED`.
_ANSWERED_SCHEMA = pa.schema(
    [
        ("song_id", pa.string()),
        *((name, pa.int32()) for name in ("n_rows", "best", "best_by_vote", "n_rows_correct", "higher", "equal")),
        ("places", pa.list_(pa.int32())),
        ("scores", pa.list_(pa.float64())),
        ("vote_places", pa.list_(pa.int32())),
        ("votes", pa.list_(pa.int32())),
        ("set_size", pa.int32()),
        ("in_set", pa.bool_()),
        ("set_places", pa.list_(pa.int32())),
        ("family_places", pa.list_(pa.int32())),
        ("family_scores", pa.list_(pa.float64())),
    ]
)
_PERMUTED_SCHEMA = pa.schema([("block", pa.int32()), ("repeat", pa.int32()), ("answers", pa.binary())])


def predict_batches(
    engine: str, name: str, folder: str | None, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Score the clips of each batch.

    Parameters
    ----------
    engine : name of the engine that reads the model.
    name : file name of the model, an artifact unless ``folder`` is given.
    folder : folder of the file, which every worker can read.
    batches : columns song_id, clip_id and features array<float>; for clips with several rows, frames array<float> and
        width int. Missing features are NULL or NaN.

    Returns
    -------
    Batches of ``PREDICTED``.
    """
    model = load_once(engine, locate(name, folder))
    with threadpool_limits(1):
        for batch in batches:
            yield predict_batch(model, batch)


def predict_batch(model: FileModel, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Score one batch of clips; see :func:`predict_batches`.

    Raises
    ------
    ModelError : a clip's features are NULL, or their number differs from training.
    """
    clips = _clips_of(batch)
    return _batch(clips.songs, clips.clips, model.clip_scores(clips))


def _clips_of(batch: pa.RecordBatch) -> Clips:
    songs, clips = batch.column("song_id"), batch.column("clip_id")
    several = "width" in batch.schema.names
    column = batch.column("frames" if several else "features")
    if column.null_count:
        first = int(np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[0])
        raise ModelError(f"clip {clips[first]} has no features to score")
    if pa.types.is_binary(column.type):
        column = _numbers(column, batch.column("lowest"), batch.column("step"))
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    widths = batch.column("width").to_numpy(zero_copy_only=False).astype(np.int64) if several else lengths
    return Clips(songs, clips, column, lengths, widths, several)


def _numbers(packed: pa.Array, lowest: pa.Array, step: pa.Array) -> pa.ListArray:
    """Lists of float32 from quantised bytes with a scale per clip; see :func:`genreatlas.audio.frames.dequantise`."""
    lengths = pc.binary_length(packed).to_numpy(zero_copy_only=False).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    first, last = np.frombuffer(packed.buffers()[1], dtype=np.int32)[packed.offset :][[0, len(packed)]]
    scales = [np.repeat(one.to_numpy(zero_copy_only=False).astype(np.float32), lengths) for one in (step, lowest)]
    values = np.frombuffer(packed.buffers()[2], dtype=np.uint8)[first:last] * scales[0] + scales[1]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values, pa.float32()))


def _batch(songs: pa.Array, clips: pa.Array, said: ClipScores) -> pa.RecordBatch:
    offsets = pa.array(np.arange(len(said.n_rows) + 1) * said.sums.shape[1], type=pa.int32())
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), type=kind))
        for values, kind in ((said.sums, pa.float64()), (said.votes, pa.int32()))
    ]
    columns = [songs.cast(pa.string()), clips.cast(pa.string()), pa.array(said.n_rows, type=pa.int32()), *lists]
    return pa.RecordBatch.from_arrays(columns, schema=_PREDICTED_SCHEMA)


def answer_batches(
    engine: str,
    name: str,
    folder: str | None,
    confidence: Confidence | None,
    kept: int,
    most: int,
    families: Sequence[int] | None,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Score the songs of each batch and reduce their scores to the columns of ``ANSWERED``.

    Parameters
    ----------
    engine, name, folder : see :func:`predict_batches`.
    confidence : the model's calibration and prediction sets; None: no sets, uncalibrated scores.
    kept : number of highest scores returned per song; the true genre's score is added.
    most : size of the largest prediction set whose genres are returned; of larger sets only the size is returned.
    families : index of the family of each class, from 0; None: no sums over families.
    batches : as for :func:`predict_batches`, with truth int; clips of a song are contiguous, also across batches.
    """
    model = load_once(engine, locate(name, folder))
    family = None if families is None else np.array(families, dtype=np.int64)
    with threadpool_limits(1):
        for songs in _whole_songs(batches, max(1, BLOCK_BYTES // (16 * model.n_classes))):
            yield answer_batch(model, songs, confidence, kept, most, family)


def _whole_songs(batches: Iterator[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """Regroup batches into batches of whole songs with at most ``most`` clips, unless one song has more."""
    rest: pa.RecordBatch | None = None
    for batch in batches:
        whole = batch if rest is None else _joined(rest, batch)
        starts = _starts(whole.column("song_id"))
        at = 0
        for start, end in pairwise(starts.tolist()):
            if end - at > most and start > at:
                yield whole.slice(at, start - at)
                at = start
        last = int(starts[-1]) if len(starts) else 0  # the last song may continue in the next batch
        if last > at:
            yield whole.slice(at, last - at)
        rest = whole.slice(last)
    if rest is not None and rest.num_rows:
        yield rest


def _joined(*batches: pa.RecordBatch) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _starts(songs: pa.Array) -> NDArray[np.int64]:
    """Index of the first clip of each song; clips of a song are contiguous."""
    codes = songs.dictionary_encode().indices.to_numpy()
    return np.flatnonzero(np.diff(codes, prepend=-1))


def answer_batch(
    model: FileModel,
    batch: pa.RecordBatch,
    confidence: Confidence | None = None,
    kept: int = TOP,
    most: int = 0,
    family: NDArray[np.int64] | None = None,
) -> pa.RecordBatch:
    """Score whole songs; see :func:`answer_batches`."""
    said = model.clip_scores(_clips_of(batch))
    starts = _starts(batch.column("song_id"))
    given = batch.column("truth").take(pa.array(starts))
    known = pc.is_valid(given).to_numpy(zero_copy_only=False)
    truth = pc.fill_null(given, 0).to_numpy()
    n_rows, sums, votes = said.n_rows, said.sums, said.votes
    if len(starts) < batch.num_rows:  # a song has several clips
        n_rows, votes = np.add.reduceat(n_rows, starts), np.add.reduceat(votes, starts, axis=0)
        sums = sums_of_runs(sums, starts)
    means = sums / np.maximum(n_rows, 1)[:, None]
    voted = np.where(votes == votes.max(axis=1, keepdims=True), means, -np.inf)
    best, best_by_vote = np.argmax(means, axis=1), np.argmax(voted, axis=1)
    song = np.arange(len(starts))
    sets: list[NDArray[np.int64]] | None = None
    if confidence is not None:
        means = confidence.probabilities(means)
        sets = confidence.sets(means)
    _, higher, equal = true_ranks(means, song, truth)
    places, scores = _highest(means, kept, truth, known)
    chosen = (votes > 0) & (n_rows > 1)[:, None]
    columns = {
        "song_id": batch.column("song_id").take(pa.array(starts)).cast(pa.string()),
        "n_rows": n_rows,
        "best": best,
        "best_by_vote": best_by_vote,
        "n_rows_correct": pa.array(votes[song, truth].astype(np.int32), mask=~known),
        "higher": pa.array(higher.astype(np.int32), mask=~known),
        "equal": pa.array(equal.astype(np.int32), mask=~known),
        "places": places,
        "scores": scores,
        "vote_places": _lists(np.nonzero(chosen)[1], chosen.sum(axis=1), pa.int32()),
        "votes": _lists(votes[chosen], chosen.sum(axis=1), pa.int32()),
        **_sets(sets, most, truth, known),
        **_families(means, kept, truth, known, family),
    }
    arrays = [
        one if isinstance(one, pa.Array) else pa.array(one.astype(np.int32))
        for one in (columns[name] for name in _ANSWERED_SCHEMA.names)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_ANSWERED_SCHEMA)


def _highest(
    values: NDArray[np.float64], kept: int, truth: NDArray[np.integer], known: NDArray[np.bool_]
) -> tuple[pa.ListArray, pa.ListArray]:
    """Places and values of the ``kept`` highest of each row; the true class is appended if it is not among them."""
    places, highest = top_scores(values, kept)
    stored = np.ones((len(values), places.shape[1] + 1), dtype=bool)
    stored[:, -1] = known & ~(places == truth[:, None]).any(axis=1)
    own = values[np.arange(len(values)), truth]
    sizes = stored.sum(axis=1)
    every = np.column_stack([places, truth]).astype(np.int32), np.column_stack([highest, own])
    return _lists(every[0][stored], sizes, pa.int32()), _lists(every[1][stored], sizes, pa.float64())


def _families(
    means: NDArray[np.float64],
    kept: int,
    truth: NDArray[np.integer],
    known: NDArray[np.bool_],
    family: NDArray[np.int64] | None,
) -> dict[str, pa.Array]:
    """Columns with the scores of families, summed over their genres in class order; NULL without families."""
    if family is None:
        kinds = {"family_places": pa.list_(pa.int32()), "family_scores": pa.list_(pa.float64())}
        return {name: pa.nulls(len(means), kind) for name, kind in kinds.items()}
    shape = (int(family.max()) + 1, len(family))
    member = sparse.csr_array((np.ones(len(family)), (family, np.arange(len(family)))), shape=shape)
    sums = np.ascontiguousarray((member @ means.T).T)
    places, scores = _highest(sums, kept, family[truth], known)
    return {"family_places": places, "family_scores": scores}


def _sets(
    sets: Sequence[NDArray[np.int64]] | None, most: int, truth: NDArray[np.integer], known: NDArray[np.bool_]
) -> dict[str, pa.Array]:
    """Columns of prediction sets; NULL for models without sets."""
    if sets is None:
        kinds = {"set_size": pa.int32(), "in_set": pa.bool_(), "set_places": pa.list_(pa.int32())}
        return {name: pa.nulls(len(truth), kind) for name, kind in kinds.items()}
    sizes = np.array([len(one) for one in sets], dtype=np.int64)
    inside = np.array([one in mine for one, mine in zip(truth, sets, strict=True)], dtype=bool)
    nothing = np.zeros(0, dtype=np.int64)
    named = [one if len(one) <= most else nothing for one in sets]
    return {
        "set_size": pa.array(sizes.astype(np.int32)),
        "in_set": pa.array(inside, mask=~known),
        "set_places": _lists(np.concatenate([*named, nothing]), np.array(list(map(len, named))), pa.int32()),
    }


def _lists(values: AnyArray, lengths: NDArray[np.int64], kind: pa.DataType) -> pa.ListArray:
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(values, type=kind))


@lru_cache(maxsize=2)
def load_once(engine: str, path: str) -> FileModel:
    """Read a model once per worker process; the file name contains its hash."""
    return get_engine(engine).open(Path(path))


def song_means(model: FileModel, rows: JudgedRows) -> NDArray[np.float64]:
    """Mean score of every class over a song's rows, (n_songs, n_classes)."""
    found = [block.means for block in song_blocks(model, rows.X, rows.song, np.arange(len(rows.song)))]
    return np.concatenate(found) if found else np.zeros((0, model.n_classes))


def permuted(
    model: FileModel, rows: JudgedRows, blocks: Sequence[tuple[int, tuple[int, ...]]]
) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Mean scores of songs with the values of each block of columns permuted between rows.

    Parameters
    ----------
    blocks : (number, column indices) of each; a block without columns is scored once without permutation.

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
    """Compute the predictions for the tasks whose indices are in column ``id``.

    Parameters
    ----------
    engine : name of the engine that reads the model.
    model, rows : names of artifacts: the model's file and the file of :meth:`JudgedRows.save`.
    tasks : (number, column indices) of the blocks of each task.
    multi : whether answers are float64 mean scores of all classes; else the int32 class with the highest mean score,
        ties by class index.
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
