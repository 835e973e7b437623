"""Syntax that differs between Spark SQL and DuckDB. Everything else in the views is common SQL."""

import re
from typing import Protocol

from genreatlas.tables import Table


class Dialect(Protocol):
    """Functions that views' templates call for syntax that differs between engines."""

    def name(self, identifier: str) -> str:
        """Quote an identifier."""

    def literal(self, text: str) -> str:
        """Quote a string."""

    def explode(self, array: str) -> str:
        """Expression for the SELECT list that returns one row per element."""

    def numbers_below(self, count: str) -> str:
        """Array of the numbers from 0 to count - 1; count must be positive."""

    def at(self, array: str, index: str) -> str:
        """Element of an array, with indices from 0."""

    def lookup(self, pairs: str, key: str) -> str:
        """Value of a map, NULL where the key is missing."""

    def type(self, spark_type: str) -> str:
        """Translate a column type of Spark SQL."""


class Spark:
    """Spark SQL."""

    def name(self, identifier: str) -> str:
        """Quote an identifier."""
        return "`" + identifier.replace("`", "``") + "`"

    def literal(self, text: str) -> str:
        """Quote a string."""
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"

    def explode(self, array: str) -> str:
        """``explode``: an empty array gives no row."""
        return f"explode({array})"

    def numbers_below(self, count: str) -> str:
        """``sequence``, which includes its end."""
        return f"sequence(0, {count} - 1)"

    def at(self, array: str, index: str) -> str:
        """Indices in brackets start at 0."""
        return f"{array}[{index}]"

    def lookup(self, pairs: str, key: str) -> str:
        """``try_element_at`` is NULL for a missing key, also in ANSI mode, in which brackets raise."""
        return f"try_element_at({pairs}, {key})"

    def type(self, spark_type: str) -> str:
        """Return the type unchanged."""
        return spark_type


class DuckDB:
    """DuckDB SQL."""

    def name(self, identifier: str) -> str:
        """Quote an identifier."""
        return '"' + identifier.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        """Quote a string."""
        return "'" + text.replace("'", "''") + "'"

    def explode(self, array: str) -> str:
        """``unnest``: an empty array gives no row."""
        return f"unnest({array})"

    def numbers_below(self, count: str) -> str:
        """``range``, which excludes its end."""
        return f"range({count})"

    def at(self, array: str, index: str) -> str:
        """Indices in brackets start at 1."""
        return f"{array}[1 + {index}]"

    def lookup(self, pairs: str, key: str) -> str:
        """Brackets on a map: NULL for a missing key."""
        return f"{pairs}[{key}]"

    def type(self, spark_type: str) -> str:
        """Translate ``array<x>``, ``map<x,y>`` and ``string``."""
        if match := re.fullmatch(r"array<(.*)>", spark_type):
            return f"{self.type(match[1])}[]"
        if match := re.fullmatch(r"map<(\w+),(.*)>", spark_type):
            return f"MAP({self.type(match[1])}, {self.type(match[2])})"
        return {"string": "VARCHAR"}.get(spark_type, spark_type)


def empty(table: Table, dialect: Dialect) -> str:
    """Subquery without rows that has the columns of a table, used in place of a table that does not exist."""
    columns = ", ".join(f"CAST(NULL AS {dialect.type(c.type)}) AS {dialect.name(c.name)}" for c in table.columns)
    return f"(SELECT {columns} WHERE 1 = 0)"
