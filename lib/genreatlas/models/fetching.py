"""Bring rows of any number to the driver without filling its heap."""

import math
from collections.abc import Iterator

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
    most = max(1, (max_mb << 20) // row_bytes)
    first = frame.limit(most + 1).toArrow()  # mostly that is all, in one job
    if first.num_rows <= most:
        return first
    buckets = math.ceil(frame.count() / most)
    bucket = F.pmod(F.xxhash64(key), F.lit(buckets))
    return pa.concat_tables([frame.where(bucket == number).toArrow() for number in range(buckets)])


def fetch_buckets(frame: DataFrame, bucket: str, buckets: int) -> Iterator[pa.Table]:
    """Fetch rows bucket by bucket, in the order of the column ``bucket`` (0 to ``buckets`` - 1)."""
    for number in range(buckets):
        yield frame.where(F.col(bucket) == number).drop(bucket).toArrow()
