"""Bring rows of any number to the driver without filling its heap."""

import hashlib
import math
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def fetch(frame: DataFrame, key: str, max_mb: int, row_bytes: int = 100) -> pa.Table:
    """Fetch a table's rows in buckets of a key's hash, each of at most ``max_mb``.

    Parameters
    ----------
    frame : rows that are cheap to read again, once for each bucket.
    key : column whose hash divides the rows.
    row_bytes : estimated size of a row. The default suits a handful of ids and short names.
    """
    return pa.concat_tables(fetch_parts(frame, key, max_mb, row_bytes))


def fetch_parts(frame: DataFrame, key: str, max_mb: int, row_bytes: int = 100) -> Iterator[pa.Table]:
    """The buckets of :func:`fetch`, one after the other, for who does not need all rows at once."""
    most = max(1, (max_mb << 20) // row_bytes)
    first = frame.limit(most + 1).toArrow()  # mostly that is all, in one job
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
    """:func:`fingerprint` of every row's values of some columns, computed where the rows are."""
    text = F.concat_ws("\n", *(F.col(name).cast("string") for name in columns))
    found = fetch(frame.select(F.md5(text).alias("fingerprint")), "fingerprint", max_mb, row_bytes=40)
    known: set[bytes] = set()
    for chunk in found.column("fingerprint").chunks:
        known.update(map(bytes.fromhex, chunk.to_pylist()))
    return known


def fingerprint(*values: object) -> bytes:
    """16 bytes in place of values that take hundreds; that two of a million agree has a probability of 10**-27."""
    return hashlib.md5("\n".join(map(str, values)).encode(), usedforsecurity=False).digest()
