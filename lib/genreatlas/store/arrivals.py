"""Write fetched bytes once: fetching tasks write Parquet files, and a commit adds these files to a table.

In a local store, a task or the driver writes fetched bytes into files below ``_arriving/<step>/<session>``, each of one
ingest batch. One commit to the step's staging table lists the files and the metadata of their rows; after it the batch
is complete. The files are moved into the folder of the table, and a second commit adds them to the table. What a killed
run leaves is handled accordingly:

- files that no staged row lists belong to an incomplete batch, which is removed and fetched again;
- a staged batch is adopted: its files are moved and added, unless that was done before, and its rows are merged;
- a staged batch with a missing file, or a file of another length, is removed too.

A commit that adds files records the session and the number of the batch (``txn``), so that it is made only once. Both
commits are made by deltalake, because Spark would read the bytes and write them again. deltalake refuses tables that
Spark clustered, and remote storage has no cheap move. In these cases, and if deltalake is not installed, Spark appends.
"""

import fcntl
import importlib.util
import json
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from genreatlas.errors import EnvironmentFaultError, StoreError
from genreatlas.redaction import shown_log
from genreatlas.store import staging
from genreatlas.store.delta_log import FILES_ADDED, LOG
from genreatlas.store.staging import CHUNK, Staged, staging_name, together
from genreatlas.tables import Table
from genreatlas.values import RowView

log = shown_log(__name__)

FOLDER = "_arriving"
_LOCK = "lock"
#: Features of a table that deltalake can append to; clustering is not among them.
_APPENDABLE = frozenset({"appendOnly", "invariants"})
#: Columns of staged rows that describe the files with their bytes.
COLUMNS = "ingest_batch string, bytes bigint, file string, file_bytes bigint"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


class Tables(staging.Tables, Protocol):
    """Interface of the store that arrivals use."""

    def create(self, table: Table) -> None:
        """Create a table, or add the columns that it lacks."""

    def schema(self, table: Table) -> StructType:
        """Spark schema of a table definition."""

    def writing(self) -> AbstractContextManager[None]:
        """Write under the leases of this process, as the only writing process."""

    def staged(self, step: str) -> list[Staged]:
        """Chunks that a killed run staged and did not merge."""


@dataclass(frozen=True)
class Arriving:
    """Folder for the files of one run. Serialised to tasks.

    Parameters
    ----------
    folder : path on this machine and on the machines of tasks.
    session : name of the run's folder, and prefix of its staged chunks.
    schema : Arrow schema of the table.
    key : columns that identify a row within a batch.
    blob : column with the bytes.
    """

    folder: str
    session: str
    schema: pa.Schema
    key: tuple[str, ...]
    blob: str

    def open(self, batch: str) -> "BatchFile":
        """Open a file of an ingest batch.

        Raises
        ------
        EnvironmentFaultError : the folder does not exist on this machine.
        """
        if not Path(self.folder).is_dir():
            raise EnvironmentFaultError(
                f"{self.folder} does not exist on this worker. Tasks write to the store, so store.path must be the "
                "same folder on every machine. Share it, set fan_out.runner = driver, or keep the store in a catalog"
            )
        return BatchFile(self, batch)


class BatchFile:
    """Writer of a Parquet file of one ingest batch. Rows with a key that was added before are left out.

    The file's name is random, so that a task that Spark restarts writes another file.
    """

    def __init__(self, arriving: Arriving, batch: str) -> None:
        self.arriving, self.batch = arriving, batch
        self.name = f"{_UNSAFE.sub('_', batch)}-{uuid.uuid4().hex}.parquet"
        self._seen: set[tuple[object, ...]] = set()
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: Sequence[RowView]) -> None:
        """Write rows with the columns of the table, except ``ingest_batch``, as one row group."""
        new = []
        for row in rows:
            identity = tuple(row[name] for name in self.arriving.key)
            if identity not in self._seen:
                self._seen.add(identity)
                new.append({**row, "ingest_batch": self.batch})
        if not new:
            return
        schema = self.arriving.schema
        table = pa.table([pa.array([row.get(f.name) for row in new], f.type) for f in schema], schema)
        if self._writer is None:
            plain = [name for name in schema.names if name != self.arriving.blob]
            # Audio is compressed already, and its minimum and maximum bytes are useless as statistics.
            self._writer = pq.ParquetWriter(
                Path(self.arriving.folder) / self.name,
                schema,
                compression="none",
                use_dictionary=["ingest_batch", "provider"],
                write_statistics=plain,
            )
        self._writer.write_table(table, row_group_size=len(new))

    def close(self) -> None:
        """Close the file. Without rows, no file is written."""
        if self._writer is not None:
            self._writer.close()


def takes_files(store: Tables, table: Table) -> bool:
    """Whether files can be added to a table without Spark; the module's docstring lists the exceptions."""
    folder = store.location.local_path(table.name)
    if not table.in_files or folder is None or importlib.util.find_spec("deltalake") is None:
        return False
    if not (folder / LOG).is_dir():
        return True  # it will be created without clustering
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        protocol = DeltaTable(folder).protocol()
    except DeltaError as error:
        log.info("%s: deltalake cannot read it, so Spark writes it: %s", table.name, error)
        return False
    return protocol.min_reader_version == 1 and set(protocol.writer_features or ()) <= _APPENDABLE


@contextmanager
def arriving(store: Tables, table: Table, step: str, session: str) -> Iterator[Arriving]:
    """Create and lock a folder for the files of a run. While it is locked, other runs do not treat it as left over.

    The folder and its uncommitted files are removed at the end. After an exception it is kept for the next run.
    """
    folder = _place(store, step) / _UNSAFE.sub("_", session)
    folder.mkdir(parents=True)
    schema = to_arrow_schema(store.schema(table))
    required = [field.with_nullable(field.name not in table.required) for field in schema]
    (blob,) = (column.name for column in table.columns if column.type == "binary")
    key = tuple(name for name in table.key if name != "ingest_batch")
    with _locked(folder) as mine:
        assert mine, folder
        yield Arriving(str(folder), session, pa.schema(required), key, blob)
        shutil.rmtree(folder, ignore_errors=True)


def stage(store: Tables, place: Arriving, rows: pa.Table, step: str, number: int) -> Staged:
    """List the files and rows of a batch in one commit to the staging table, which makes the batch complete.

    Parameters
    ----------
    rows : rows of all tried keys, with :data:`COLUMNS`; ``file_bytes`` is filled in here. NULL for keys without bytes.

    Raises
    ------
    StoreError : a file that a task has written does not exist on this machine.
    """
    from deltalake import write_deltalake

    sizes: dict[str | None, int | None] = {None: None}
    for name in filter(None, rows["file"].unique().to_pylist()):
        file = Path(place.folder) / name
        if not file.exists():
            raise StoreError(
                f"{file}: a task wrote it, but it does not exist on the driver. store.path must be the same folder on "
                "every machine. Share it, set fan_out.runner = driver, or keep the store in a catalog"
            )
        sizes[name] = file.stat().st_size
    length = pa.array([sizes[name] for name in rows["file"].to_pylist()], pa.int64())
    held = rows.set_column(rows.schema.get_field_index("file_bytes"), "file_bytes", length)
    chunk = f"{place.session}-{number:06}"
    named = held.append_column(CHUNK, pa.array([chunk] * held.num_rows, pa.string()))
    folder = store.location.local_path(staging_name(step))
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    with store.writing():
        write_deltalake(folder, named, mode="append", partition_by=[CHUNK], schema_mode="merge")
    return Staged(store, step, chunk, held)


def publish(store: Tables, table: Table, batches: Sequence[Staged]) -> list[Staged]:
    """Add the files of complete batches to the table, in one commit. Batches with missing files are removed.

    Returns
    -------
    Batches whose bytes were added to the table now or before, including those purged since.
    """
    if not batches:
        return []
    from deltalake import CommitProperties, DeltaTable, Transaction
    from deltalake.transaction import AddAction

    store.create(table)
    folder = store.location.local_path(table.name)
    assert folder is not None
    with store.writing():
        delta = DeltaTable(folder)
        whole: list[Staged] = []
        adds: list[Any] = []
        last: dict[str, int] = {}
        for batch in batches:
            session, _, number = batch.chunk.rpartition("-")
            if (delta.transaction_version(_application(session)) or 0) < int(number):
                if (files := _files_of(store, folder, batch)) is None:
                    continue
                for name, file in files.items():
                    _move(file, folder / name)
                    adds.append(AddAction(*_description(folder / name)))
                last[session] = max(int(number), last.get(session, 0))
            whole.append(batch)
        if adds:
            delta.create_write_transaction(
                adds,
                "append",
                delta.schema(),
                commit_properties=CommitProperties(
                    custom_metadata={FILES_ADDED: str(len(adds))},
                    app_transactions=[Transaction(_application(name), number) for name, number in last.items()],
                ),
            )
    return whole


def adopt(store: Tables, table: Table, step: str) -> list[Staged]:
    """Publish complete batches of killed runs, and remove their other files. Requires the lease of the step.

    Returns
    -------
    Staged chunks to be merged: all batches of files as one, and each chunk with bytes in its rows.
    """
    staged = store.staged(step)
    if store.location.folder is None:
        return staged
    with_files = [one for one in staged if _has_files(store, one)]
    whole = publish(store, table, with_files)
    for folder in sorted(_place(store, step).glob("*")):
        with _locked(folder) as mine:
            if mine:
                shutil.rmtree(folder, ignore_errors=True)
    others = [one for one in staged if one not in with_files]
    return [together(whole), *others] if whole else others


def staged_batches(store: Tables, step: str) -> list[str]:
    """Ingest batches whose rows are staged but not merged."""
    if not store.exists(staging_name(step)) or "ingest_batch" not in (rows := store.read(staging_name(step))).columns:
        return []
    return [row[0] for row in rows.where("ingest_batch IS NOT NULL").select("ingest_batch").distinct().collect()]


def _place(store: Tables, step: str) -> Path:
    folder = store.location.local_path(FOLDER, step)
    assert folder is not None
    return folder


def _application(session: str) -> str:
    return f"genreatlas arrivals {session}"


def _has_files(store: Tables, batch: Staged) -> bool:
    names = store.read(staging_name(batch.step)).columns
    return "file" in names and not batch.frame.where("file IS NOT NULL").limit(1).isEmpty()


def _files_of(store: Tables, folder: Path, batch: Staged) -> dict[str, Path] | None:
    """Current paths of the files of a batch by name. If one is missing or truncated, remove the batch, return None."""
    place = _place(store, batch.step) / _UNSAFE.sub("_", batch.chunk.rpartition("-")[0])
    files: dict[str, Path] = {}
    sizes = {(row["file"], row["file_bytes"]) for row in batch.rows("file", "file_bytes") if row["file"]}
    for name, size in sorted(sizes):
        there = [path for path in (place / name, folder / name) if path.is_file() and path.stat().st_size == size]
        if not there:
            log.info("%s: %s is missing or cut; the batch is removed and fetched again", batch.chunk, name)
            batch.drop()
            for other, _ in sizes:
                for path in (place / other, folder / other):
                    path.unlink(missing_ok=True)
            return None
        files[name] = there[0]
    return files


def _move(file: Path, target: Path) -> None:
    if file != target:
        shutil.move(file, target)  # a rename, unless the table's folder is a link to another disk


def _description(file: Path) -> tuple[str, int, dict[str, str | None], int, bool, str]:
    """Arguments of a file's add action, with column statistics by which readers skip files of other batches."""
    footer = pq.read_metadata(file)
    lowest: dict[str, Any] = {}
    highest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for group in range(footer.num_row_groups):
        for index in range(footer.num_columns):
            column = footer.row_group(group).column(index)
            name, known = column.path_in_schema, column.statistics
            if known is None or not known.has_min_max:
                continue
            lowest[name] = min(known.min, lowest.get(name, known.min))
            highest[name] = max(known.max, highest.get(name, known.max))
            nulls[name] = nulls.get(name, 0) + known.null_count
    stats = {"numRecords": footer.num_rows, "minValues": lowest, "maxValues": highest, "nullCount": nulls}
    status = file.stat()
    return file.name, status.st_size, {}, int(status.st_mtime * 1000), True, json.dumps(stats)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Try to lock the folder of a run. Yields False if a running process holds the lock."""
    with (folder / _LOCK).open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
