"""Tables and views of a store in DuckDB, for SQL without Spark. Requires the extra ``duckdb``."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genreatlas.errors import StoreError
from genreatlas.sql.catalogue import Plan, plan
from genreatlas.sql.dialects import DuckDB
from genreatlas.sql.feature_sets import stored_sets
from genreatlas.store.delta_log import newest_version
from genreatlas.tables import FEATURE_SETS, MODELS, TABLES, Table
from genreatlas.values import Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DUCKDB = DuckDB()


def register_views(
    connection: "DuckDBPyConnection",
    path: str | Path,
    split: str = "default",
    statement: str | None = None,
    *,
    locked: bool = True,
) -> Plan:
    """Register all tables and views of a store in a DuckDB connection.

    Tables are read at their current Delta versions. Afterwards the connection cannot access anything else: files,
    other databases, extensions and the network are disabled, and its configuration is locked, so that untrusted
    statements can be run on it. Writing files is disabled, too (``COPY … TO``): get rows by ``.df()`` or ``.arrow()``.

    Parameters
    ----------
    connection : from ``duckdb.connect()``.
    path : folder of the store.
    split : name of the split that views use.
    statement : register only the tables and views that this statement needs, which is faster; None: all.
    locked : False disables these restrictions; use it for trusted statements only.

    Raises
    ------
    StoreError : there is no table below the path.
    """
    from deltalake import DeltaTable

    folders = {log.parent.name: log.parent for log in sorted(Path(path).glob("*/_delta_log"))}
    if not folders:
        raise StoreError(f"{path}: no tables found. Set store.path to the folder of the tables.")

    @cache
    def dataset(name: str) -> Any:
        newest_version(name, folders[name])  # raises if the last commit is truncated
        return DeltaTable(str(folders[name])).to_pyarrow_dataset()

    def rows(table: Table, columns: list[str] | None = None) -> list[Row]:
        return dataset(table.name).to_table(columns).to_pylist() if table.name in folders else []

    joins = statement is None or "joined_" in statement.lower()
    learnt_from = {row["feature_set"] for row in rows(MODELS, ["feature_set"])} if joins else set()
    planned = plan(folders, stored_sets(rows(FEATURE_SETS), folders, learnt_from), split, _DUCKDB, _DUCKDB.name)
    wanted = planned.named_in(statement) if statement is not None else {*folders, *(v.name for v in planned.views)}
    if not _is_locked(connection):
        connection.execute("SET TimeZone = 'UTC'")  # as in Spark's session
    for name in filter(wanted.__contains__, folders):
        _register(connection, name, dataset(name))
    for view in planned.views:
        if view.name in wanted:
            connection.execute(f"CREATE OR REPLACE TEMPORARY VIEW {_DUCKDB.name(view.name)} AS\n{view.query}")
    if locked and not _is_locked(connection):
        for setting in (
            "python_enable_replacements = false",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
    return planned


def _register(connection: "DuckDBPyConnection", name: str, dataset: Any) -> None:
    """Register a table, adding as NULL the columns that views read and that tables of older releases lack."""
    lacking = [
        c for t in TABLES if t.name == name and t.ended_by for c in t.columns if c.name not in dataset.schema.names
    ]
    connection.register(f"_stored_{name}" if lacking else name, dataset)
    if lacking:
        columns = ", ".join(f"CAST(NULL AS {_DUCKDB.type(c.type)}) AS {_DUCKDB.name(c.name)}" for c in lacking)
        connection.execute(
            f"CREATE OR REPLACE TEMPORARY VIEW {_DUCKDB.name(name)} AS "
            f"SELECT *, {columns} FROM {_DUCKDB.name(f'_stored_{name}')}"
        )


def _is_locked(connection: "DuckDBPyConnection") -> bool:
    return bool(connection.execute("SELECT current_setting('lock_configuration')").fetchall()[0][0])
