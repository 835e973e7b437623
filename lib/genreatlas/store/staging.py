"""Results that are evaluated once and merged after, so that a crash costs at most one chunk."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.store.statements import quote

if TYPE_CHECKING:
    from genreatlas.store.store import Store

CHUNK = "_chunk"


@dataclass(frozen=True)
class Staged:
    """One staged chunk of a step's result.

    Parameters
    ----------
    held : its rows, where this process made them; a chunk that another run left has none.
    """

    store: "Store"
    step: str
    chunk: str
    held: pa.Table | None = field(default=None, repr=False, compare=False)

    @property
    def frame(self) -> DataFrame:
        """The staged rows, read back from storage."""
        rows = self.store.read(staging_name(self.step))
        return rows.where(F.col(CHUNK) == self.chunk).drop(CHUNK)

    def rows(self, *columns: str) -> list[dict[str, Any]]:
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
            shutil.rmtree(folder)
            self.store.refresh(name)
        else:
            self.store.sql(f"DELETE FROM {self.store.location.sql(name)} WHERE {CHUNK} = {quote(self.chunk)}")

    def _is_alone(self, folder: Path) -> bool:
        if {part.name for part in folder.glob(f"{CHUNK}=*")} <= {f"{CHUNK}={self.chunk}"}:
            return True  # seen without asking Spark
        return {staged.chunk for staged in staged_chunks(self.store, self.step)} <= {self.chunk}


def staging_name(step: str) -> str:
    """Name of a step's staging table."""
    return f"_staging/{step}"


def stage(store: "Store", frame: DataFrame, step: str, chunk: str, held: pa.Table | None = None) -> Staged:
    """Evaluate ``frame`` once and append it to the step's staging table; ``held`` is the same rows in memory."""
    rows = frame.withColumn(CHUNK, F.lit(chunk))
    name = staging_name(step)
    writer = rows.write.format("delta").mode("append").partitionBy(CHUNK).option("mergeSchema", "true")
    if store.location.root:
        writer.save(f"{store.location.root}/{name}")
    else:
        writer.saveAsTable(store.location.sql(name))
    return Staged(store, step, chunk, held)


def staged_chunks(store: "Store", step: str) -> list[Staged]:
    """What a killed run left behind, in the order of chunk names."""
    name = staging_name(step)
    if not store.exists(name):
        return []
    rows = store.read(name).select(CHUNK).distinct().collect()
    return [Staged(store, step, chunk) for chunk in sorted(row[0] for row in rows)]
