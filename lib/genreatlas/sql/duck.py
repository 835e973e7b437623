"""The same tables and views in DuckDB: SQL over a store without Spark. Needs the extra ``duckdb``."""

from pathlib import Path
from typing import TYPE_CHECKING

from genreatlas.errors import StoreError
from genreatlas.sql.catalogue import Plan, plan
from genreatlas.sql.dialects import DuckDB
from genreatlas.sql.feature_sets import stored_sets
from genreatlas.tables import FEATURE_SETS, MODELS, TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DUCKDB = DuckDB()


def register_views(
    connection: "DuckDBPyConnection", path: str | Path, split: str = "default", *, locked: bool = True
) -> Plan:
    """Let a DuckDB connection say ``songs`` and ``leaderboard``.

    Tables are read through Delta's own log, at the versions of this moment. After that the connection reads nothing
    else: files, other databases, extensions and the network are closed, and its configuration is locked, so that a
    statement from somebody else can be run on it. What DuckDB writes is closed with them (``COPY … TO``): take rows
    as ``.df()`` or ``.arrow()``.

    Parameters
    ----------
    connection : from ``duckdb.connect()``.
    path : folder of the store.
    split : the split whose parts the views show.
    locked : False leaves the connection as open as it was, for statements of your own only.

    Raises
    ------
    StoreError : there is no table below the path.
    """
    from deltalake import DeltaTable

    folders = sorted(log.parent for log in Path(path).glob("*/_delta_log"))
    if not folders:
        raise StoreError(f"{path}: no tables here. Give the folder that [store] path names.")
    tables = {folder.name: DeltaTable(str(folder)).to_pyarrow_dataset() for folder in folders}
    if not _is_locked(connection):
        connection.execute("SET TimeZone = 'UTC'")  # as in the session that Spark has
    for name, dataset in tables.items():
        lacking = [
            c for t in TABLES if t.name == name and t.ended_by for c in t.columns if c.name not in dataset.schema.names
        ]
        connection.register(f"_stored_{name}" if lacking else name, dataset)
        if lacking:  # an older release made the table
            columns = ", ".join(f"CAST(NULL AS {_DUCKDB.type(c.type)}) AS {_DUCKDB.name(c.name)}" for c in lacking)
            connection.execute(
                f"CREATE OR REPLACE TEMPORARY VIEW {_DUCKDB.name(name)} AS "
                f"SELECT *, {columns} FROM {_DUCKDB.name(f'_stored_{name}')}"
            )
    rows = tables[FEATURE_SETS.name].to_table().to_pylist() if FEATURE_SETS.name in tables else []
    models = tables[MODELS.name].to_table(["feature_set"]).to_pylist() if MODELS.name in tables else []
    sets = stored_sets(rows, tables, {row["feature_set"] for row in models})
    planned = plan(tables, sets, split, _DUCKDB, _DUCKDB.name)
    for view in planned.views:
        connection.execute(f"CREATE OR REPLACE TEMPORARY VIEW {_DUCKDB.name(view.name)} AS\n{view.query}")
    if locked and not _is_locked(connection):
        for setting in (
            "python_enable_replacements = false",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
    return planned


def _is_locked(connection: "DuckDBPyConnection") -> bool:
    return bool(connection.execute("SELECT current_setting('lock_configuration')").fetchall()[0][0])
