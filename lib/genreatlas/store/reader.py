"""Reading the tables of a store: where they are, and their rows, as they are or at fixed versions. No writing."""

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
    """Names tables for SQL. Exactly one of ``root`` and ``prefix`` is set."""

    root: str = ""
    prefix: str = ""

    @classmethod
    def of(cls, settings: StoreSection) -> "Location":
        """Location that the ``[store]`` section asks for; a relative path is made absolute."""
        if settings.catalog or settings.schema_:
            parts = [part for part in (settings.catalog, settings.schema_) if part]
            return cls(prefix=".".join(f"`{part}`" for part in parts))
        root = settings.path.rstrip("/")
        return cls(root=root if "://" in root else str(Path(root).absolute()))

    def sql(self, table: str) -> str:
        """The table's name in a SQL statement."""
        if self.prefix:
            return f"{self.prefix}.`{table.replace('/', '__')}`"
        return f"delta.`{self.root.replace('`', '``')}/{table}`"

    @property
    def shown(self) -> str:
        """What people call the store: its folder, address or schema."""
        return self.root or self.prefix

    @property
    def folder(self) -> Path | None:
        """Folder on this machine that holds the tables; None for a catalog or remote storage."""
        return Path(self.root) if self.root and "://" not in self.root else None

    def local_path(self, *parts: str) -> Path | None:
        """A path below that folder."""
        return Path(os.path.join(self.folder, *parts)) if self.folder else None  # noqa: PTH118


class Reader:
    """Reads the tables described in :mod:`genreatlas.tables`.

    A function that takes a reader may be given the :class:`Store` or a :class:`Snapshot`, and cannot write to either.

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

        A described table that was never written reads as no rows; a bare name must exist. Described columns that
        an older release did not write read as NULL.

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
        except Exception as error:  # classic PySpark leaves Delta's own exceptions as those of py4j
            if not failures.is_damage(error):
                raise
            raise StoreError(failures.damaged(str(error), self.location.shown, name)) from error
        return _with_missing(table, frame) if isinstance(table, Table) else frame

    def live(self, table: Table) -> DataFrame:
        """Rows of a table that count: none that was retired or replaced (:attr:`Table.ended_by`)."""
        return self.read(table).where(table.live)

    def ended(self, table: Table) -> DataFrame:
        """Rows of a table that are kept and count no longer."""
        return self.read(table).where(f"NOT ({table.live})")

    def version(self, table: Table | str) -> int | None:
        """Newest Delta version of a table; None where it does not exist."""
        name = _name(table)
        commit = self._newest_commit(name)
        if commit is not None:
            return commit
        if not self.exists(name):
            return None
        row = self.spark.sql(f"DESCRIBE HISTORY {self.location.sql(name)} LIMIT 1").collect()
        return int(row[0]["version"])

    def schema(self, table: Table) -> StructType:
        """Spark schema of a described table."""
        return cast(StructType, StructType.fromDDL(table.ddl))

    def _newest_commit(self, name: str) -> int | None:
        """Newest version by the names in a local log, where asking Spark costs a job; None where it must be asked.

        Raises
        ------
        StoreError : the log is damaged in a way that Delta takes for a table without rows.
        """
        folder = self.location.local_path(name)
        return None if folder is None else newest_version(name, folder)


class Snapshot(Reader):
    """Reads every table at one version, whatever is written meanwhile.

    A table's version is fixed when it is first asked for. With ``only`` there are no other tables than those given:
    what did not exist at that time reads as no rows.

    Parameters
    ----------
    reader : of the store, or another snapshot, whose versions then hold here too.
    versions : Delta version per table.

    Attributes
    ----------
    versions : Delta version of every table that was asked for; None where it did not exist.
    """

    def __init__(self, reader: Reader, versions: Mapping[str, int] | None = None, only: bool = False) -> None:
        super().__init__(reader.spark, reader.settings)
        self._now = Reader(reader.spark, reader.settings)
        inherited = reader.versions if isinstance(reader, Snapshot) else {}
        self.only: bool = only or (isinstance(reader, Snapshot) and reader.only)
        self.versions: dict[str, int | None] = {**inherited, **(versions or {})}

    @property
    def read_versions(self) -> dict[str, int]:
        """Version of every table that exists and was asked for, by name."""
        return {name: version for name, version in sorted(self.versions.items()) if version is not None}

    def exists(self, table: Table | str) -> bool:
        """Whether the table existed then."""
        return self.version(table) is not None

    def version(self, table: Table | str) -> int | None:
        """The version that is read here."""
        name = _name(table)
        if name not in self.versions:
            self.versions[name] = None if self.only else self._now.version(name)
        return self.versions[name]

    def read(self, table: Table | str, version: int | None = None) -> DataFrame:
        """Rows of a table at its version here; see :meth:`Reader.read`."""
        return super().read(table, self.version(table) if version is None else version)


def missing(table: Table, stored: StructType) -> list[Column]:
    """Columns that are described and not stored, as an older release made the table.

    Raises
    ------
    StoreError : one of them may not be NULL, so that rows that are there cannot get it.
    """
    lacking = [column for column in table.columns if column.name not in stored.names]
    if needed := [column.name for column in lacking if column.name in table.required]:
        raise StoreError(
            f"{table.name} was made by another release: it lacks {', '.join(needed)}, which no row may be without. "
            "Move the table aside and let its step write it again."
        )
    return lacking


def _with_missing(table: Table, frame: DataFrame) -> DataFrame:
    """The frame with the described columns that it lacks, as NULL."""
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
