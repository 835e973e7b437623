"""One writer per store and step: the lease that a dead run loses.

On a local folder the lease is a lock on a file, which the operating system takes back when the
process ends, however it ends. (Delta's own log is safe for one JVM only on a plain local folder, so
a commit could not decide there.) Elsewhere it is a row with an end time that the holder extends.
"""

import fcntl
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from genreatlas.errors import LeaseHeldError
from genreatlas.store.statements import quote

if TYPE_CHECKING:
    from genreatlas.store.store import Store

#: A lease that was not extended for so long belongs to a dead run.
LEASE_SECONDS = 120


@contextmanager
def hold(store: "Store", step: str) -> Iterator[None]:
    """Hold the lease of ``step`` for the length of a ``with`` block.

    Raises
    ------
    LeaseHeldError : another live run holds it; the message says which.
    """
    holder = f"run {store.run_id}, process {os.getpid()} on {socket.gethostname()}"
    folder = store.location.local_path("_leases")
    if folder is not None:
        with _file_lock(folder, step, holder):
            yield
    else:
        with _table_lease(store, step, holder):
            yield


@contextmanager
def _file_lock(folder: Path, step: str, holder: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{step}.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _held(step, file.read()) from None
        file.truncate(0)
        file.write(holder)
        file.flush()
        yield
        file.truncate(0)


@contextmanager
def _table_lease(store: "Store", step: str, holder: str) -> Iterator[None]:
    name = store.location.sql("_leases")
    store.sql(f"CREATE TABLE IF NOT EXISTS {name} (step STRING, holder STRING, until DOUBLE) USING DELTA")
    _take(store, name, step, holder)
    stop = threading.Event()

    def extend() -> None:
        while not stop.wait(LEASE_SECONDS / 4):
            _extend(store, name, step, holder, time.time() + LEASE_SECONDS)

    heartbeat = threading.Thread(target=extend, name=f"lease-{step}", daemon=True)
    heartbeat.start()
    try:
        yield
    finally:
        stop.set()
        heartbeat.join()
        _extend(store, name, step, holder, 0.0)


def _take(store: "Store", name: str, step: str, holder: str) -> None:
    """Write our name where nobody's stands, then look whose stands there: Delta decides between two."""
    # Delta's UPDATE and DELETE take no named parameters, so values go in as literals.
    me, here, now = quote(holder), f"step = {quote(step)}", time.time()
    store.sql(
        f"MERGE INTO {name} t USING (SELECT {quote(step)} AS step, {me} AS holder, {now + LEASE_SECONDS}D AS until) s "
        f"ON t.step = s.step WHEN MATCHED AND t.until < {now}D THEN UPDATE SET t.holder = s.holder, t.until = s.until "
        "WHEN NOT MATCHED THEN INSERT *"
    )
    # Two inserts into an empty table do not conflict; after a short wait both see both rows.
    time.sleep(random.uniform(0.5, 1.0))
    rows = store.sql(f"SELECT holder FROM {name} WHERE {here} ORDER BY holder").collect()
    if rows[0][0] != holder:
        if len(rows) > 1:
            store.sql(f"DELETE FROM {name} WHERE {here} AND holder = {me}")
        raise _held(step, rows[0][0])


def _extend(store: "Store", name: str, step: str, holder: str, until: float) -> None:
    store.sql(f"UPDATE {name} SET until = {until}D WHERE step = {quote(step)} AND holder = {quote(holder)}")


def _held(step: str, holder: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"{step}: {holder.strip() or 'another run'} is writing to this store. Wait until it has ended, or stop it."
    )
