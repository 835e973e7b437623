"""Run queries in DuckDB if possible, which takes about a second for a local store; other queries are left to Spark."""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genreatlas.errors import ConfigError, StoreError
from genreatlas.sql import answers, common_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Rows fetched from DuckDB at a time.
_ROWS = 1000
#: Order of NULLs as in Spark. ``ln(0)`` raises an error instead of -inf, after which Spark runs the statement.
_SETTINGS = {"default_null_order": "'nulls_first_on_asc_last_on_desc'", "ieee_floating_point_ops": "false"}


class LeftToSparkError(Exception):
    """DuckDB cannot run a statement; the message has the reason."""


@dataclass
class Answer:
    """Result of DuckDB with the interface of :class:`genreatlas.sql.answers.Frame`. Rows can be read only once."""

    columns: Sequence[str]
    rows: Iterator[Sequence[Any]]

    def limit(self, count: int) -> "Answer":
        """The first ``count`` rows."""
        return Answer(self.columns, islice(self.rows, count))

    def collect(self) -> list[Sequence[Any]]:
        """All rows."""
        return list(self.rows)

    def toLocalIterator(self) -> Iterator[Sequence[object]]:
        """Iterate over all rows, fetched in batches."""
        return self.rows


def ask(folder: Path | None, statement: str, split: str, own_dialect: bool = False) -> Answer:
    """Run a query over the store's tables and views.

    Parameters
    ----------
    folder : folder of a local store; None for any other store.
    statement : original statement, which :func:`genreatlas.sql.answers.readable` has accepted.
    split : name of the split that views use.
    own_dialect : interpret the statement as DuckDB's SQL. False: run it only if it has the same meaning in Spark SQL.

    Raises
    ------
    LeftToSparkError : the store is not local, DuckDB is not installed, or the statement requires Spark.
    StoreError : the statement names an unknown table or view; with ``own_dialect``, DuckDB cannot run it.
    ConfigError : with ``own_dialect``, the statement is not a single SELECT.
    """
    if folder is None:
        raise LeftToSparkError("the store is not a local folder")
    if lacks := [name for name in ("duckdb", "deltalake") if importlib.util.find_spec(name) is None]:
        raise LeftToSparkError(f"{' and '.join(lacks)} not installed (extra duckdb)")
    import duckdb

    text = answers.bare(statement)
    connection = duckdb.connect()
    tree = common_sql.parsed(connection, text)
    if own_dialect:
        if tree is None:
            raise ConfigError(
                "query: --engine duckdb needs one SELECT in DuckDB's SQL. For Spark SQL use --engine spark."
            )
    elif reason := common_sql.difference(connection, text):
        raise LeftToSparkError(reason)
    try:
        return _answer(connection, folder, text, split, tree)
    except duckdb.Error as error:
        said = f"DuckDB says: {str(error).strip().splitlines()[0]}"
        if own_dialect:
            raise StoreError(f"query: {said}") from error
        raise LeftToSparkError(said) from error


def _answer(connection: "DuckDBPyConnection", folder: Path, text: str, split: str, tree: Any) -> Answer:
    from genreatlas.sql import duck

    for name, value in _SETTINGS.items():
        connection.execute(f"SET {name} = {value}")
    planned = duck.register_views(connection, folder, split, text)
    if unknown := common_sql.unknown_relation(tree, {*planned.tables, *(view.name for view in planned.views)}):
        raise StoreError(f"query: {answers.no_relation(unknown, planned)}")
    cursor = connection.execute(text)
    first = cursor.fetchmany(_ROWS)  # raises most errors before a row is shown
    return Answer([column[0] for column in cursor.description or ()], _rows(cursor, first))


def _rows(cursor: Any, rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    import duckdb

    while rows:
        for row in rows:
            yield [_in_utc(value) for value in row]
        try:
            rows = cursor.fetchmany(_ROWS)
        except duckdb.Error as error:
            said = str(error).strip().splitlines()[0]
            raise StoreError(f"query: DuckDB says: {said}. Use --engine spark to run it on Spark.") from error


def _in_utc(value: Any) -> Any:
    """Timestamps without time zone, as Spark's session in UTC returns them."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
