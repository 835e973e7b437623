"""What a step does about faults that no single file is known to have: it ends, or counts the tries.

A fault of the environment (a missing library, a full disk) ends the step and is stored nowhere, so that a run after
the mend finds everything still to do. An exception that nobody foresaw is stored with the number of runs that met it,
and tried again by the next ones; where the whole first chunk meets one, it is hardly the files' fault, and the step
ends too.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from genreatlas.errors import MAX_TRIES, UNKNOWN_FAULTS, EnvironmentFaultError, Reason
from genreatlas.store import Reader, Store
from genreatlas.tables import QUARANTINE

#: With fewer files, all of them may well be odd.
_LEAST_FILES = 3


def is_closed() -> Column:
    """Whether a row of quarantine is final: all but unknown faults, which come back until they were tried often enough.

    Rows of earlier releases have no number of attempts; their version is another one, so that they come back as well.
    """
    unknown = F.col("reason").isin([reason.value for reason in UNKNOWN_FAULTS])
    return ~unknown | (F.coalesce("attempts", F.lit(MAX_TRIES)) >= MAX_TRIES)


def attempts_so_far(store: Reader, stage: str) -> dict[tuple[str, str], int]:
    """Runs that met an unknown fault, by key and version."""
    rows = store.read(QUARANTINE).where((F.col("stage") == stage) & F.col("attempts").isNotNull())
    return {
        (row["key"], row["version"]): row["attempts"] for row in rows.select("key", "version", "attempts").collect()
    }


def attempts_after(reason: str, key: str, version: str, before: Mapping[tuple[str, str], int]) -> int | None:
    """The number of attempts that a new row of quarantine has; None where its reason is known."""
    return before.get((key, version), 0) + 1 if reason in UNKNOWN_FAULTS else None


def forget(store: Store, stage: str, keys: Collection[str], states: Collection[str]) -> None:
    """Remove the rows of quarantine of what was tried again, by whichever release.

    Parameters
    ----------
    states : versions without the release at their end; rows of other states (another cut, another model) stay.
    """
    stored = store.read(QUARANTINE).where(F.col("stage") == stage).select("stage", "key", "version").collect()
    begins = tuple(f"{state}:" for state in states)
    gone = [tuple(row) for row in stored if row["key"] in keys and f"{row['version']}:".startswith(begins)]
    if gone:
        store.delete(QUARANTINE, store.spark.createDataFrame(gone, "stage string, key string, version string"))


def with_attempts(store: Reader, rows: DataFrame, before: Mapping[tuple[str, str], int]) -> DataFrame:
    """New rows of quarantine, with ``key``, ``version`` and ``reason``, and their number of attempts."""
    tries = [(key, version, count) for (key, version), count in before.items()]
    known = store.spark.createDataFrame(tries, "key string, version string, _before int")
    unknown = F.col("reason").isin([reason.value for reason in UNKNOWN_FAULTS])
    joined = rows.join(known.hint("broadcast"), ["key", "version"], "left")
    return joined.withColumn("attempts", F.when(unknown, F.coalesce("_before", F.lit(0)) + 1)).drop("_before")


def end_at_environment_faults(step: str, rows: Iterable[Mapping[str, Any]], total: int) -> None:
    """End the step where a worker met a fault of its environment.

    Parameters
    ----------
    rows : what workers said, with ``reason`` and ``detail``; of all of a chunk.

    Raises
    ------
    EnvironmentFaultError : one line about what is missing and how many files wait for it.
    """
    faults = [row["detail"] for row in rows if row["reason"] == Reason.ENVIRONMENT_FAULT]
    if faults:
        first = max(sorted(set(faults)), key=faults.count)
        raise EnvironmentFaultError(
            f"{step}: {len(faults)} of {total} files could not be processed because of the environment: {first}. "
            "Fix this and run the step again; all of them are still pending"
        )


def end_where_all_fail(step: str, rows: Collection[Mapping[str, Any]], before: Collection[str] = ()) -> None:
    """End the step where every file of its first chunk met an exception that nobody foresaw.

    Parameters
    ----------
    rows : what workers said of the chunk: ``key``, ``reason`` and ``detail``.
    before : keys that failed so in earlier runs.

    Raises
    ------
    EnvironmentFaultError : all of them failed, and enough for the first time.
    """
    if not rows or any(row["reason"] not in UNKNOWN_FAULTS for row in rows):
        return
    fresh = {row["key"] for row in rows} - set(before)
    if len(fresh) >= _LEAST_FILES:
        details = [row["detail"] for row in rows]
        most = max(sorted(set(details)), key=details.count)
        raise EnvironmentFaultError(
            f"{step}: all {len(rows)} files of the first chunk failed, most of them with {most!r}. Nothing was stored "
            "of them, because the environment is the more likely cause. Try one file with --verbose"
        )
