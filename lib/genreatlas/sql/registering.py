"""Register views in a Spark session or publish them in the store's catalog."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.errors import PySparkException

from genreatlas.audio.layouts import LAYOUTS
from genreatlas.errors import StoreError
from genreatlas.ids import stable_id
from genreatlas.sql.catalogue import Plan, View, plan
from genreatlas.sql.dialects import Spark
from genreatlas.sql.feature_sets import StoredSet, stored_sets
from genreatlas.store import Reader, Store, missing
from genreatlas.tables import FEATURE_SETS, MODELS, TABLES

_SPARK = Spark()
#: Property of a published view: hash of its comment and query.
_DEFINITION = "genreatlas.definition"
#: Tables of which views read active rows only.
_ENDING = tuple(table for table in TABLES if table.ended_by)


def register_views(store: Reader, split: str = "default", statement: str | None = None) -> Plan:
    """Register every table and view of a store under its own name in the Spark session.

    Registered names are temporary views: they shadow tables of the same name in the session's current schema, read the
    current rows of the tables, and end with the session.

    Parameters
    ----------
    store : store of the tables; views are registered in its session.
    split : name of the split that views use.
    statement : register only the tables and views that this statement needs, which is faster; None: all.

    Returns
    -------
    Plan : registered views, and views left out because a table does not exist.

    Raises
    ------
    StoreError : Spark refuses a view.
    """
    tables, sets = _stored(store, statement)
    planned = plan(tables, sets, split, _SPARK, _SPARK.name)
    wanted = planned.named_in(statement) if statement is not None else {*tables, *(v.name for v in planned.views)}
    for table in filter(wanted.__contains__, tables):
        store.spark.sql(f"CREATE OR REPLACE TEMPORARY VIEW {_SPARK.name(table)} AS {_whole(store, table)}")
    for view in planned.views:
        if view.name in wanted:
            with _named(view):
                store.spark.sql(f"CREATE OR REPLACE TEMPORARY VIEW {_SPARK.name(view.name)} AS\n{view.query}")
    return planned


def catalog_views(store: Store, split: str = "default") -> Plan:
    """Plan of the views for the store's catalog. Adds columns that views read to tables of older releases."""
    tables, sets = _stored(store)
    for table in _ENDING:
        if table.name in tables:
            store.upgrade(table)
    return plan(tables, sets, split, _SPARK, store.location.sql)


def publish(store: Store, view: View) -> bool:
    """Create or replace a view in the store's catalog, unless it is up to date.

    Returns
    -------
    Whether the view was created or replaced.

    Raises
    ------
    StoreError : the platform refuses the view.
    """
    name = store.location.sql(view.name)
    definition = stable_id(view.comment, view.query)
    if _property(store, name) == definition:
        return False
    head = f"COMMENT {_SPARK.literal(view.comment)}\nTBLPROPERTIES ('{_DEFINITION}' = '{definition}')"
    with _named(view):
        store.sql(f"CREATE OR REPLACE VIEW {name}\n{head}\nAS\n{view.query}")
    return True


def _whole(store: Reader, name: str) -> str:
    """Query of a table, adding as NULL the columns that views read and that tables of older releases lack."""
    query = f"SELECT * FROM {store.location.sql(name)}"
    for table in _ENDING:
        if table.name == name and (lacking := missing(table, store.spark.sql(f"{query} LIMIT 0").schema)):
            columns = ", ".join(f"CAST(NULL AS {column.type}) AS {_SPARK.name(column.name)}" for column in lacking)
            return f"SELECT *, {columns} FROM {store.location.sql(name)}"
    return query


def _stored(store: Reader, statement: str | None = None) -> tuple[list[str], list[StoredSet]]:
    tables = [table.name for table in TABLES if store.exists(table)]
    rows = [row.asDict() for row in store.read(FEATURE_SETS).collect()]
    wanted = {LAYOUTS[row["axis"]].table_name(row["feature_set"]) for row in rows if row["axis"] in LAYOUTS}
    tables += sorted(name for name in wanted if store.exists(name))
    if statement is not None and "joined_" not in statement.lower():
        return tables, stored_sets(rows, tables)
    models = store.read(MODELS).select("feature_set").distinct().collect()
    return tables, stored_sets(rows, tables, [row["feature_set"] for row in models])


def _property(store: Reader, name: str) -> str | None:
    try:
        rows = store.spark.sql(f"SHOW TBLPROPERTIES {name}").collect()
    except PySparkException:  # no such view yet
        return None
    return next((row["value"] for row in rows if row["key"] == _DEFINITION), None)


@contextmanager
def _named(view: View) -> Iterator[None]:
    """Add the name of the view to Spark's errors."""
    try:
        yield
    except PySparkException as error:
        raise StoreError(f"view {view.name}: {str(error).splitlines()[0]}") from error
