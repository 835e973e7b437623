"""How a table is described: columns with type, unit and comment, key, clustering, writer."""

from dataclasses import dataclass
from typing import Literal

#: Column types are written as Spark SQL spells them; the same word is read by Spark's DDL parser.
SqlType = str

Family = Literal["library", "features", "modelling", "operations"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``volatile`` marks what two runs over the same input may store differently (times, durations,
    run ids, table versions); every other column must come out identical.
    """

    name: str
    type: SqlType
    comment: str
    unit: str = ""
    nullable: bool = True
    volatile: bool = False
    source: str = ""

    @property
    def full_comment(self) -> str:
        """The comment that ``DESCRIBE TABLE`` shows: text, the unit in brackets, and where the value comes from."""
        words = [self.comment, f"[{self.unit}]" if self.unit else "", f"Source: {self.source}." if self.source else ""]
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Table:
    """A Delta table: its key comes first, its clustering columns are among its first 32 columns."""

    name: str
    comment: str
    written_by: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    cluster_by: tuple[str, ...] = ()
    family: Family = "library"
    properties: tuple[tuple[str, str], ...] = ()  #: further properties of the Delta table
    history: bool = False  #: an input of training, so its old versions are kept for `store.history`
    in_files: bool = False  #: in a local folder it consists of files that were written elsewhere, without clustering
    ended_by: tuple[str, ...] = ()  #: a row in which one of these is not NULL is kept, and counts no longer

    def __post_init__(self) -> None:
        names = self.column_names
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name}: a column name appears twice")
        if names[: len(self.key)] != self.key:
            raise ValueError(f"table {self.name}: key columns {self.key} must come first")
        if missing := set(self.cluster_by) - set(names[:32]):
            raise ValueError(f"table {self.name}: cannot cluster by {sorted(missing)}")

    @property
    def full_comment(self) -> str:
        """The comment that ``DESCRIBE TABLE EXTENDED`` shows: what the table holds and which steps write it."""
        return f"{self.comment} Written by {' and '.join(self.written_by)}."

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> frozenset[str]:
        """Columns that may not be NULL: the key and those declared so."""
        return frozenset(self.key) | {c.name for c in self.columns if not c.nullable}

    @property
    def live(self) -> str:
        """SQL condition of the rows that count, for Spark and DuckDB."""
        return " AND ".join(f"{name} IS NULL" for name in self.ended_by) or "TRUE"

    @property
    def volatile(self) -> frozenset[str]:
        """Columns in which equal runs may differ."""
        return frozenset(column.name for column in self.columns if column.volatile)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def ddl(self) -> str:
        """The schema in Spark's DDL, without comments: what ``createDataFrame`` takes."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)
