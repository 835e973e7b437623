"""Classes that describe tables: columns with type, unit and comment, key, clustering, writer."""

from dataclasses import dataclass
from typing import Literal

#: Column type in Spark's DDL, such as ``array<float>``.
SqlType = str

Family = Literal["library", "features", "modelling", "operations"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``volatile`` marks columns whose values may differ between two runs over the same input (times, durations,
    run ids, table versions). All other columns must be identical.
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
    """A Delta table. Key columns come first; clustering columns are among the first 32 columns."""

    name: str
    comment: str
    written_by: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    cluster_by: tuple[str, ...] = ()
    family: Family = "library"
    properties: tuple[tuple[str, str], ...] = ()  #: further properties of the Delta table
    history: bool = False  #: an input of training, so its old versions are kept for `store.history`
    in_files: bool = False  #: in a local folder its data files are written outside Delta and added, without clustering
    ended_by: tuple[str, ...] = ()  #: rows in which one of these is not NULL are kept but no longer active

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
        """Columns that may not be NULL: key columns and those declared not nullable."""
        return frozenset(self.key) | {c.name for c in self.columns if not c.nullable}

    @property
    def live(self) -> str:
        """SQL condition that selects active rows, for Spark and DuckDB."""
        return " AND ".join(f"{name} IS NULL" for name in self.ended_by) or "TRUE"

    @property
    def volatile(self) -> frozenset[str]:
        """Columns whose values may differ between runs over the same input."""
        return frozenset(column.name for column in self.columns if column.volatile)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def ddl(self) -> str:
        """The schema in Spark's DDL without comments, as ``createDataFrame`` accepts it."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)
