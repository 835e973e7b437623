"""Keeping tables in shape: descriptions brought up to date, small files merged, old files deleted, rows purged."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genreatlas.errors import StoreError
from genreatlas.store.staging import staging_name
from genreatlas.store.statements import properties, quote
from genreatlas.store.writer import Store
from genreatlas.tables import TABLES, Table

_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"
#: Nothing else may lose its history: only bytes of audio, and what is staged on its way to them.
_PURGEABLE = ("clip_audio", "_staging/")
#: No training set is made from it, so what is written over in it may go at once.
_FORGETFUL = ("runs",)


@dataclass(frozen=True)
class Needed:
    """A version of a table that somebody reads again."""

    version: int
    by: tuple[str, ...]


def describe_again(store: Store, table: Table, keep: Iterable[str] = ()) -> list[str]:
    """Give a table of an older release the columns, comments, properties and clustering that are described now.

    Parameters
    ----------
    keep : properties that stay as they are.

    Returns
    -------
    What was changed, in words.
    """
    name = store.location.sql(table.name)
    changes = [f"added {column}" for column in store.upgrade(table)]
    stored = {field.name: field.metadata.get("comment", "") for field in store.read(table.name).schema}
    for column in table.columns:
        if stored.get(column.name, column.full_comment) != column.full_comment:
            store.sql(f"ALTER TABLE {name} ALTER COLUMN `{column.name}` COMMENT {quote(column.full_comment)}")
            changes.append(f"described {column.name}")
    detail = store.sql(f"DESCRIBE DETAIL {name}").collect()[0].asDict()
    wanted = properties(table, store.settings.history)
    held: Mapping[str, str] = detail["properties"]
    different = {key: value for key, value in wanted.items() if held.get(key) != value and key not in keep}
    if different:
        pairs = ", ".join(f"{quote(key)} = {quote(value)}" for key, value in different.items())
        store.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({pairs})")
        changes += [f"set {key} to {value}" for key, value in different.items()]
    # A table of an older release that is clustered stays so: Spark writes it then, as before.
    if (
        table.cluster_by
        and not store.in_files(table)
        and list(detail.get("clusteringColumns") or []) != list(table.cluster_by)
    ):
        store.sql(f"ALTER TABLE {name} CLUSTER BY ({', '.join(f'`{column}`' for column in table.cluster_by)})")
        changes.append(f"clustered by {', '.join(table.cluster_by)}")
    return changes


def optimise(store: Store, table: Table) -> tuple[int, int]:
    """Merge small files and cluster them; how many files became how many."""
    metrics: Any = store.sql(f"OPTIMIZE {store.location.sql(table.name)}").collect()[0]["metrics"]
    return int(metrics["numFilesRemoved"]), int(metrics["numFilesAdded"])


def vacuum(store: Store, table: Table, retain_hours: int) -> None:
    """Delete files that no version within the retention needs; inputs of training follow ``store.history``."""
    _adopt(store, table)
    retain = "" if table.history else f" RETAIN {int(retain_hours)} HOURS"
    store.sql(f"VACUUM {store.location.sql(table.name)}{retain}").collect()


def _adopt(store: Store, table: Table) -> None:
    """Make files that a stopped run has staged part of their table: no version names them, so they would go."""
    for step in table.written_by if table.in_files else ():
        store.adopt(table, step)


def endangered(store: Store, table: Table, needed: Iterable[Needed]) -> list[Needed]:
    """Versions that are readable now, and that vacuum or the cleaning of the log may take with ``store.history``.

    A version needs files that later commits removed; these may go once the commit that followed it is older than
    the retention.
    """
    if not table.history:
        return []
    history = store.sql(f"DESCRIBE HISTORY {store.location.sql(table.name)}").select("version", "timestamp").collect()
    committed = {int(row["version"]): row["timestamp"] for row in history}
    oldest = store.spark.sql(f"SELECT current_timestamp() - {store.settings.history} AS oldest").collect()[0]["oldest"]
    return expiring(needed, committed, oldest)


def expiring(needed: Iterable[Needed], committed: Mapping[int, datetime], oldest: datetime) -> list[Needed]:
    """Those of ``needed`` that were followed by another commit before ``oldest``.

    Parameters
    ----------
    committed : time of every commit that the log still has; a version that it lacks is gone already.
    """
    return [
        one
        for one in needed
        if one.version in committed and one.version + 1 in committed and committed[one.version + 1] < oldest
    ]


def purge(store: Store, name: str, condition: str) -> int:
    """Delete rows for good: from the table, from its older versions, and from the disk; returns how many went.

    DELETE alone leaves the bytes in older versions, and VACUUM by default for a week. So deletion vectors
    are resolved first and the files go at once. Whoever writes the table would lose what he has not
    committed, so it is called under the lease of its writers.

    Raises
    ------
    StoreError : the table is none that is purged.
    """
    if not name.startswith(_PURGEABLE):
        raise StoreError(f"{name}: only {' and '.join(_PURGEABLE)} are purged; other tables keep their history")
    for described in TABLES:
        if described.name == name:
            _adopt(store, described)
    if not store.exists(name):
        return 0
    table = store.location.sql(name)
    gone = int(store.sql(f"DELETE FROM {table} WHERE {condition}").collect()[0][0])
    store.sql(f"REORG TABLE {table} APPLY (PURGE)")
    with _no_retention_check(store):
        store.sql(f"VACUUM {table} RETAIN 0 HOURS")
    return gone


def purge_staged(store: Store, step: str, condition: str) -> int:
    """Delete the staged rows of a step that hold bytes, for good; returns how many went."""
    name = staging_name(step)
    if not store.exists(name) or "audio" not in store.read(name).columns:
        return 0
    return purge(store, name, f"audio IS NOT NULL AND {condition}")


def forget_versions(store: Store, name: str) -> None:
    """Remove the files of a table's older versions at once: what was written over is gone.

    Raises
    ------
    StoreError : the table is none of which older versions may go.
    """
    if name not in _FORGETFUL:
        raise StoreError(f"{name}: its older versions stay; only those of {' and '.join(_FORGETFUL)} may go")
    with _no_retention_check(store):
        store.sql(f"VACUUM {store.location.sql(name)} RETAIN 0 HOURS")


@contextmanager
def _no_retention_check(store: Store) -> Iterator[None]:
    before = store.spark.conf.get(_CHECK, None)
    store.spark.conf.set(_CHECK, "false")
    try:
        yield
    finally:
        if before is None:
            store.spark.conf.unset(_CHECK)
        else:
            store.spark.conf.set(_CHECK, before)
