"""Bytes that are written once: Parquet files that whoever fetches them writes, and that a commit adds to a table.

In a local folder the bytes of what is fetched pass through no second program. A task, or the driver, writes them into
files of one ingest batch each below ``_arriving/<step>/<session>``. One commit to the step's staging table names the
files, with all that is known of their rows: from then on the batch is complete. Its files are moved into the folder of
the table, and one commit adds them. What a killed run leaves is told apart by that:

- files that no staged row names are of a batch that was not complete: it is removed whole, and fetched again;
- a staged batch is adopted: its files are moved and added, unless that was done before, and its rows are merged;
- a staged batch that lacks a file, or has one of another length, is none: it is removed whole, too.

A commit that adds files notes the session and the number of the batch (``txn``), so it is made once. Both commits are
made by deltalake: Spark would read the bytes and write them again. It refuses tables that Spark clustered, and remote
storage has no cheap move; there, and where deltalake is not installed, Spark appends.
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
#: What staged rows say of the bytes that came with them.
COLUMNS = "ingest_batch string, bytes bigint, file string, file_bytes bigint"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


class Tables(staging.Tables, Protocol):
    """What arrivals need of the store."""

    def create(self, table: Table) -> None:
        """Create a table, or add the columns that it lacks."""

    def schema(self, table: Table) -> StructType:
        """Spark schema of a described table."""

    def writing(self) -> AbstractContextManager[None]:
        """Write under the leases of this process, as the only one that does."""

    def staged(self, step: str) -> list[Staged]:
        """Chunks that a killed run staged and did not merge."""


@dataclass(frozen=True)
class Arriving:
    """Where the files of one run arrive. It travels to tasks.

    Parameters
    ----------
    folder : on this machine, and under the same path where tasks run.
    key : columns that tell the rows of a batch apart.
    blob : column with the bytes.
    """

    folder: str
    session: str
    schema: pa.Schema
    key: tuple[str, ...]
    blob: str

    def open(self, batch: str) -> "BatchFile":
        """Begin a file of an ingest batch.

        Raises
        ------
        EnvironmentFaultError : the folder is not here, because another machine has it.
        """
        if not Path(self.folder).is_dir():
            raise EnvironmentFaultError(
                f"{self.folder} cannot be seen by this worker. Tasks write to the store, so store.path must be one "
                "folder on every machine. Share it, set fan_out.runner = driver, or keep the store in a catalog"
            )
        return BatchFile(self, batch)


class BatchFile:
    """A Parquet file of one ingest batch, as it is written; what the batch holds already is left out.

    Its name is made up, so that a task that Spark starts again writes another one.
    """

    def __init__(self, arriving: Arriving, batch: str) -> None:
        self.arriving, self.batch = arriving, batch
        self.name = f"{_UNSAFE.sub('_', batch)}-{uuid.uuid4().hex}.parquet"
        self._seen: set[tuple[object, ...]] = set()
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: Sequence[RowView]) -> None:
        """Write rows with the columns of the table but ``ingest_batch``, as one row group."""
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
            # Audio is compressed as it comes; its lowest and highest bytes would say nothing.
            self._writer = pq.ParquetWriter(
                Path(self.arriving.folder) / self.name,
                schema,
                compression="none",
                use_dictionary=["ingest_batch", "provider"],
                write_statistics=plain,
            )
        self._writer.write_table(table, row_group_size=len(new))

    def close(self) -> None:
        """End the file; there is none where nothing was added."""
        if self._writer is not None:
            self._writer.close()


def takes_files(store: Tables, table: Table) -> bool:
    """Whether files can be added to a table as they are: see the module for where they cannot."""
    folder = store.location.local_path(table.name)
    if not table.in_files or folder is None or importlib.util.find_spec("deltalake") is None:
        return False
    if not (folder / LOG).is_dir():
        return True  # it will be made without clustering
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
    """Hold a place for the files of a run: as long as it is held, nobody else takes them for left over.

    It is removed at the end, with what no commit named; after an exception it stays for the next run.
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
    """Say in one commit what a batch consists of, which makes it complete.

    Parameters
    ----------
    rows : of all that was tried, with :data:`COLUMNS` but ``file_bytes``; NULL where nothing came.

    Raises
    ------
    StoreError : a file that a task has written is not here.
    """
    from deltalake import write_deltalake

    sizes: dict[str | None, int | None] = {None: None}
    for name in filter(None, rows["file"].unique().to_pylist()):
        file = Path(place.folder) / name
        if not file.exists():
            raise StoreError(
                f"{file}: a task has written it, and it is not here: store.path must be one folder on every machine. "
                "Share it, set fan_out.runner = driver, or keep the store in a catalog"
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
    """Make complete batches part of the table, in one commit; those that turn out not to be complete are removed.

    Returns
    -------
    The batches whose bytes are in the table, or were and have been purged since.
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
    """Publish what killed runs left complete, and remove what they left otherwise; under the lease of the step.

    Returns
    -------
    What is staged and to be merged: all batches of files as one, and each chunk with bytes in its rows.
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
    """Ingest batches whose rows are staged and not merged."""
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
    """The files of a batch, where they lie now; None where one is missing or cut, and the batch is removed."""
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
    """What an add action says of a file: by its lowest and highest values readers leave out files of other batches."""
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
    """Take the lock of a run's place, which its process holds as long as it lives; False where it does."""
    with (folder / _LOCK).open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
