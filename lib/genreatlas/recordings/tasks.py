"""Functions that run in Spark tasks, from Arrow to Arrow. They exchange postings and shared codes as bytes."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genreatlas.recordings.index import (
    POSTING,
    SHARED,
    Bytes,
    candidates,
    cut_by_code,
    cut_by_pair,
    make_postings,
    mark,
    only_marked,
    shared_codes,
)
from genreatlas.recordings.verifying import compare

#: Schema of :func:`post_batches` and :func:`share_slice`: a slice of the index, or a bucket of pairs, as bytes.
PART = "part int, held binary"
#: Schema of :func:`count_bucket`: pairs of clips with speed, offset and number of shared codes.
CANDIDATE = "low bigint, high bigint, speed int, offset int, shared int"
#: Schema of :func:`verify_batches`: clips with matching fingerprints; see the table `recording_matches`.
MATCH = (
    "clip_id string, other_clip_id string, song_id string, other_song_id string, error double, others double, "
    "overlap_s double, offset_s double, speed double, shared int, next_error double"
)
#: Number of clips whose postings a task makes at once.
POSTED_AT_ONCE = 2_500
_PART = pa.schema([("part", pa.int32()), ("held", pa.binary())])
_CANDIDATE = pa.schema(
    [("low", pa.int64()), ("high", pa.int64()), ("speed", pa.int32()), ("offset", pa.int32()), ("shared", pa.int32())]
)
_MATCH = pa.schema(
    [
        ("clip_id", pa.string()),
        ("other_clip_id", pa.string()),
        ("song_id", pa.string()),
        ("other_song_id", pa.string()),
        ("error", pa.float64()),
        ("others", pa.float64()),
        ("overlap_s", pa.float64()),
        ("offset_s", pa.float64()),
        ("speed", pa.float64()),
        ("shared", pa.int32()),
        ("next_error", pa.float64()),
    ]
)


def post_batches(
    slices: int, asked: npt.NDArray[np.uint32] | None, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Compute postings of clips, divided into slices of the index.

    Parameters
    ----------
    slices : number of slices.
    asked : codes of new clips; for other clips only these codes are posted. None: all codes are posted.
    batches : rows of key, new, codes, codes_faster.
    """
    marks = None if asked is None else mark(asked)
    for batch in (part for whole in batches for part in _shorter(whole)):
        keys = batch.column("key").to_numpy()
        new = batch.column("new").to_numpy(zero_copy_only=False)
        codes, faster = (to_codes(batch.column(name)) for name in ("codes", "codes_faster"))
        postings = make_postings(keys, new, codes, faster)
        yield _parts(cut_by_code(postings if marks is None else only_marked(postings, marks), slices))


def share_slice(buckets: int, slice_: pa.Table) -> pa.Table:
    """Find codes that clips of one slice share, divided into buckets of pairs of clips."""
    shared = shared_codes(_whole(slice_, POSTING))
    return pa.Table.from_batches([_parts(cut_by_pair(shared, buckets))])


def count_bucket(bucket: pa.Table) -> pa.Table:
    """Find candidates among the pairs of one bucket, as rows of :data:`CANDIDATE`."""
    rows, shared = candidates(_whole(bucket, SHARED))
    columns = [
        rows["low"].astype(np.int64),
        rows["high"].astype(np.int64),
        rows["speed"].astype(np.int32),
        rows["offset"].astype(np.int32),
        shared.astype(np.int32),
    ]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=_CANDIDATE)


def verify_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Compare candidates bit by bit, and keep those with matching fingerprints, as rows of :data:`MATCH`.

    Input rows have clip_id, song_id, codes and codes_faster of both clips (prefix ``other_`` for the second), speed
    (NULL: compare at all speeds) and shared (NULL: not counted).
    """
    for batch in batches:
        one, other = (_fingerprints(batch, prefix) for prefix in ("", "other_"))
        named = batch.select(["clip_id", "other_clip_id", "song_id", "other_song_id", "speed", "shared"]).to_pylist()
        found = []
        for row, first, second in zip(named, one, other, strict=True):
            match = compare(first, second, row["speed"])
            if match is not None and match.is_sound:
                found.append(row | vars(match))
        yield pa.RecordBatch.from_pylist(found, schema=_MATCH)


def _shorter(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Parts of a batch with at most :data:`POSTED_AT_ONCE` rows, since sorting needs four times the memory of codes."""
    return [batch.slice(at, POSTED_AT_ONCE) for at in range(0, batch.num_rows, POSTED_AT_ONCE)]


def to_codes(column: pa.Array) -> list[npt.NDArray[np.uint32]]:
    """Convert a list column of signed integers to one array of unsigned codes per row."""
    flat = np.asarray(column.flatten().to_numpy(zero_copy_only=False)).astype(np.int32).view(np.uint32)
    ends = np.cumsum(column.value_lengths().to_numpy(zero_copy_only=False))
    return np.split(flat, ends[:-1]) if len(ends) else []


def _fingerprints(batch: pa.RecordBatch, prefix: str) -> list[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]]:
    codes, faster = (to_codes(batch.column(f"{prefix}{name}")) for name in ("codes", "codes_faster"))
    return list(zip(codes, faster, strict=True))


def _parts(parts: dict[int, Bytes]) -> pa.RecordBatch:
    numbers = pa.array(list(parts), pa.int32())
    held = pa.array([part.tobytes() for part in parts.values()], pa.binary())
    return pa.RecordBatch.from_arrays([numbers, held], schema=_PART)


def _whole(rows: pa.Table, dtype: np.dtype) -> Bytes:
    return np.concatenate([np.frombuffer(held.as_buffer(), dtype=dtype) for held in rows.column("held")])
