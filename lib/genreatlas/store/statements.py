"""SQL statements that create, compare and merge tables, generated from table definitions."""

from collections.abc import Sequence
from dataclasses import dataclass

from genreatlas.tables import Column, Table

#: Number of columns above which values are compared as one struct: a condition of thousands of terms is slow to plan.
_WIDE = 200

HISTORY_OF_LOG = "delta.logRetentionDuration"
HISTORY_OF_FILES = "delta.deletedFileRetentionDuration"


def quote(text: str) -> str:
    """A string literal for Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def create_table(table: Table, name: str, history: str, in_files: bool = False) -> str:
    """``CREATE TABLE IF NOT EXISTS`` with comments, clustering and properties.

    Parameters
    ----------
    in_files : whether files written elsewhere are added to the table (:attr:`Table.in_files`); it is not clustered.
    """
    columns = ",\n  ".join(
        f"`{column.name}` {column.type}{' NOT NULL' if column.name in table.required else ''}"
        f" COMMENT {quote(column.full_comment)}"
        for column in table.columns
    )
    pairs = ", ".join(f"{quote(key)} = {quote(value)}" for key, value in properties(table, history).items())
    clustering = () if in_files else table.cluster_by
    cluster = f"\nCLUSTER BY ({', '.join(f'`{c}`' for c in clustering)})" if clustering else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {name} (\n  {columns}\n) USING DELTA{cluster}"
        f"\nCOMMENT {quote(table.full_comment)}\nTBLPROPERTIES ({pairs})"
    )


def properties(table: Table, history: str) -> dict[str, str]:
    """Delta properties of a table. Old versions of tables with :attr:`Table.history` are kept for ``history``."""
    found = {"delta.enableDeletionVectors": "false", **dict(table.properties)}  # so that other readers can read
    if table.history:
        found |= {HISTORY_OF_LOG: history, HISTORY_OF_FILES: history}
    return found


def add_columns(name: str, columns: Sequence[Column]) -> str:
    """``ALTER TABLE`` that adds nullable columns with their comments; they are NULL in existing rows."""
    added = ", ".join(f"`{c.name}` {c.type} COMMENT {quote(c.full_comment)}" for c in columns)
    return f"ALTER TABLE {name} ADD COLUMNS ({added})"


def merge(table: Table, name: str, source: str, columns: Sequence[str]) -> str:
    """``MERGE`` by key: insert new rows and update existing ones."""
    values = [column for column in columns if column not in table.key]
    changes = ", ".join(f"t.`{column}` = s.`{column}`" for column in values)
    names = ", ".join(f"`{column}`" for column in columns)
    inserted = ", ".join(f"s.`{column}`" for column in columns)
    return (
        f"MERGE INTO {name} AS t USING {source} AS s ON {_same_key(table)}"
        f"\nWHEN MATCHED THEN UPDATE SET {changes}"
        f"\nWHEN NOT MATCHED THEN INSERT ({names}) VALUES ({inserted})"
    )


def insert_new(table: Table, name: str, source: str, columns: Sequence[str], fence: str = "") -> str:
    """``INSERT`` the rows of the source whose key the table lacks; takes half the time of a ``MERGE``.

    The statement reads the table, so it is no blind append, and Delta rejects the commit if another writer was first.

    Parameters
    ----------
    fence : condition that must be true for rows to be written.
    """
    names = ", ".join(f"s.`{column}`" for column in columns)
    return (
        f"INSERT INTO {name} BY NAME SELECT {names} FROM {source} AS s LEFT ANTI JOIN {name} AS t ON {_same_key(table)}"
        f"{where(fence)}"
    )


def where(condition: str) -> str:
    """``WHERE``, unless there is no condition."""
    return f" WHERE {condition}" if condition else ""


@dataclass(frozen=True)
class Known:
    """Existing table that rows are compared with, and the options of :meth:`Store.upsert`."""

    name: str
    update: bool
    compare: Sequence[str] = ()


def differences(table: Table, source: str, columns: Sequence[str], unchecked: bool, there: Known | None) -> str:
    """Query of one row of counts: ``rows``, ``new``, ``changed``, and ``keys`` and ``null_<column>`` if ``unchecked``.

    Parameters
    ----------
    there : the existing table; None if it does not exist.
    """
    counts = ["count(*) AS rows"]
    if unchecked:
        counts.append(f"count(DISTINCT {', '.join(f's.`{key}`' for key in table.key)}) AS keys")
        required = sorted(table.required & set(columns))
        counts += [f"count_if(s.`{name}` IS NULL) AS `null_{name}`" for name in required]
    if there is None:
        return f"SELECT {', '.join([*counts, 'count(*) AS new', '0L AS changed'])} FROM {source} AS s"
    absent = f"t.`{table.key[0]}` IS NULL"
    counts.append(f"count_if({absent}) AS new")
    same = _same_values(table, columns, there.compare) if there.update else []
    counts.append(f"count_if(NOT ({absent}) AND NOT ({' AND '.join(same)})) AS changed" if same else "0L AS changed")
    return f"SELECT {', '.join(counts)} FROM {source} AS s LEFT JOIN {there.name} AS t ON {_same_key(table)}"


def changed_rows(table: Table, name: str, source: str, columns: Sequence[str], compare: Sequence[str] = ()) -> str:
    """Query of source rows that are new or differ in a non-volatile column or in one of ``compare``.

    Merging only these rows leaves files without changes untouched: ``MERGE`` would rewrite and commit every file with a
    matching key, even if its condition updates nothing (measured).
    """
    same = " AND ".join([_same_key(table), *_same_values(table, columns, compare)])
    return f"SELECT s.* FROM {source} AS s LEFT ANTI JOIN {name} AS t ON {same}"


def _same_key(table: Table) -> str:
    return " AND ".join(f"t.`{key}` = s.`{key}`" for key in table.key)


def _same_values(table: Table, columns: Sequence[str], compare: Sequence[str]) -> list[str]:
    ignored = {*table.key, *table.volatile} - set(compare)
    compared = [column for column in columns if column not in ignored]
    if len(compared) <= _WIDE:
        return [_same(table, column) for column in compared]
    maps = [column for column in compared if table.column(column).type.startswith("map")]
    plain = [column for column in compared if column not in set(maps)]
    ours, theirs = (", ".join(f"{side}.`{column}`" for column in plain) for side in "ts")
    return [*(_same(table, column) for column in maps), f"struct({ours}) <=> struct({theirs})"]


def _same(table: Table, column: str) -> str:
    if table.column(column).type.startswith("map"):  # maps have no equality in SQL
        return f"array_sort(map_entries(t.`{column}`)) <=> array_sort(map_entries(s.`{column}`))"
    return f"t.`{column}` <=> s.`{column}`"
