"""Leases: one writer per store and step. A lease ends when its run dies or cannot extend it in time.

In a local folder the lease is a file lock, which the operating system releases when the process ends for any reason.
There, Delta's log is safe only for the writers of one JVM, so a second lock lets one process commit at a time.

Elsewhere the lease is a table row with an end time, which its holder extends. End times are in the time of the table's
own commits, as the clocks of two machines may differ. The holder measures elapsed time with a clock that also runs
while the process is stopped. If the lease cannot be extended before it is about to end, or the process is resumed too
late, it writes nothing more, and the run ends. A write in progress at that moment is fenced: its statement requires the
row (:func:`fence`). An append reads no table in which Delta could detect a change at commit time; docs/retraining.md
describes the remaining risk.
"""

import contextlib
import fcntl
import logging
import os
import random
import signal
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from genreatlas.errors import LeaseHeldError, LeaseLostError
from genreatlas.store.failures import first_line
from genreatlas.store.reader import Location
from genreatlas.store.statements import quote

log = logging.getLogger(__name__)

#: Seconds without an extension after which a lease expires.
LEASE_SECONDS = 120.0
#: Signal that ends the main thread's work when its lease is lost. Not SIGINT, which background jobs of a shell ignore.
_END = signal.SIGUSR1
#: Name of the row whose commits are used to read the table's time.
_CLOCK = "(clock)"
#: Seconds since boot, including suspension of the machine; they also advance while the process is stopped.
_seconds = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Holder(Protocol):
    """Interface of the store that leases use."""

    spark: SparkSession
    location: Location
    run_id: str

    def retried(self, statement: str) -> DataFrame:
        """Run one statement, retried on concurrent commits, without checking leases."""


#: Leases that this process holds in tables, by store.
_held: defaultdict[str, list["_TableLease"]] = defaultdict(list)


@contextmanager
def hold(store: Holder, step: str) -> Iterator[None]:
    """Hold the lease of ``step`` for the duration of a ``with`` block.

    Raises
    ------
    LeaseHeldError : on entry, if another live run holds the lease; the message names the run.
    LeaseLostError : the lease could not be extended in time, or another run took it.
    """
    holder = f"run {store.run_id}, process {os.getpid()} on {socket.gethostname()}"
    folder = store.location.local_path("_leases")
    if folder is not None:
        with _file_lock(folder, step, holder):
            yield
    else:
        with _table_lease(_TableLease(store, step, holder)):
            yield


def check(store: Holder) -> None:
    """Check that all leases of this process are held.

    Raises
    ------
    LeaseLostError : a lease has expired or was lost.
    """
    for lease in _held[store.location.shown]:
        lease.check()


def fence(store: Holder) -> str:
    """SQL condition that is true while this process holds its lease, and that of the enclosing job.

    Empty for stores in a local folder, where a lease cannot be lost.
    """
    return " AND ".join(lease.condition for lease in _held[store.location.shown][-2:])


@contextmanager
def _file_lock(folder: Path, step: str, holder: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{step}.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _is_held(step, file.read()) from None
        file.truncate(0)
        file.write(holder)
        file.flush()
        yield
        file.truncate(0)


class CommitLock:
    """Lock that lets one process at a time commit to the tables of a local store. Threads of a process share it.

    A Delta log in a local folder is safe only for the writers of one JVM. When two processes committed at the same
    time, both took the same version, and the rows of one were lost.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "_leases" / "commit.lock"
        self._guard = threading.Lock()
        self._users = 0
        self._file: TextIO | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the duration of a ``with`` block."""
        with self._guard:
            if not self._users:
                self._file = self._take()
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1
                if not self._users and self._file is not None:
                    self._file.close()

    def _take(self) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process that commits to %s", self._path.parent.parent)
            fcntl.flock(file, fcntl.LOCK_EX)
        return file


_commit_locks: dict[Path, CommitLock] = {}
_commit_locks_guard = threading.Lock()


def commit_lock(folder: Path) -> CommitLock:
    """Commit lock of a local store; one per store and process."""
    with _commit_locks_guard:
        return _commit_locks.setdefault(folder, CommitLock(folder))


@contextmanager
def _table_lease(lease: "_TableLease") -> Iterator[None]:
    lease.take()
    stop = threading.Event()
    heartbeat = threading.Thread(target=lease.extend_until, args=(stop,), name=f"lease-{lease.step}", daemon=True)
    heartbeat.start()
    mine = _held[lease.store.location.shown]
    mine.append(lease)
    before = signal.signal(_END, _end) if lease.in_main_thread else None
    try:
        yield
        lease.check()
    except LeaseLostError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if lease.lost:  # the exception is a consequence of the lost lease
            raise LeaseLostError(lease.lost) from error
        raise
    finally:
        stop.set()
        while heartbeat.is_alive():
            with contextlib.suppress(KeyboardInterrupt):
                heartbeat.join()
        if lease.in_main_thread:
            signal.signal(_END, before)
        mine[:] = [one for one in mine if one is not lease]
        lease.release()


class _Ended(KeyboardInterrupt):
    """Raised in the main thread when the lease of the run is lost."""


def _end(*_: object) -> None:
    raise _Ended


class _TableLease:
    """Lease as a row of the table ``_leases``.

    Attributes
    ----------
    lost : reason why the lease is lost; empty while it is held.
    """

    def __init__(self, store: Holder, step: str, holder: str) -> None:
        self.store, self.step, self.holder = store, step, holder
        self.name = store.location.sql("_leases")
        self.lost = ""
        self.in_main_thread = threading.current_thread() is threading.main_thread()
        self._ends = 0.0  # in _seconds()
        self._clock = (0.0, 0.0)  # a time of the table, and _seconds() at or before it

    @property
    def condition(self) -> str:
        """SQL condition that is true while this run holds the row."""
        return f"EXISTS (SELECT 1 FROM {self.name} WHERE {self._mine} AND until > 0)"

    @property
    def _mine(self) -> str:
        return f"step = {quote(self.step)} AND holder = {quote(self.holder)}"

    def take(self) -> None:
        """Write the row if there is none, or if it has expired, and read it back to see which run holds it.

        Raises
        ------
        LeaseHeldError : a live run holds the lease.
        """
        columns = "step STRING, holder STRING, until DOUBLE"
        self.store.retried(f"CREATE TABLE IF NOT EXISTS {self.name} ({columns}) USING DELTA")
        # Delta's UPDATE and DELETE accept no named parameters, so values are literals.
        now = self._read_clock()
        before = self._rows()
        if held := [row for row in before if row["until"] > now]:
            raise _is_held(self.step, held[0]["holder"])
        started = _seconds()
        # Only the exact row of the dead run is replaced: if another run was first, the row has changed.
        dead = f"t.holder = {quote(before[0]['holder'])} AND t.until = {before[0]['until']}D" if before else "FALSE"
        self.store.retried(
            f"MERGE INTO {self.name} t USING (SELECT {quote(self.step)} AS step, {quote(self.holder)} AS holder, "
            f"{self._end(started)}D AS until) s ON t.step = s.step WHEN MATCHED AND {dead} THEN UPDATE SET "
            "t.holder = s.holder, t.until = s.until WHEN NOT MATCHED THEN INSERT *"
        )
        if not before:
            # Two inserts into an empty table do not conflict; after a short wait both see both rows.
            time.sleep(random.uniform(0.5, 1.0))
        rows = self._rows()
        if rows[0]["holder"] != self.holder:
            if len(rows) > 1:
                self.store.retried(f"DELETE FROM {self.name} WHERE {self._mine}")
            raise _is_held(self.step, rows[0]["holder"])
        self._ends = started + LEASE_SECONDS

    def check(self) -> None:
        """Check that the lease is held and does not end within the margin.

        Raises
        ------
        LeaseLostError : the lease is lost or about to end.
        """
        if not self.lost and _seconds() > self._ends - _margin():
            self.lost = self._too_late(
                "it was not extended in time: this process was stopped, or the store was unavailable"
            )
        if self.lost:
            raise LeaseLostError(self.lost)

    def extend_until(self, stop: threading.Event) -> None:
        """Extend the lease periodically. If that fails for too long, end the run before another run can take it."""
        wait = LEASE_SECONDS / 4
        while not stop.wait(wait):
            wait = LEASE_SECONDS / 4
            try:
                started = _seconds()
                if not self._set_end(self._end(started)):
                    self._lose("another run has taken it")
                    return
                self._ends = started + LEASE_SECONDS
            except Exception as error:
                wait = LEASE_SECONDS / 24
                log.info("the lease of %s could not be extended: %s", self.step, first_line(str(error)))
                if _seconds() + wait > self._ends - _margin():
                    self._lose(f"it could not be extended: {first_line(str(error))}")
                    return

    def release(self) -> None:
        """Release the lease. If that fails, the lease expires by itself."""
        if not self.lost:
            try:
                self._set_end(0.0)
            except Exception as error:
                log.info("the lease of %s was not released: %s", self.step, first_line(str(error)))

    def _lose(self, why: str) -> None:
        """Record that the lease is lost, and stop the run."""
        self.lost = self._too_late(why)
        with contextlib.suppress(Exception):  # an old or unreachable server
            self.store.spark.interruptAll()
        if self.in_main_thread and (main := threading.main_thread().ident) is not None:
            signal.pthread_kill(main, _END)  # also interrupts blocking calls; see _table_lease

    def _too_late(self, why: str) -> str:
        return (
            f"{self.step}: the run has lost its lease of the store: {why}. It has stopped writing. What was committed "
            "is kept: run the job again"
        )

    def _set_end(self, until: float) -> bool:
        found = self.store.retried(f"UPDATE {self.name} SET until = {until}D WHERE {self._mine}").collect()
        return int(found[0][0]) > 0

    def _end(self, started: float) -> float:
        """End time of a lease extended at ``started``, in the table's time."""
        table, here = self._clock
        return table + (started - here) + LEASE_SECONDS

    def _read_clock(self) -> float:
        """Current time of the table: the timestamp of a commit made for this purpose."""
        before = _seconds()
        self.store.retried(
            f"MERGE INTO {self.name} t USING (SELECT {quote(_CLOCK)} AS step, {quote(self.holder)} AS holder, "
            f"{random.random()}D AS until) s ON t.step = s.step WHEN MATCHED THEN UPDATE SET t.holder = s.holder, "
            "t.until = s.until WHEN NOT MATCHED THEN INSERT *"
        )
        history = self.store.spark.sql(f"DESCRIBE HISTORY {self.name} LIMIT 1")
        now = float(history.select(F.unix_micros("timestamp")).collect()[0][0]) / 1e6
        self._clock = (now, before)
        return now

    def _rows(self) -> list[Row]:
        rows = self.store.spark.sql(f"SELECT holder, until FROM {self.name} WHERE step = {quote(self.step)}").collect()
        return sorted(rows, key=lambda row: (-row["until"], row["holder"]))


def _margin() -> float:
    """Seconds before its end at which a lease counts as lost: for clock drift, and for a commit in progress."""
    return LEASE_SECONDS / 12


def _is_held(step: str, holder: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"{step}: {holder.strip() or 'another run'} is writing to this store. Wait until it has ended, or stop it."
    )
