"""Fetch any number of rows to the driver without filling its heap."""

import hashlib
import math
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def fetch(frame: DataFrame, key: str, max_mb: int, row_bytes: int = 100) -> pa.Table:
    """Fetch the rows of a frame in buckets by the hash of a key, each of at most ``max_mb``.

    Parameters
    ----------
    frame : rows that are cheap to compute; they are computed once per bucket.
    key : column whose hash assigns rows to buckets.
    max_mb : maximum size of a bucket in 2**20 bytes.
    row_bytes : estimated size of a row in bytes. The default suits a few ids and short names.
    """
    return pa.concat_tables(fetch_parts(frame, key, max_mb, row_bytes))


def fetch_parts(frame: DataFrame, key: str, max_mb: int, row_bytes: int = 100) -> Iterator[pa.Table]:
    """Yield the buckets of :func:`fetch` one by one, for callers that do not need all rows at once."""
    most = max(1, (max_mb << 20) // row_bytes)
    first = frame.limit(most + 1).toArrow()  # usually all rows, in one job
    if first.num_rows <= most:
        yield first
        return
    del first
    buckets = math.ceil(frame.count() / most)
    bucket = F.pmod(F.xxhash64(key), F.lit(buckets))
    for number in range(buckets):
        yield frame.where(bucket == number).toArrow()


def fetch_buckets(frame: DataFrame, bucket: str, buckets: int) -> Iterator[pa.Table]:
    """Fetch rows bucket by bucket, in the order of the column ``bucket`` (0 to ``buckets`` - 1)."""
    for number in range(buckets):
        yield frame.where(F.col(bucket) == number).drop(bucket).toArrow()


def fingerprints(frame: DataFrame, columns: Sequence[str], max_mb: int) -> set[bytes]:
    """:func:`fingerprint` of the given columns for every row, computed by Spark."""
    text = F.concat_ws("\n", *(F.col(name).cast("string") for name in columns))
    found = fetch(frame.select(F.md5(text).alias("fingerprint")), "fingerprint", max_mb, row_bytes=40)
    known: set[bytes] = set()
    for chunk in found.column("fingerprint").chunks:
        known.update(map(bytes.fromhex, chunk.to_pylist()))
    return known


def fingerprint(*values: object) -> bytes:
    """16-byte hash (MD5) of values; the probability that any two of a million hashes collide is about 10**-27."""
    return hashlib.md5("\n".join(map(str, values)).encode(), usedforsecurity=False).digest()
