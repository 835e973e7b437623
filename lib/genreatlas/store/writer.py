"""Write the tables of a store: appends, merges, deletions, staged chunks, and columns that an old table lacks.

Every statement that commits goes through :meth:`Store.sql`. It runs under the leases of this process, in a local folder
as the only committing process, and is retried if another writer committed first.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from genreatlas.config import StoreSection
from genreatlas.redaction import shown_log
from genreatlas.store import arrivals, lease, row_checks, staging, statements
from genreatlas.store.reader import Reader, missing
from genreatlas.store.row_checks import Rows
from genreatlas.tables import Column, Table

T = TypeVar("T")

log = shown_log(__name__)

#: Texts of Delta's conflict errors. Two concurrent MERGEs with disjoint keys failed in half the trials.
_CONFLICTS = ("DELTA_CONCURRENT", "ConcurrentAppend", "ConcurrentModification", "MetadataChanged", "ProtocolChanged")
_TRIES = 8
#: Prefixes of statements that commit nothing.
_READING = ("SELECT", "DESCRIBE", "SHOW", "EXPLAIN", "CREATE OR REPLACE TEMPORARY")


class Store(Reader):
    """Reads and writes the tables defined in :mod:`genreatlas.tables`.

    Parameters
    ----------
    spark : a classic or a Connect session.
    settings : the ``[store]`` section.
    run_id : id of the run that writes; random if not given.
    """

    def __init__(self, spark: SparkSession, settings: StoreSection, run_id: str | None = None) -> None:
        super().__init__(spark, settings)
        self.run_id = run_id or uuid.uuid4().hex
        self._whole: set[str] = set()  # tables that are known to have all columns of their definition

    def frame(self, table: Table, rows: Rows) -> DataFrame:
        """Turn local rows into a frame with the table's schema; absent columns are NULL.

        Raises
        ------
        StoreError : a row has a column that the table lacks.
        """
        return self._frame(table, row_checks.records(table, rows))

    def _frame(self, table: Table, records: Sequence[Mapping[str, object]]) -> DataFrame:
        schema = self.schema(table)
        return self.spark.createDataFrame([tuple(map(record.get, schema.names)) for record in records], schema)

    def upsert(self, table: Table, rows: DataFrame | Rows, update: bool = False, compare: Sequence[str] = ()) -> int:
        """Insert rows whose key is new and, with ``update``, replace rows that differ.

        A frame is evaluated more than once, so stage expensive or non-repeatable frames first.

        Parameters
        ----------
        update : replace existing rows that differ in a non-volatile column; volatile columns are written with them.
        compare : volatile columns that are compared as well.

        Returns
        -------
        Number of rows inserted and updated.

        Raises
        ------
        StoreError : columns or types do not match, a key appears twice, or a required value is NULL.
        """
        if isinstance(rows, DataFrame):
            frame, unchecked = rows, True
            row_checks.check_columns(table, self.schema(table), frame.schema)
        else:
            schema = self.schema(table)
            wide = row_checks.arrow(table, rows, schema)
            records = row_checks.records(
                table, rows if wide is None else wide.select(row_checks.checked_columns(table))
            )
            row_checks.check_counts(table, row_checks.count(table, records))
            if not records:
                return 0
            unchecked = False
            frame = self._frame(table, records) if wide is None else self.spark.createDataFrame(wide, schema)
        name = self.location.sql(table.name)
        with self._view(frame) as view:
            if self.exists(table):
                self.upgrade(table)
                there = statements.Known(name, update, compare)
            elif unchecked:
                there = None
            else:
                self.create(table)
                self.sql(statements.insert_new(table, name, view, frame.columns, lease.fence(self)))
                return len(records)
            found = self.spark.sql(statements.differences(table, view, frame.columns, unchecked, there))
            counts = found.collect()[0].asDict()
            row_checks.check_counts(table, counts)
            if there is None and counts["rows"]:
                self.create(table)
            if counts["changed"]:
                source = statements.changed_rows(table, name, view, frame.columns, compare)
                source = f"({source}{statements.where(lease.fence(self))})"
                self.sql(statements.merge(table, name, source, frame.columns))
            elif counts["new"]:
                self.sql(statements.insert_new(table, name, view, frame.columns, lease.fence(self)))
        return int(counts["new"] + counts["changed"])

    def append(self, table: Table, frame: DataFrame, batch: str = "") -> None:
        """Add rows whose keys are known to be new, such as the row of a run.

        Parameters
        ----------
        batch : name of a batch of rows with bytes, which are compressed already. The batch is added once per run: Delta
            recognises the name if a commit succeeded but its response was lost.
        """
        row_checks.check_columns(table, self.schema(table), frame.schema)
        self.create(table)
        with self._view(frame) as view:
            fence = statements.where(lease.fence(self))
            if not batch:
                self.sql(f"INSERT INTO {self.location.sql(table.name)} BY NAME SELECT * FROM {view}{fence}")
                return
            writer = self.spark.sql(f"SELECT * FROM {view}{fence}").write.format("delta").mode("append")
            writer = writer.option("compression", "uncompressed")
            writer = writer.option("txnAppId", f"{self.run_id} {batch}").option("txnVersion", 1)
            name = self.location.sql(table.name)
            with self.writing():
                self._retry(
                    lambda: (
                        writer.save(f"{self.location.root}/{table.name}")
                        if self.location.root
                        else writer.saveAsTable(name)
                    )
                )

    def create(self, table: Table) -> None:
        """Create the table with comments, clustering and properties, or add the columns that it lacks."""
        if self.exists(table):
            self.upgrade(table)
        else:
            name, in_files = self.location.sql(table.name), self.in_files(table)
            self.sql(statements.create_table(table, name, self.settings.history, in_files))
            self._whole.add(table.name)

    def in_files(self, table: Table) -> bool:
        """Whether a new table is created without clustering, for files that are written elsewhere."""
        return table.in_files and self.location.folder is not None

    def upgrade(self, table: Table) -> tuple[str, ...]:
        """Add columns of the definition that a table of an older release lacks; return their names.

        Every write calls it; the table is checked once per store object.

        Raises
        ------
        StoreError : a missing column is required.
        """
        if table.name in self._whole:
            return ()
        with self.writing():
            added = self._retry(lambda: self._add_columns(table))
        self._whole.add(table.name)
        return tuple(added)

    def _add_columns(self, table: Table) -> list[str]:
        name = self.location.sql(table.name)

        def lacking() -> list[Column]:
            return missing(table, self.spark.sql(f"SELECT * FROM {name} LIMIT 0").schema)

        if not (columns := lacking()):
            return []
        try:
            self.spark.sql(statements.add_columns(name, columns))
        except PySparkException:
            if lacking():
                raise
            return []  # another writer was first
        log.info("%s: added %s", table.name, ", ".join(column.name for column in columns))
        return [column.name for column in columns]

    def delete(self, table: Table, keys: DataFrame) -> int:
        """Delete the rows whose leading key columns appear in ``keys``; return the number of deleted rows."""
        if not self.exists(table):
            return 0
        on = " AND ".join(f"t.`{key}` = s.`{key}`" for key in keys.columns)
        with self._view(keys.distinct()) as view:
            source = f"(SELECT * FROM {view}{statements.where(lease.fence(self))})"
            statement = (
                f"MERGE INTO {self.location.sql(table.name)} t USING {source} s ON {on} WHEN MATCHED THEN DELETE"
            )
            return int(self.sql(statement).collect()[0]["num_deleted_rows"])

    def stage(
        self,
        frame: DataFrame,
        step: str,
        chunk: str,
        held: pa.Table | None = None,
        again: bool = True,
        compress: bool = True,
    ) -> staging.Staged:
        """Evaluate ``frame`` once and keep it until it is merged; see :class:`Staged`.

        Parameters
        ----------
        held : the same rows in memory, so that they need not be read back.
        again : evaluate again if another writer committed first; False for frames that send requests.
        compress : False for data that is compressed already.
        """
        lease.check(self)  # no other run writes to the step's staging table, so no lock is needed

        def write() -> staging.Staged:
            return staging.stage(self, frame, step, chunk, held, compress)

        staged = self._retry(write) if again else write()
        lease.check(self)
        return staged

    def staged(self, step: str) -> list[staging.Staged]:
        """Chunks that a killed run staged and did not merge."""
        return staging.staged_chunks(self, step)

    def arriving(self, table: Table, step: str, session: str) -> AbstractContextManager[arrivals.Arriving | None]:
        """Context with a folder for files of a table written by tasks; None if Spark has to write the rows.

        See :mod:`genreatlas.store.arrivals`.
        """
        if not arrivals.takes_files(self, table):
            return nullcontext()
        return arrivals.arriving(self, table, step, session)

    def stage_files(self, place: arrivals.Arriving, rows: pa.Table, step: str, number: int) -> staging.Staged:
        """Stage rows and the names of their files, until the files are published and the rows merged."""
        return arrivals.stage(self, place, rows, step, number)

    def publish(self, table: Table, batches: Sequence[staging.Staged]) -> list[staging.Staged]:
        """Add staged files to their table; return the complete batches."""
        return arrivals.publish(self, table, batches)

    def adopt(self, table: Table, step: str) -> list[staging.Staged]:
        """Publish files staged by killed runs, remove their other files, and return the chunks to be merged."""
        return arrivals.adopt(self, table, step)

    @contextmanager
    def lease(self, step: str) -> Iterator[None]:
        """Hold the lease of a step, which excludes other runs of the step on this store.

        Raises
        ------
        LeaseHeldError : on entry, if another live run holds the lease.
        LeaseLostError : the lease could not be extended in time, or another run took it.
        """
        with lease.hold(self, step):
            staging.sweep(self.location)
            yield

    def sql(self, statement: str) -> DataFrame:
        """Run one statement, retried if another writer committed first.

        Raises
        ------
        LeaseLostError : the statement writes, and a lease of this process has expired.
        """
        if statement.startswith(_READING):
            return self.retried(statement)
        with self.writing():
            return self.retried(statement)

    def retried(self, statement: str) -> DataFrame:
        """Run one statement, retried if another writer committed first, without checking leases."""
        return self._retry(lambda: self.spark.sql(statement))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Context for writing under the leases of this process, in a local folder as the only writing process."""
        lease.check(self)
        folder = self.location.folder
        with lease.commit_lock(folder).held() if folder is not None else nullcontext():
            yield
        lease.check(self)

    @contextmanager
    def _view(self, frame: DataFrame) -> Iterator[str]:
        name = f"source_{uuid.uuid4().hex}"
        frame.createOrReplaceTempView(name)
        try:
            yield name
        finally:
            self.spark.catalog.dropTempView(name)

    def _retry(self, action: Callable[[], T]) -> T:
        attempt = 1
        while True:
            try:
                return action()
            except Exception as error:  # classic PySpark raises Delta's own exceptions as py4j exceptions
                if attempt == _TRIES or not any(word in str(error) for word in _CONFLICTS):
                    raise
                log.info("another writer committed first; trying again (%d of %d)", attempt, _TRIES)
                time.sleep(random.uniform(0.1, 0.5 * 2**attempt))
                attempt += 1


def open_store(spark: SparkSession, settings: StoreSection, run_id: str | None = None) -> Store:
    """Open the store configured in the ``[store]`` section."""
    return Store(spark, settings, run_id)
