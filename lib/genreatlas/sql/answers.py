"""Run read-only statements with Spark, and print results of Spark or DuckDB as a table or as CSV."""

import csv
import difflib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol, TextIO

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from genreatlas.errors import ConfigError, StoreError
from genreatlas.redaction import is_formula, printable
from genreatlas.sql import read_only
from genreatlas.sql.catalogue import Plan
from genreatlas.store import Reader

_WIDEST = 60
_QUESTIONS = ("SELECT", "WITH", "VALUES", "FROM", "TABLE", "(")
_DESCRIPTIONS = ("DESCRIBE", "DESC", "SHOW", "EXPLAIN")
_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)


class Frame(Protocol):
    """Interface of results: Spark's DataFrame or :class:`genreatlas.sql.duck_answers.Answer`."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns."""

    def limit(self, num: int, /) -> "Frame":
        """The first ``num`` rows."""

    def collect(self) -> Sequence[Sequence[Any]]:
        """All rows."""

    def toLocalIterator(self) -> Iterator[Sequence[object]]:
        """Iterate over all rows, fetched in batches."""


def bare(statement: str) -> str:
    """The statement without leading comments and trailing semicolons."""
    return statement[_COMMENTS.match(statement).end() :].rstrip().rstrip(";").rstrip()  # type: ignore[union-attr]


def readable(statement: str) -> str:
    """The statement as it will be run. A query becomes a subquery, so that no other statement can pass as a query.

    Raises
    ------
    ConfigError : the statement is empty or not read-only.
    """
    text = bare(statement)
    if not text:
        raise ConfigError("query: no statement was given")
    first = "(" if text.startswith("(") else re.split(r"\W", text, maxsplit=1)[0].upper()
    if first in _DESCRIPTIONS:
        return text
    if first in _QUESTIONS:
        return f"SELECT * FROM (\n{text}\n)"  # on a line of its own: the text may end in a comment
    raise ConfigError(
        f"query: {first} is not a read-only statement. Read-only statements begin with "
        f"{', '.join((*_QUESTIONS[:3], *_DESCRIPTIONS))}."
    )


def ask(store: Reader, checked: str, planned: Plan) -> DataFrame:
    """Run a statement that :func:`readable` returned.

    Parameters
    ----------
    planned : tables and views that exist; error messages suggest names from them.

    Raises
    ------
    ConfigError : the statement does more than read the store, see :mod:`genreatlas.sql.read_only`.
    StoreError : Spark cannot run the statement; the message has one line.
    """
    try:
        read_only.check(store.spark, checked, {*planned.tables, *(view.name for view in planned.views)})
        frame = store.spark.sql(checked)
        frame.schema  # noqa: B018 a Connect session analyses the statement only now
        return frame
    except read_only.UnknownRelationError as error:
        raise StoreError(f"query: {no_relation(error.name, planned)}") from None
    except Exception as error:  # exceptions of the parser are raised as exceptions of py4j
        if not isinstance(error, PySparkException) and "ParseException" not in str(error):
            raise
        raise StoreError(f"query: {_in_words(str(error), planned)}") from None


def as_table(frame: Frame, limit: int) -> str:
    """At most ``limit`` rows as text: numbers right-aligned, NULL as empty, long values truncated."""
    found = frame.limit(limit + 1).collect()
    rows = [[_short(value) for value in row] for row in found[:limit]]
    names = [_cut(printable(name)) for name in frame.columns]
    numeric = [all(type(row[i]) in (int, float, Decimal, type(None)) for row in found) for i in range(len(names))]
    widths = [max(len(names[i]), *(len(row[i]) for row in rows), 0) for i in range(len(names))]

    def line(cells: list[str]) -> str:
        padded = [c.rjust(w) if right else c.ljust(w) for c, w, right in zip(cells, widths, numeric, strict=True)]
        return "  ".join(padded).rstrip()

    text = [line(names), line(["-" * width for width in widths]), *map(line, rows)]
    more = f"The first {limit} rows; --limit shows more, --csv writes all." if len(found) > limit else _rows(len(rows))
    return "\n".join([*text, "", more])


def write_csv(frame: Frame, file: TextIO, safe: bool = False) -> int:
    """Write all rows in batches; arrays and maps as JSON, NULL as an empty field. Return the number of rows.

    Parameters
    ----------
    safe : prefix text that a spreadsheet would interpret as a formula by an apostrophe, and remove control characters.
        If the file is a terminal, control characters are always removed.
    """
    writer = csv.writer(file, lineterminator="\n")
    terminal = file.isatty()

    def cell(value: Any) -> Any:
        found = "" if value is None else _whole(value)
        if not isinstance(found, str):
            return found
        text = printable(found) if terminal or safe else found
        return f"'{text}" if safe and is_formula(found) else text

    writer.writerow([cell(name) for name in frame.columns])
    count = 0
    for row in frame.toLocalIterator():
        writer.writerow([cell(value) for value in row])
        count += 1
    return count


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _short(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        value = ", ".join(map(_short, value))
    elif isinstance(value, dict):
        value = ", ".join(f"{_short(key)}: {_short(item)}" for key, item in value.items())
    return _cut(printable(" ".join(str(value).split())))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _whole(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def _in_words(message: str, planned: Plan) -> str:
    """Spark's message without class, plan and state, with a suggestion for unknown names."""
    lines = message.strip().splitlines()
    start = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), 0)
    line = re.sub(r"^\[[A-Z_.]+\] ", "", lines[start].strip())
    line = re.sub(r" SQLSTATE: \w+.*$", "", line)
    match = re.search(r"table or view `([^`]+)` cannot be found", line)
    return no_relation(match[1], planned) if match else line


def no_relation(name: str, planned: Plan) -> str:
    """Error message for an unknown table or view: the tables that a view lacks, or similar names."""
    if name in planned.skipped:
        return f"the view {name} needs {', '.join(planned.skipped[name])}, which this store does not have."
    known = sorted({*planned.tables, *(view.name for view in planned.views)})
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    return f"there is no table or view {name}. {hint}"
