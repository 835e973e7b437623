"""Rows that are to be gone: from the table, from its older versions, and from the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genreatlas.errors import StoreError

if TYPE_CHECKING:
    from genreatlas.store.store import Store

_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"
#: Nothing else may lose its history: only bytes of audio, and what is staged on its way to them.
_PURGEABLE = ("clip_audio", "_staging/")


def purge(store: "Store", name: str, condition: str) -> int:
    """Delete rows for good; returns how many went.

    DELETE alone leaves the bytes in older versions, and VACUUM by default for a week. So deletion vectors
    are resolved first and the files go at once. Whoever writes the table would lose what he has not
    committed, so it is called under the lease of its writers.

    Raises
    ------
    StoreError : the table is none that is purged.
    """
    if not name.startswith(_PURGEABLE):
        raise StoreError(f"{name}: only {' and '.join(_PURGEABLE)} are purged; other tables keep their history")
    if not store.exists(name):
        return 0
    table = store.location.sql(name)
    gone = int(store.sql(f"DELETE FROM {table} WHERE {condition}").collect()[0][0])
    store.sql(f"REORG TABLE {table} APPLY (PURGE)")
    with _no_retention_check(store):
        store.sql(f"VACUUM {table} RETAIN 0 HOURS")
    return gone


@contextmanager
def _no_retention_check(store: "Store") -> Iterator[None]:
    before = store.spark.conf.get(_CHECK, None)
    store.spark.conf.set(_CHECK, "false")
    try:
        yield
    finally:
        if before is None:
            store.spark.conf.unset(_CHECK)
        else:
            store.spark.conf.set(_CHECK, before)
