"""Results that are evaluated once and merged after, so that a crash costs at most one chunk.

A step has a staging table of its own, to which only the run that holds its lease writes.
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
    """What staging needs of the store."""

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
    held : its rows, where this process made them; a chunk that another run left has none.
    others : further chunks; see :func:`together`.
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
        """Columns of all rows as local values, from memory where they are there."""
        if self.held is not None:
            return list(self.held.select(columns).to_pylist())
        return [row.asDict(recursive=True) for row in self.frame.select(*columns).collect()]

    def drop(self) -> None:
        """Forget the chunk, once every table has its rows."""
        name = staging_name(self.step)
        folder = self.store.location.local_path(name)
        if folder is not None and self._is_alone(folder):
            # Nothing else is staged, and this run holds the step's lease: on local storage the
            # folder can go at once, where DELETE would leave the bytes for a later VACUUM.
            _remove(folder)
            _forget(self.store, name)
        else:
            chunks = ", ".join(map(quote, self._chunks))
            self.store.sql(f"DELETE FROM {self.store.location.sql(name)} WHERE {CHUNK} IN ({chunks})")

    def _is_alone(self, folder: Path) -> bool:
        if {part.name for part in folder.glob(f"{CHUNK}=*")} <= {f"{CHUNK}={chunk}" for chunk in self._chunks}:
            return True  # seen without asking Spark
        return {staged.chunk for staged in staged_chunks(self.store, self.step)} <= set(self._chunks)


def together(chunks: Sequence[Staged]) -> Staged:
    """Several chunks of a step as one, so that the tables that take their rows are merged into once."""
    first, *others = chunks
    held = [chunk.held for chunk in chunks if chunk.held is not None]
    whole = pa.concat_tables(held) if len(held) == len(chunks) else None
    return replace(first, held=whole, others=tuple(chunk.chunk for chunk in others))


def sweep(location: Location) -> None:
    """Remove what killed runs were removing."""
    if (folder := location.local_path(_FOLDER)) is not None:
        for left in folder.glob(f".*{_DROPPED}"):
            shutil.rmtree(left, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Remove a table's folder: it has another name before the first file goes, so it is there whole or not at all."""
    gone = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}{_DROPPED}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)  # what is left goes at the next start


def _forget(store: Tables, name: str) -> None:
    """Let the session forget what it remembers of a table whose files were removed."""
    store.spark.catalog.refreshByPath(f"{store.location.root}/{name}")


def staging_name(step: str) -> str:
    """Name of a step's staging table."""
    return f"{_FOLDER}/{step}"


def stage(
    store: Tables, frame: DataFrame, step: str, chunk: str, held: pa.Table | None = None, compress: bool = True
) -> Staged:
    """Evaluate ``frame`` once and append it to the step's staging table; ``held`` is the same rows in memory."""
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
    """What a killed run left behind, in the order of chunk names.

    A table that lacks some of its files was being removed when an older release was killed, so its rows were merged
    before. It is removed: at worst, what was staged is done again.
    """
    name = staging_name(step)
    folder = store.location.local_path(name)
    if folder is not None and folder.exists() and not is_whole(folder):
        log.info("%s: some of its files are gone; it is removed, and its work is done again where it was lost", name)
        _remove(folder)
        _forget(store, name)
    if not store.exists(name):
        return []
    rows = store.read(name).select(CHUNK).distinct().collect()
    return [Staged(store, step, chunk) for chunk in sorted(row[0] for row in rows)]
