"""Tables that an older release made: which described columns they lack, and how these are added in place."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from genreatlas.errors import StoreError
from genreatlas.store.statements import quote
from genreatlas.tables import Column, Table


def missing(table: Table, stored: StructType) -> list[Column]:
    """Columns that are described and not stored.

    Raises
    ------
    StoreError : one of them may not be NULL, so that rows that are there cannot get it.
    """
    lacking = [column for column in table.columns if column.name not in stored.names]
    if needed := [column.name for column in lacking if column.name in table.required]:
        raise StoreError(
            f"{table.name} was made by another release: it lacks {', '.join(needed)}, which no row may be without. "
            "Move the table aside and let its step write it again."
        )
    return lacking


def add_columns(name: str, columns: list[Column]) -> str:
    """``ALTER TABLE`` that adds nullable columns with their comments; rows that are there hold NULL."""
    added = ", ".join(f"`{c.name}` {c.type} COMMENT {quote(c.full_comment)}" for c in columns)
    return f"ALTER TABLE {name} ADD COLUMNS ({added})"


def with_missing(table: Table, frame: DataFrame) -> DataFrame:
    """The frame with the described columns that it lacks, as NULL."""
    lacking = [column for column in table.columns if column.name not in frame.columns]
    return frame.withColumns({c.name: F.lit(None).cast(c.type) for c in lacking}) if lacking else frame
