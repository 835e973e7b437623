"""Answers from DuckDB, which reads a local store in a second: what it is asked, and what is left to Spark."""

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

#: Rows that are taken from DuckDB at a time.
_ROWS = 1000
#: Spark's order of NULLs; and ``ln(0)`` is an error, after which Spark is asked, where it would be -inf.
_SETTINGS = {"default_null_order": "'nulls_first_on_asc_last_on_desc'", "ieee_floating_point_ops": "false"}


class LeftToSparkError(Exception):
    """Why DuckDB does not answer a statement."""


@dataclass
class Answer:
    """Rows as they come from DuckDB, with what :mod:`genreatlas.sql.answers` shows of a frame. They are read once."""

    columns: Sequence[str]
    rows: Iterator[Sequence[Any]]

    def limit(self, count: int) -> "Answer":
        """Its first rows."""
        return Answer(self.columns, islice(self.rows, count))

    def collect(self) -> list[Sequence[Any]]:
        """All rows."""
        return list(self.rows)

    def toLocalIterator(self) -> Iterator[Sequence[object]]:
        """All rows, a few at a time."""
        return self.rows


def ask(folder: Path | None, statement: str, split: str, own_dialect: bool = False) -> Answer:
    """Run a question over the store's tables and views.

    Parameters
    ----------
    folder : of a local store; None for any other.
    statement : one that :func:`genreatlas.sql.answers.readable` let through, as it was given.
    split : the split whose parts the views show.
    own_dialect : take the statement as DuckDB's SQL, whatever Spark would make of it; else only what means the same
        in both is run.

    Raises
    ------
    LeftToSparkError : the store is not local, DuckDB is not installed, or the statement is for Spark.
    StoreError : a name in it is that of no table or view; with ``own_dialect``, DuckDB does not understand it.
    """
    if folder is None:
        raise LeftToSparkError("the store is not a folder of this machine")
    if lacks := [name for name in ("duckdb", "deltalake") if importlib.util.find_spec(name) is None]:
        raise LeftToSparkError(f"{' and '.join(lacks)} not installed: the extra duckdb")
    import duckdb

    text = answers.bare(statement)
    connection = duckdb.connect()
    tree = common_sql.parsed(connection, text)
    if own_dialect:
        if tree is None:
            raise ConfigError("query: DuckDB takes one SELECT, in its own SQL. --engine spark takes Spark's.")
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
    first = cursor.fetchmany(_ROWS)  # most of what can go wrong has gone wrong here, before a row is shown
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
            raise StoreError(f"query: DuckDB says: {said}. --engine spark asks Spark.") from error


def _in_utc(value: Any) -> Any:
    """Times as Spark's session in UTC gives them."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
