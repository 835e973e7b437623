"""One writer per store and step: the lease that a dead run loses, and that a run loses which cannot extend it.

On a local folder the lease is a lock on a file, which the operating system takes back when the process ends, however
it ends; and as Delta's log is safe for one JVM only there, a second lock lets one process commit at a time. Elsewhere
the lease is a row with an end time that its holder extends. End times are in the time of the table's own commits, as
the clocks of two machines may differ. A holder measures its own time by a clock that goes on while it is stopped: when
an extension fails until the lease is about to end, or the holder wakes too late, it writes nothing more, and the run
ends. A write in flight at that moment is fenced by the row itself: its statement asks for it (:func:`fence`). An append
reads no table that Delta could find changed at its commit; docs/retraining.md says what that leaves open.
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

#: A lease that was not extended for so long belongs to a dead run.
LEASE_SECONDS = 120.0
#: Ends the main thread's work when its lease is lost. SIGINT is ignored by what a shell starts in the background.
_END = signal.SIGUSR1
#: The row whose commits tell the time.
_CLOCK = "(clock)"
#: Seconds since the machine was started, those of its sleep included; a stopped process sees them pass.
_seconds = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Holder(Protocol):
    """What a lease needs of the store whose run holds it."""

    spark: SparkSession
    location: Location
    run_id: str

    def retried(self, statement: str) -> DataFrame:
        """Run one statement, again when another writer got in between, whoever holds the lease."""


#: Leases that this process holds in tables, by store.
_held: defaultdict[str, list["_TableLease"]] = defaultdict(list)


@contextmanager
def hold(store: Holder, step: str) -> Iterator[None]:
    """Hold the lease of ``step`` for the length of a ``with`` block.

    Raises
    ------
    LeaseHeldError : on entry: another live run holds it; the message says which.
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
    """Refuse to write where a lease of this process has run out.

    Raises
    ------
    LeaseLostError : it has.
    """
    for lease in _held[store.location.shown]:
        lease.check()


def fence(store: Holder) -> str:
    """Condition of SQL that holds as long as this process has its lease, and that of the job around it.

    Empty where a lease cannot be lost.
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
    """Lets one process at a time commit to the tables of a local store; threads of a process share it.

    A Delta log on a plain folder is safe for the writers of one JVM. Two processes that committed in lockstep both
    took the same version, and the rows of one were lost.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "_leases" / "commit.lock"
        self._guard = threading.Lock()
        self._users = 0
        self._file: TextIO | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the length of a ``with`` block."""
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
    """The lock of a local store; one for each store in a process."""
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
        if lease.lost:  # what the run was stopped by
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
    """The lease of the run is lost."""


def _end(*_: object) -> None:
    raise _Ended


class _TableLease:
    """A row of ``_leases`` that this run holds.

    Attributes
    ----------
    lost : why it is lost; empty as long as it is held.
    """

    def __init__(self, store: Holder, step: str, holder: str) -> None:
        self.store, self.step, self.holder = store, step, holder
        self.name = store.location.sql("_leases")
        self.lost = ""
        self.in_main_thread = threading.current_thread() is threading.main_thread()
        self._ends = 0.0  # in _seconds()
        self._clock = (0.0, 0.0)  # a time of the table, and _seconds() not after it

    @property
    def condition(self) -> str:
        """SQL that holds as long as the row is ours."""
        return f"EXISTS (SELECT 1 FROM {self.name} WHERE {self._mine} AND until > 0)"

    @property
    def _mine(self) -> str:
        return f"step = {quote(self.step)} AND holder = {quote(self.holder)}"

    def take(self) -> None:
        """Write our name where nobody's stands, or a dead run's, and look whose stands there then.

        Raises
        ------
        LeaseHeldError : a live run's name stands there.
        """
        columns = "step STRING, holder STRING, until DOUBLE"
        self.store.retried(f"CREATE TABLE IF NOT EXISTS {self.name} ({columns}) USING DELTA")
        # Delta's UPDATE and DELETE take no named parameters, so values go in as literals.
        now = self._read_clock()
        before = self._rows()
        if held := [row for row in before if row["until"] > now]:
            raise _is_held(self.step, held[0]["holder"])
        started = _seconds()
        # Of a dead run's row just that state is replaced: whoever came first has changed it.
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
        """Raise LeaseLostError unless the lease is held and will be for a while."""
        if not self.lost and _seconds() > self._ends - _margin():
            self.lost = self._too_late("it was not extended in time: this process was stopped, or the store was away")
        if self.lost:
            raise LeaseLostError(self.lost)

    def extend_until(self, stop: threading.Event) -> None:
        """Extend the lease again and again; when that fails for too long, end the run before somebody takes it."""
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
        """Give it back; a lease that cannot be given back ends by itself."""
        if not self.lost:
            try:
                self._set_end(0.0)
            except Exception as error:
                log.info("the lease of %s was not given back: %s", self.step, first_line(str(error)))

    def _lose(self, why: str) -> None:
        """Note that it is lost, and stop the run."""
        self.lost = self._too_late(why)
        with contextlib.suppress(Exception):  # an old server, or one that is away
            self.store.spark.interruptAll()
        if self.in_main_thread and (main := threading.main_thread().ident) is not None:
            signal.pthread_kill(main, _END)  # also out of a call that waits; see _table_lease

    def _too_late(self, why: str) -> str:
        return (
            f"{self.step}: the run has lost its lease of the store, as {why}. It has stopped writing. What was "
            "committed is kept: run the job again"
        )

    def _set_end(self, until: float) -> bool:
        found = self.store.retried(f"UPDATE {self.name} SET until = {until}D WHERE {self._mine}").collect()
        return int(found[0][0]) > 0

    def _end(self, started: float) -> float:
        """End of a lease that is extended now, in the table's time."""
        table, here = self._clock
        return table + (started - here) + LEASE_SECONDS

    def _read_clock(self) -> float:
        """The table's time: that of a commit which is made for it."""
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
    """So long before its end a lease is given up: for the clocks' rates, and for the commit under way."""
    return LEASE_SECONDS / 12


def _is_held(step: str, holder: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"{step}: {holder.strip() or 'another run'} is writing to this store. Wait until it has ended, or stop it."
    )
