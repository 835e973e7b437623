"""The SQL that creates and merges tables, made from their descriptions."""

from collections.abc import Sequence

from genreatlas.tables import Table


def quote(text: str) -> str:
    """A string literal for Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def create_table(table: Table, name: str, history: str) -> str:
    """``CREATE TABLE IF NOT EXISTS`` with comments, clustering and properties."""
    columns = ",\n  ".join(
        f"`{column.name}` {column.type}{' NOT NULL' if column.name in table.required else ''}"
        f" COMMENT {quote(column.full_comment)}"
        for column in table.columns
    )
    properties = {"delta.enableDeletionVectors": "false"}  # so that other readers can read
    if table.history:
        properties |= {"delta.logRetentionDuration": history, "delta.deletedFileRetentionDuration": history}
    pairs = ", ".join(f"{quote(key)} = {quote(value)}" for key, value in properties.items())
    cluster = f"\nCLUSTER BY ({', '.join(f'`{c}`' for c in table.cluster_by)})" if table.cluster_by else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {name} (\n  {columns}\n) USING DELTA{cluster}"
        f"\nCOMMENT {quote(table.comment)}\nTBLPROPERTIES ({pairs})"
    )


def merge(table: Table, name: str, source: str, columns: Sequence[str], update: bool) -> str:
    """``MERGE`` by key: insert new rows and, with ``update``, replace those that are there."""
    values = [column for column in columns if column not in table.key]
    changes = ", ".join(f"t.`{column}` = s.`{column}`" for column in values)
    matched = f"\nWHEN MATCHED THEN UPDATE SET {changes}" if update and values else ""
    names = ", ".join(f"`{column}`" for column in columns)
    inserted = ", ".join(f"s.`{column}`" for column in columns)
    return (
        f"MERGE INTO {name} AS t USING {source} AS s ON {_same_key(table)}{matched}"
        f"\nWHEN NOT MATCHED THEN INSERT ({names}) VALUES ({inserted})"
    )


def changed_rows(table: Table, name: str, source: str, columns: Sequence[str], compare: Sequence[str] = ()) -> str:
    """Rows of the source that the table lacks or holds with other values in a lasting column, or one of ``compare``.

    Merging only these leaves files alone whose rows are the same: ``MERGE`` would rewrite and commit
    every file with a matching key, even where its condition updates nothing (measured).
    """
    ignored = {*table.key, *table.volatile} - set(compare)
    lasting = [column for column in columns if column not in ignored]
    same = " AND ".join([_same_key(table), *(_same(table, column) for column in lasting)])
    return f"SELECT s.* FROM {source} AS s LEFT ANTI JOIN {name} AS t ON {same}"


def _same_key(table: Table) -> str:
    return " AND ".join(f"t.`{key}` = s.`{key}`" for key in table.key)


def _same(table: Table, column: str) -> str:
    if table.column(column).type.startswith("map"):  # maps have no equality in SQL
        return f"array_sort(map_entries(t.`{column}`)) <=> array_sort(map_entries(s.`{column}`))"
    return f"t.`{column}` <=> s.`{column}`"
