"""Table maintenance: update definitions, merge small files, delete old files, purge rows."""

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
#: Prefixes of tables that may lose their history: audio bytes and staging tables.
_PURGEABLE = ("clip_audio", "_staging/")
#: Tables whose old versions may be deleted at once, because no training set is built from them.
_FORGETFUL = ("runs",)


@dataclass(frozen=True)
class Needed:
    """Version of a table that is needed to rebuild training sets, and the ids of the models in ``by``."""

    version: int
    by: tuple[str, ...]


def describe_again(store: Store, table: Table, keep: Iterable[str] = ()) -> list[str]:
    """Update columns, comments, properties and clustering of a table to its current definition.

    Parameters
    ----------
    keep : properties that are not changed.

    Returns
    -------
    Descriptions of the changes.
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
    # A table of files that an older release clustered stays clustered; Spark continues to write it.
    if (
        table.cluster_by
        and not store.in_files(table)
        and list(detail.get("clusteringColumns") or []) != list(table.cluster_by)
    ):
        store.sql(f"ALTER TABLE {name} CLUSTER BY ({', '.join(f'`{column}`' for column in table.cluster_by)})")
        changes.append(f"clustered by {', '.join(table.cluster_by)}")
    return changes


def optimise(store: Store, table: Table) -> tuple[int, int]:
    """Merge small files and cluster them; return the numbers of files removed and added."""
    metrics: Any = store.sql(f"OPTIMIZE {store.location.sql(table.name)}").collect()[0]["metrics"]
    return int(metrics["numFilesRemoved"]), int(metrics["numFilesAdded"])


def vacuum(store: Store, table: Table, retain_hours: int) -> None:
    """Delete files that no version within the retention needs.

    Parameters
    ----------
    retain_hours : retention in hours; tables with :attr:`Table.history` use ``store.history`` instead.
    """
    _adopt(store, table)
    retain = "" if table.history else f" RETAIN {int(retain_hours)} HOURS"
    store.sql(f"VACUUM {store.location.sql(table.name)}{retain}").collect()


def _adopt(store: Store, table: Table) -> None:
    """Add files that a stopped run has staged to the table, because vacuum deletes files that no version lists."""
    for step in table.written_by if table.in_files else ():
        store.adopt(table, step)


def endangered(store: Store, table: Table, needed: Iterable[Needed]) -> list[Needed]:
    """Readable versions that vacuum or log cleanup may delete under ``store.history``.

    A version needs files that later commits removed. These may be deleted once the commit that followed the version is
    older than the retention.
    """
    if not table.history:
        return []
    history = store.sql(f"DESCRIBE HISTORY {store.location.sql(table.name)}").select("version", "timestamp").collect()
    committed = {int(row["version"]): row["timestamp"] for row in history}
    oldest = store.spark.sql(f"SELECT current_timestamp() - {store.settings.history} AS oldest").collect()[0]["oldest"]
    return expiring(needed, committed, oldest)


def expiring(needed: Iterable[Needed], committed: Mapping[int, datetime], oldest: datetime) -> list[Needed]:
    """Versions of ``needed`` that were followed by another commit before ``oldest``.

    Parameters
    ----------
    committed : time of every commit in the log by version; versions that are missing in it are deleted already.
    """
    return [
        one
        for one in needed
        if one.version in committed and one.version + 1 in committed and committed[one.version + 1] < oldest
    ]


def purge(store: Store, name: str, condition: str) -> int:
    """Delete rows from the table, from its older versions and from the disk; return the number of deleted rows.

    DELETE alone leaves the bytes in older versions, and VACUUM keeps them for a week by default. So deletion vectors
    are resolved first, and the files are deleted at once. Uncommitted files of other writers would be lost, so it must
    be called under the lease of the table's writers.

    Raises
    ------
    StoreError : the table may not be purged.
    """
    if not name.startswith(_PURGEABLE):
        raise StoreError(f"{name}: only {' and '.join(_PURGEABLE)} can be purged; other tables keep their history")
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
    """Purge the staged rows of a step that contain audio; return the number of deleted rows."""
    name = staging_name(step)
    if not store.exists(name) or "audio" not in store.read(name).columns:
        return 0
    return purge(store, name, f"audio IS NOT NULL AND {condition}")


def forget_versions(store: Store, name: str) -> None:
    """Delete the files of a table's older versions at once.

    Raises
    ------
    StoreError : older versions of the table must be kept.
    """
    if name not in _FORGETFUL:
        raise StoreError(
            f"{name}: its older versions are kept; only those of {' and '.join(_FORGETFUL)} can be deleted"
        )
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
