"""Whoever reads the tables without Spark gets the same rows: deltalake, and DuckDB over it."""

from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from conftest import METASTORE
from frozen_store import Frozen
from genreatlas.store import Store, upkeep
from genreatlas.tables import TABLES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(METASTORE), reason="the store of this test is a folder")]


@pytest.fixture(scope="module")
def old(spark, tmp_path_factory):
    """A store of an older release with every kind of table."""
    frozen = Frozen.copy(tmp_path_factory.mktemp("frozen"))
    return Store(spark, frozen.config().store)


def names(store):
    """Its tables, those of killed runs included."""
    return sorted(
        str(log.parent.relative_to(store.location.folder)) for log in Path(store.location.root).rglob("_delta_log")
    )


def plain(value):
    """Arrow gives a map as pairs, whose order means nothing, and a list as a list."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        return dict(sorted(value, key=repr))
    return [plain(one) for one in value] if isinstance(value, list) else value


def rows(arrow):
    """Whole rows in an order of their own; NaN is equal to itself."""
    return sorted(repr({name: plain(row[name]) for name in sorted(row)}) for row in arrow.to_pylist())


def through_spark(store, name):
    return store.spark.sql(f"SELECT * FROM {store.location.sql(name)}").toArrow()


def through_deltalake(store, name):
    return DeltaTable(f"{store.location.root}/{name}").to_pyarrow_table()


def through_duckdb(store, name):
    connection = duckdb.connect()
    connection.register("held", DeltaTable(f"{store.location.root}/{name}").to_pyarrow_dataset())
    connection.sql("SET TimeZone = 'UTC'")  # as in the session that Spark has
    return connection.sql("SELECT * FROM held").to_arrow_table()


def test_every_table_has_the_same_rows_for_spark_deltalake_and_duckdb_before_and_after_it_is_brought_up_to_date(old):
    described = {table.name: table for table in TABLES}
    for name in names(old):
        before = through_spark(old, name)
        filled = {column for column in before.column_names if before[column].null_count < before.num_rows}
        if table := described.get(name):
            upkeep.describe_again(old, table)
            upkeep.optimise(old, table)
        here = through_spark(old, name)
        for there in (through_deltalake(old, name), through_duckdb(old, name)):
            assert there.column_names == here.column_names, name
            assert filled == {c for c in there.column_names if there[c].null_count < there.num_rows}, name
            assert rows(there) == rows(here), name
            assert rows(there.select(before.column_names)) == rows(before), name
        assert "delta.columnMapping.mode" not in DeltaTable(f"{old.location.root}/{name}").metadata().configuration
