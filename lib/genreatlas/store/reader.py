"""Read the tables of a store, at their newest or at fixed versions. Nothing is written here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from genreatlas.config import StoreSection
from genreatlas.errors import StoreError
from genreatlas.store import failures
from genreatlas.store.delta_log import LOG, newest_version
from genreatlas.tables import Column, Table


@dataclass(frozen=True)
class Location:
    """Location of a store. Exactly one of ``root`` and ``prefix`` is set.

    Parameters
    ----------
    root : folder or address of path-based tables.
    prefix : quoted catalog and schema of catalog tables.
    """

    root: str = ""
    prefix: str = ""

    @classmethod
    def of(cls, settings: StoreSection) -> "Location":
        """Location configured in the ``[store]`` section; a relative path is made absolute."""
        if settings.catalog or settings.schema_:
            parts = [part for part in (settings.catalog, settings.schema_) if part]
            return cls(prefix=".".join(f"`{part}`" for part in parts))
        root = settings.path.rstrip("/")
        return cls(root=root if "://" in root else str(Path(root).absolute()))

    def sql(self, table: str) -> str:
        """Name of a table in a SQL statement."""
        if self.prefix:
            return f"{self.prefix}.`{table.replace('/', '__')}`"
        return f"delta.`{self.root.replace('`', '``')}/{table}`"

    @property
    def shown(self) -> str:
        """Name of the store in messages: its folder, address or schema."""
        return self.root or self.prefix

    @property
    def folder(self) -> Path | None:
        """Local folder of the tables; None for a catalog or remote storage."""
        return Path(self.root) if self.root and "://" not in self.root else None

    def local_path(self, *parts: str) -> Path | None:
        """Path below :attr:`folder`; None for a catalog or remote storage."""
        return Path(os.path.join(self.folder, *parts)) if self.folder else None  # noqa: PTH118


class Reader:
    """Reads the tables defined in :mod:`genreatlas.tables`.

    Functions that only read accept a reader, so that a :class:`Store` or a :class:`Snapshot` can be passed.

    Parameters
    ----------
    spark : a classic or a Connect session.
    settings : the ``[store]`` section.
    """

    def __init__(self, spark: SparkSession, settings: StoreSection) -> None:
        self.spark = spark
        self.settings = settings
        self.location = Location.of(settings)

    def exists(self, table: Table | str) -> bool:
        """Whether the table has been created."""
        name = _name(table)
        folder = self.location.local_path(name, LOG)
        if self._newest_commit(name) is not None:
            return True
        if folder is not None and not folder.exists():
            return False
        try:
            self.spark.sql(f"DESCRIBE DETAIL {self.location.sql(name)}").collect()
        except PySparkException as error:
            if _is_missing(error):
                return False
            raise
        return True

    def read(self, table: Table | str, version: int | None = None) -> DataFrame:
        """Rows of a table, at its newest or at a given version.

        For a :class:`Table` that does not exist, an empty frame is returned, and columns that the stored table lacks
        are NULL. A table given by name must exist.

        Raises
        ------
        StoreError : there is no table of that name, or its log is damaged.
        """
        name = _name(table)
        if not self.exists(name):
            if isinstance(table, Table):
                return self.spark.createDataFrame([], self.schema(table))
            raise StoreError(f"{name}: no such table in {self.location.root or self.location.prefix}")
        at = f" VERSION AS OF {int(version)}" if version is not None else ""
        try:
            frame = self.spark.sql(f"SELECT * FROM {self.location.sql(name)}{at}")
        except Exception as error:  # classic PySpark raises Delta's own exceptions as py4j exceptions
            if not failures.is_damage(error):
                raise
            raise StoreError(failures.damaged(str(error), self.location.shown, name)) from error
        return _with_missing(table, frame) if isinstance(table, Table) else frame

    def live(self, table: Table) -> DataFrame:
        """Rows of a table that were not retired or replaced (:attr:`Table.ended_by`)."""
        return self.read(table).where(table.live)

    def ended(self, table: Table) -> DataFrame:
        """Rows of a table that were retired or replaced (:attr:`Table.ended_by`)."""
        return self.read(table).where(f"NOT ({table.live})")

    def version(self, table: Table | str) -> int | None:
        """Newest Delta version of a table; None if it does not exist."""
        name = _name(table)
        commit = self._newest_commit(name)
        if commit is not None:
            return commit
        if not self.exists(name):
            return None
        row = self.spark.sql(f"DESCRIBE HISTORY {self.location.sql(name)} LIMIT 1").collect()
        return int(row[0]["version"])

    def schema(self, table: Table) -> StructType:
        """Spark schema of a table definition."""
        return cast(StructType, StructType.fromDDL(table.ddl))

    def _newest_commit(self, name: str) -> int | None:
        """Newest version from the files of a local log, which saves a Spark job; None if Spark has to be asked.

        Raises
        ------
        StoreError : the log is damaged in a way that Delta reads as a table without rows.
        """
        folder = self.location.local_path(name)
        return None if folder is None else newest_version(name, folder)


class Snapshot(Reader):
    """Reads every table at a fixed version, independent of concurrent writes.

    The version of a table is fixed when the table is first used.

    Parameters
    ----------
    reader : reader of the store, or another snapshot, whose versions are inherited.
    versions : Delta version per table.
    only : treat tables that are not in ``versions`` (given or inherited) as nonexistent.

    Attributes
    ----------
    versions : Delta version of every table used so far; None if it did not exist.
    """

    def __init__(self, reader: Reader, versions: Mapping[str, int] | None = None, only: bool = False) -> None:
        super().__init__(reader.spark, reader.settings)
        self._now = Reader(reader.spark, reader.settings)
        inherited = reader.versions if isinstance(reader, Snapshot) else {}
        self.only: bool = only or (isinstance(reader, Snapshot) and reader.only)
        self.versions: dict[str, int | None] = {**inherited, **(versions or {})}

    @property
    def read_versions(self) -> dict[str, int]:
        """Version of every existing table used so far, by name."""
        return {name: version for name, version in sorted(self.versions.items()) if version is not None}

    def exists(self, table: Table | str) -> bool:
        """Whether the table exists in this snapshot."""
        return self.version(table) is not None

    def version(self, table: Table | str) -> int | None:
        """Version of the table in this snapshot; None if it does not exist."""
        name = _name(table)
        if name not in self.versions:
            self.versions[name] = None if self.only else self._now.version(name)
        return self.versions[name]

    def read(self, table: Table | str, version: int | None = None) -> DataFrame:
        """Rows of a table at its version in this snapshot; see :meth:`Reader.read`."""
        return super().read(table, self.version(table) if version is None else version)


def missing(table: Table, stored: StructType) -> list[Column]:
    """Columns of a table's definition that the stored table of an older release lacks.

    Raises
    ------
    StoreError : such a column is required, so existing rows cannot be NULL in it.
    """
    lacking = [column for column in table.columns if column.name not in stored.names]
    if needed := [column.name for column in lacking if column.name in table.required]:
        raise StoreError(
            f"{table.name} was written by another release: it lacks the required columns {', '.join(needed)}. Move "
            "the table aside and run the step that writes it."
        )
    return lacking


def _with_missing(table: Table, frame: DataFrame) -> DataFrame:
    """Add missing columns of the table's definition to the frame, as NULL."""
    lacking = [column for column in table.columns if column.name not in frame.columns]
    return frame.withColumns({c.name: F.lit(None).cast(c.type) for c in lacking}) if lacking else frame


def _name(table: Table | str) -> str:
    return table.name if isinstance(table, Table) else table


def _is_missing(error: PySparkException) -> bool:
    words = (
        "DELTA_TABLE_NOT_FOUND",
        "TABLE_OR_VIEW_NOT_FOUND",
        "DELTA_PATH_DOES_NOT_EXIST",
        "DELTA_MISSING_DELTA_TABLE",
        "PATH_NOT_FOUND",
        "is not a Delta table",
    )
    return any(word in str(error) for word in words)
