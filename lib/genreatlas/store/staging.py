"""Results that are evaluated once and merged after, so that a crash costs at most one chunk."""

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.store.statements import quote

if TYPE_CHECKING:
    from genreatlas.store.store import Store

CHUNK = "_chunk"


@dataclass(frozen=True)
class Staged:
    """One staged chunk of a step's result."""

    store: "Store"
    step: str
    chunk: str

    @property
    def frame(self) -> DataFrame:
        """The staged rows, read back from storage."""
        rows = self.store.read(staging_name(self.step))
        return rows.where(F.col(CHUNK) == self.chunk).drop(CHUNK)

    def drop(self) -> None:
        """Forget the chunk, once every table has its rows."""
        name = staging_name(self.step)
        folder = self.store.location.local_path(name)
        if folder is not None and {staged.chunk for staged in staged_chunks(self.store, self.step)} <= {self.chunk}:
            # Nothing else is staged, and this run holds the step's lease: on local storage the
            # folder can go at once, where DELETE would leave the bytes for a later VACUUM.
            shutil.rmtree(folder)
            self.store.refresh(name)
        else:
            self.store.sql(f"DELETE FROM {self.store.location.sql(name)} WHERE {CHUNK} = {quote(self.chunk)}")


def staging_name(step: str) -> str:
    """Name of a step's staging table."""
    return f"_staging/{step}"


def stage(store: "Store", frame: DataFrame, step: str, chunk: str) -> Staged:
    """Evaluate ``frame`` once and append it to the step's staging table."""
    rows = frame.withColumn(CHUNK, F.lit(chunk))
    name = staging_name(step)
    writer = rows.write.format("delta").mode("append").partitionBy(CHUNK).option("mergeSchema", "true")
    if store.location.root:
        writer.save(f"{store.location.root}/{name}")
    else:
        writer.saveAsTable(store.location.sql(name))
    return Staged(store, step, chunk)


def staged_chunks(store: "Store", step: str) -> list[Staged]:
    """What a killed run left behind, in the order of chunk names."""
    name = staging_name(step)
    if not store.exists(name):
        return []
    rows = store.read(name).select(CHUNK).distinct().collect()
    return [Staged(store, step, chunk) for chunk in sorted(row[0] for row in rows)]
