"""Handling of faults that may not be caused by a file: the step is stopped, or attempts are counted.

A fault of the environment (a missing library, a full disk) stops the step and is not stored, so that everything is
still pending once the fault is fixed. An unexpected exception is stored with the number of runs in which it occurred,
and later runs retry the file. If all files of the first chunk fail with one, the environment is the likely cause, and
the step is stopped too.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from genreatlas.errors import MAX_TRIES, UNKNOWN_FAULTS, EnvironmentFaultError, Reason
from genreatlas.store import Reader, Store
from genreatlas.tables import QUARANTINE

#: Minimum number of failed files for which the environment is assumed to be the cause.
_LEAST_FILES = 3


def is_closed() -> Column:
    """Whether a row of quarantine is final. Unknown faults are retried until the maximum number of attempts.

    Rows of earlier releases have no number of attempts; they are retried because their version differs.
    """
    unknown = F.col("reason").isin([reason.value for reason in UNKNOWN_FAULTS])
    return ~unknown | (F.coalesce("attempts", F.lit(MAX_TRIES)) >= MAX_TRIES)


def attempts_so_far(store: Reader, stage: str) -> dict[tuple[str, str], int]:
    """Number of runs with an unknown fault, by key and version."""
    rows = store.read(QUARANTINE).where((F.col("stage") == stage) & F.col("attempts").isNotNull())
    return {
        (row["key"], row["version"]): row["attempts"] for row in rows.select("key", "version", "attempts").collect()
    }


def attempts_after(reason: str, key: str, version: str, before: Mapping[tuple[str, str], int]) -> int | None:
    """Number of attempts to store in a new row of quarantine; None if its reason is known.

    Parameters
    ----------
    before : result of :func:`attempts_so_far`."""
    return before.get((key, version), 0) + 1 if reason in UNKNOWN_FAULTS else None


def forget(store: Store, stage: str, keys: Collection[str], states: Collection[str]) -> None:
    """Remove the rows of quarantine of items that were tried again, whatever release wrote them.

    Parameters
    ----------
    stage : the step.
    keys : the items.
    states : versions without the release at their end; rows of other states (another cut, another model) are kept.
    """
    stored = store.read(QUARANTINE).where(F.col("stage") == stage).select("stage", "key", "version").collect()
    begins = tuple(f"{state}:" for state in states)
    gone = [tuple(row) for row in stored if row["key"] in keys and f"{row['version']}:".startswith(begins)]
    if gone:
        store.delete(QUARANTINE, store.spark.createDataFrame(gone, "stage string, key string, version string"))


def with_attempts(store: Reader, rows: DataFrame, before: Mapping[tuple[str, str], int]) -> DataFrame:
    """Add the number of attempts to new rows of quarantine with ``key``, ``version`` and ``reason``."""
    tries = [(key, version, count) for (key, version), count in before.items()]
    known = store.spark.createDataFrame(tries, "key string, version string, _before int")
    unknown = F.col("reason").isin([reason.value for reason in UNKNOWN_FAULTS])
    joined = rows.join(known.hint("broadcast"), ["key", "version"], "left")
    return joined.withColumn("attempts", F.when(unknown, F.coalesce("_before", F.lit(0)) + 1)).drop("_before")


def end_at_environment_faults(step: str, rows: Iterable[Mapping[str, Any]], total: int) -> None:
    """Stop the step if a worker reported a fault of its environment.

    Parameters
    ----------
    step : name of the step, for the message.
    rows : workers' results for a whole chunk, with ``reason`` and ``detail``.
    total : number of files of the chunk, for the message.

    Raises
    ------
    EnvironmentFaultError : the message has the fault and the number of files affected.
    """
    faults = [row["detail"] for row in rows if row["reason"] == Reason.ENVIRONMENT_FAULT]
    if faults:
        first = max(sorted(set(faults)), key=faults.count)
        raise EnvironmentFaultError(
            f"{step}: {len(faults)} of {total} files could not be processed because of the environment: {first}. "
            "Fix this and run the step again; all of them are still pending"
        )


def end_where_all_fail(step: str, rows: Collection[Mapping[str, Any]], before: Collection[str] = ()) -> None:
    """Stop the step if every file of its first chunk failed with an unexpected exception.

    Parameters
    ----------
    step : name of the step, for the message.
    rows : workers' results for the chunk: ``key``, ``reason`` and ``detail``.
    before : keys that failed like this in earlier runs.

    Raises
    ------
    EnvironmentFaultError : all files failed, at least three of them for the first time.
    """
    if not rows or any(row["reason"] not in UNKNOWN_FAULTS for row in rows):
        return
    fresh = {row["key"] for row in rows} - set(before)
    if len(fresh) >= _LEAST_FILES:
        details = [row["detail"] for row in rows]
        most = max(sorted(set(details)), key=details.count)
        raise EnvironmentFaultError(
            f"{step}: all {len(rows)} files of the first chunk failed, most of them with {most!r}. No results "
            "were stored, because the environment is the more likely cause. Try one file with --verbose"
        )
