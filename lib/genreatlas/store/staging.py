"""Staging: results are evaluated once, appended to a staging table, and merged from there.

A crash costs at most one chunk. Each step has its own staging table, written only by the run with the step's lease.
"""

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from genreatlas.redaction import shown_log
from genreatlas.store.delta_log import is_whole
from genreatlas.store.reader import Location
from genreatlas.store.statements import quote
from genreatlas.values import Row

log = shown_log(__name__)
CHUNK = "_chunk"
_FOLDER, _DROPPED = "_staging", ".dropped"


class Tables(Protocol):
    """Interface of the store that staging uses."""

    spark: SparkSession
    location: Location

    def exists(self, table: str) -> bool:
        """Whether the table has been created."""

    def read(self, table: str) -> DataFrame:
        """Rows of a table."""

    def sql(self, statement: str) -> DataFrame:
        """Run one statement, which may commit."""


@dataclass(frozen=True)
class Staged:
    """One staged chunk of a step's result, or several that are merged at once.

    Parameters
    ----------
    held : the rows in memory, if this process made them; None for chunks of other runs.
    others : names of further chunks; see :func:`together`.
    """

    store: Tables
    step: str
    chunk: str
    held: pa.Table | None = field(default=None, repr=False, compare=False)
    others: tuple[str, ...] = ()

    @property
    def frame(self) -> DataFrame:
        """The staged rows, read back from storage."""
        rows = self.store.read(staging_name(self.step))
        return rows.where(F.col(CHUNK).isin(*self._chunks)).drop(CHUNK)

    @property
    def _chunks(self) -> tuple[str, ...]:
        return (self.chunk, *self.others)

    def rows(self, *columns: str) -> list[Row]:
        """Columns of all rows as local values, from memory if held there."""
        if self.held is not None:
            return list(self.held.select(columns).to_pylist())
        return [row.asDict(recursive=True) for row in self.frame.select(*columns).collect()]

    def drop(self) -> None:
        """Delete the chunk from the staging table, after its rows were merged."""
        name = staging_name(self.step)
        folder = self.store.location.local_path(name)
        if folder is not None and self._is_alone(folder):
            # Nothing else is staged, and this run holds the step's lease: on local storage the folder can be removed
            # at once, while DELETE would leave the bytes for a later VACUUM.
            _remove(folder)
            _forget(self.store, name)
        else:
            chunks = ", ".join(map(quote, self._chunks))
            self.store.sql(f"DELETE FROM {self.store.location.sql(name)} WHERE {CHUNK} IN ({chunks})")

    def _is_alone(self, folder: Path) -> bool:
        if {part.name for part in folder.glob(f"{CHUNK}=*")} <= {f"{CHUNK}={chunk}" for chunk in self._chunks}:
            return True  # answered without a Spark job
        return {staged.chunk for staged in staged_chunks(self.store, self.step)} <= set(self._chunks)


def together(chunks: Sequence[Staged]) -> Staged:
    """Combine several chunks of a step, so that each target table is merged only once."""
    first, *others = chunks
    held = [chunk.held for chunk in chunks if chunk.held is not None]
    whole = pa.concat_tables(held) if len(held) == len(chunks) else None
    return replace(first, held=whole, others=tuple(chunk.chunk for chunk in others))


def sweep(location: Location) -> None:
    """Finish removals of staging folders that killed runs had started."""
    if (folder := location.local_path(_FOLDER)) is not None:
        for left in folder.glob(f".*{_DROPPED}"):
            shutil.rmtree(left, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Remove a table's folder. It is renamed first, so that a table is never partly removed."""
    gone = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}{_DROPPED}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)  # sweep() removes what is left


def _forget(store: Tables, name: str) -> None:
    """Refresh the session's cached metadata of a table whose files were removed."""
    store.spark.catalog.refreshByPath(f"{store.location.root}/{name}")


def staging_name(step: str) -> str:
    """Name of a step's staging table."""
    return f"{_FOLDER}/{step}"


def stage(
    store: Tables, frame: DataFrame, step: str, chunk: str, held: pa.Table | None = None, compress: bool = True
) -> Staged:
    """Evaluate ``frame`` once and append it to the step's staging table.

    Parameters
    ----------
    chunk : name of the chunk.
    held : the same rows in memory, if available.
    compress : False for data that is compressed already.
    """
    rows = frame.withColumn(CHUNK, F.lit(chunk))
    name = staging_name(step)
    writer = rows.write.format("delta").mode("append").partitionBy(CHUNK).option("mergeSchema", "true")
    if not compress:
        writer = writer.option("compression", "uncompressed")
    if store.location.root:
        writer.save(f"{store.location.root}/{name}")
    else:
        writer.saveAsTable(store.location.sql(name))
    return Staged(store, step, chunk, held)


def staged_chunks(store: Tables, step: str) -> list[Staged]:
    """Chunks that a killed run staged and did not merge, in the order of their names.

    A staging table with missing files was being removed when an older release was killed, so its rows were merged
    before. It is removed; at worst, staged work is repeated.
    """
    name = staging_name(step)
    folder = store.location.local_path(name)
    if folder is not None and folder.exists() and not is_whole(folder):
        log.info("%s: some of its files are gone; it is removed, and the lost work is repeated", name)
        _remove(folder)
        _forget(store, name)
    if not store.exists(name):
        return []
    rows = store.read(name).select(CHUNK).distinct().collect()
    return [Staged(store, step, chunk) for chunk in sorted(row[0] for row in rows)]
