"""Parse delimited text: detect separator and quoting, and report broken rows without losing others.

The parser is Python's ``csv`` in strict mode. In addition, unclosed quotes are handled: ``csv`` would read the
following rows, up to the next quote or the end, as part of the value, without an error. Only the row with the unclosed
quote is rejected, and parsing continues at the next line.

ARFF, the format of Weka and openSMILE, has attribute names before rows of delimited text.
Reference: Weka's description, https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from genreatlas.errors import InputError

csv.field_size_limit(2**31 - 1)  # cells may contain long arrays or biographies

_DELIMITERS = ("\t", ",", ";", "|")
_NONE = "\x1f"  # separator of a text with one column
_SAMPLE_LINES = 200
_SHOWN = 5

#: Number of a row's first line, its values (None if broken), and the problem.
Record = tuple[int, list[str] | None, str]


@dataclass(frozen=True)
class Dialect:
    """Separator and quoting of a text.

    Attributes
    ----------
    backslash : whether a backslash escapes quotes.
    blanks : whether blanks after a separator are ignored.
    row_names : whether rows have one value more than the header, as R writes them.
    skipped : number of lines before the header, such as ``sep=;``, blank lines and comments.
    """

    delimiter: str
    quoting: bool = True
    backslash: bool = False
    blanks: bool = False
    row_names: bool = False
    skipped: int = 0
    quote: str = '"'

    def reader(self, lines: Iterable[str], strict: bool = True) -> Any:
        """Create a reader of ``csv``."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE,
            quotechar=self.quote,
            doublequote=not self.backslash,
            escapechar="\\" if self.backslash else None,
            skipinitialspace=self.blanks,
            strict=strict,
        )


@dataclass
class Faults:
    """Statistics of quotes while reading.

    Attributes
    ----------
    unclosed : numbers of lines with an unclosed quote.
    quoted : number of valid rows with quoted values.
    stray : numbers of lines with quotes inside quoted values, which are kept as characters.
    """

    unclosed: list[int] = field(default_factory=list)
    quoted: int = 0
    stray: list[int] = field(default_factory=list)


def find_dialect(name: str, text: Callable[[], Iterator[str]]) -> tuple[Dialect, tuple[str, ...]]:
    """Detect separator and quoting of a text with a header.

    Quotes are treated as plain characters if more rows are broken by them than have quoted values: for example titles
    such as ``"Heroes" (live)`` in a table without quoting.

    Parameters
    ----------
    name : name of the file for messages.
    text : function that returns the lines from the start.

    Returns
    -------
    The dialect, and notes on unusual properties.

    Raises
    ------
    InputError : the text has no lines.
    """
    lines = list(islice(text(), _SAMPLE_LINES))
    first = lines[0].strip().lower() if lines else ""
    if first.startswith("sep=") and len(first) == 5:
        dialect = Dialect(first[-1], skipped=1)
    elif first == "sep=":
        dialect = Dialect("\t", skipped=1)
    else:
        skipped = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
        dialect = replace(_delimited(lines[skipped:]), skipped=skipped)
        if comments := _comments(lines[skipped:]):
            dialect = replace(_delimited(lines[skipped + comments :]), skipped=skipped + comments)
    if not lines or len(lines) == dialect.skipped:
        raise InputError(f"{name}: the file is empty.")
    notes = []
    if any(dialect.quote in line for line in text()):
        dialect, odd = _quoted(name, text, dialect)
        if not dialect.quoting:
            told = some_lines(odd)
            notes.append(f"quotes are read as ordinary characters, because most of them do not enclose values: {told}")
    else:
        dialect = _apostrophes(name, text, lines, dialect)
    if _has_row_names(lines[dialect.skipped :], dialect):
        dialect = replace(dialect, row_names=True)
        notes.append("the header has no name for the first column; its values are read as row names")
    return dialect, tuple(notes)


def read_header(name: str, lines: Iterator[str], dialect: Dialect) -> tuple[list[str], int]:
    """Names of the columns, and the number of the line after the header.

    Raises
    ------
    InputError : a quote in the header is not closed.
    """
    count = 0

    def counted() -> Iterator[str]:
        nonlocal count
        for line in lines:
            count += 1
            if count > dialect.skipped:
                yield line

    try:
        values: list[str] = next(dialect.reader(counted()), [])
    except csv.Error as error:
        raise InputError(f"{name} line {dialect.skipped + 1}: the header cannot be read: {error}.") from None
    columns = [value.strip() or f"unnamed_{place}" for place, value in enumerate(values, int(dialect.row_names))]
    return (["unnamed_0", *columns] if dialect.row_names else columns), count + 1


def records(
    lines: Iterator[str], dialect: Dialect, width: int, start: int = 1, faults: Faults | None = None, pad: bool = False
) -> Iterator[Record]:
    """Parse rows, each with the number of its first line; blank rows are left out.

    Parameters
    ----------
    lines : lines of the text after its header.
    width : number of values in a row. Further empty values are dropped.
    start : number of the first line.
    faults : statistics to be updated.
    pad : whether missing values at the end of a row are filled with empty values.
    """
    faults = faults if faults is not None else Faults()
    source = _Lines(lines, start)
    reader = dialect.reader(source)
    while True:
        here = source.begin()
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            taken = source.give_back_all_but_first()
            reader = dialect.reader(source)
            yield from _salvaged(taken, here, dialect, width, faults)
            continue
        if source.taken > 1 and _swallowed(source.lines, dialect, width):
            last = here + source.taken - 1
            source.give_back_all_but_first()
            reader = dialect.reader(source)
            faults.unclosed.append(here)
            yield here, None, f"A quote opens here and closes only in line {last}. Close the quote."
            continue
        if not values or (not values[0].strip() and not any(value.strip() for value in values)):
            continue
        if len(values) != width:
            while len(values) > width and not values[-1].strip():
                values.pop()
            if pad and len(values) < width and source.lines[-1].endswith(("\n", "\r")):
                values += [""] * (width - len(values))
        if len(values) != width:
            if source.taken > 1:  # reject only the first line, and parse the others again
                source.give_back_all_but_first()
                reader = dialect.reader(source)
                faults.unclosed.append(here)
                yield here, None, "A quote opens here and closes in a later line. Close the quote."
                continue
            yield here, None, f"{len(values)} values for {width} columns. Quote values that contain separators."
            continue
        if dialect.quoting and _encloses(source.lines[0], dialect):
            faults.quoted += 1
        yield here, values, ""


def some_lines(numbers: Sequence[int]) -> str:
    """``line 3``, or ``12 lines (3, 17, 20, ...)``."""
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    more = ", ..." if len(numbers) > _SHOWN else ""
    return f"{len(numbers)} lines ({', '.join(map(str, numbers[:_SHOWN]))}{more})"


class _Lines:
    """Iterator of lines for a reader; the lines of the current row can be given back."""

    def __init__(self, lines: Iterator[str], start: int) -> None:
        self._lines = lines
        self._back: deque[str] = deque()
        self._next = start
        self.lines: list[str] = []

    def begin(self) -> int:
        """Begin a row; returns the number of its first line."""
        self._next += len(self.lines)
        self.lines = []
        return self._next

    @property
    def taken(self) -> int:
        return len(self.lines)

    def give_back_all_but_first(self) -> str:
        self._back.extendleft(reversed(self.lines[1:]))
        del self.lines[1:]
        return self.lines[0]

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._lines)
        self.lines.append(line)
        return line


def _salvaged(line: str, here: int, dialect: Dialect, width: int, faults: Faults) -> Iterator[Record]:
    """Row of an invalid line. If quotes are paired and the number of values is right, quotes in values are kept."""
    values: list[str] = next(dialect.reader([line], strict=False), [])
    paired = line.count(dialect.quote) % 2 == 0
    if paired and len(values) == width and not values[-1].endswith(("\n", "\r")):
        faults.stray.append(here)
        yield here, values, ""
    else:
        faults.unclosed.append(here)
        yield here, None, "A quote opens here and is never closed. Close the quote."


def _swallowed(lines: Sequence[str], dialect: Dialect, width: int) -> bool:
    """Whether each line of a row is a complete row, so that its quote is unclosed and not a value of several lines."""
    if width < 2:
        return False
    opening = lines[0].rfind(dialect.quote)
    first = lines[0][:opening] + lines[0][opening + 1 :]
    return all(_fields(line, dialect) == width for line in (first, *lines[1:]))


def _encloses(line: str, dialect: Dialect) -> bool:
    return line.startswith(dialect.quote) or dialect.delimiter + dialect.quote in line


def _fields(line: str, dialect: Dialect) -> int:
    return len(next(dialect.reader([line], strict=False), []))


def _delimited(lines: Sequence[str]) -> Dialect:
    """Separator for which most lines have as many values as the first line, preferring more values."""
    best, most = Dialect(_NONE), 0.0
    for delimiter in _DELIMITERS:
        for blanks in (False, True):
            dialect = Dialect(delimiter, blanks=blanks)
            widths = [len(row) for row in dialect.reader(lines, strict=False) if row]
            width = widths[0] if widths else 0
            body = widths[1:]
            exact, named = (sum(n == wanted for n in body) / max(len(body), 1) for wanted in (width, width + 1))
            score = (width - 1) * (max(exact, 0.9 * named) + 0.01)
            if score > most * 1.001:
                best, most = dialect, score
    if most <= 0:
        spaced = Dialect(" ")
        widths = [len(row) for row in spaced.reader(lines, strict=False) if row]
        if len(widths) > 1 and widths[0] > 1 and all(0 <= n - widths[0] <= 1 for n in widths):
            return spaced  # default of R
    return best


def _comments(lines: Sequence[str]) -> int:
    """Number of comment lines (starting with #) before the header."""
    marked = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if not marked or marked == len(lines):
        return 0
    dialect = _delimited(lines[marked:])
    widths = [_fields(line, dialect) for line in lines[: marked + 1]]
    header_is_marked = widths[-2] == widths[-1] and (marked == 1 or widths[-3] != widths[-2])
    return marked - header_is_marked


def _apostrophes(name: str, text: Callable[[], Iterator[str]], lines: Sequence[str], dialect: Dialect) -> Dialect:
    """Quoting of a text without ": apostrophes if they enclose all values of a column, as openSMILE writes names."""
    plain = replace(dialect, quoting=False)  # fast
    rows = list(plain.reader(lines[dialect.skipped + 1 :]))
    columns = [cells for cells in zip(*rows, strict=False) if all(len(c) > 1 and c[0] == c[-1] == "'" for c in cells)]
    if not columns:
        return plain
    enclosed = replace(dialect, quote="'")
    faults, found = _tried(name, text, enclosed)
    return enclosed if not faults.unclosed and found >= len(rows) else plain


def _quoted(name: str, text: Callable[[], Iterator[str]], dialect: Dialect) -> tuple[Dialect, list[int]]:
    """Detect quoting by reading the whole text (once if quotes are valid), and list the lines with invalid quotes."""
    faults, found = _tried(name, text, dialect)
    odd = sorted({*faults.unclosed, *faults.stray})
    if not odd:
        return dialect, odd
    escaped = replace(dialect, backslash=True)
    if any("\\" + dialect.quote in line for line in text()):
        other, _ = _tried(name, text, escaped)
        if len(other.unclosed) + len(other.stray) < len(odd):
            return escaped, odd
    plain = replace(dialect, quoting=False)
    header = next(line for n, line in enumerate(text()) if n >= dialect.skipped)
    if dialect.quote not in header and len(odd) > faults.quoted:
        _, as_characters = _tried(name, text, plain)
        if as_characters >= found:
            return plain, odd
    return dialect, odd


def _tried(name: str, text: Callable[[], Iterator[str]], dialect: Dialect) -> tuple[Faults, int]:
    """Statistics of quotes and number of valid rows when reading with a dialect."""
    faults = Faults()
    lines = text()
    columns, start = read_header(name, lines, dialect)
    good = sum(values is not None for _, values, _ in records(lines, dialect, len(columns), start, faults))
    return faults, good


def _has_row_names(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether each row has one value more than the header, and the first values are row numbers or quoted."""
    header, *rows = [row for row in dialect.reader(lines, strict=False) if row]
    if len(rows) < 2 or len(header) < 2 or any(len(row) != len(header) + 1 for row in rows):
        return False
    numbered = all(row[0] == str(n) for n, row in enumerate(rows, int(rows[0][0] == "1")))
    return numbered or all(line.startswith(dialect.quote) for line in lines if line.strip())


#: Dialect of ARFF: values are quoted with ', and a backslash escapes.
ARFF = Dialect(",", quoting=True, backslash=True, blanks=True, quote="'")
_ATTRIBUTE = re.compile(r"""\s*@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"([^"]*)"|(\S+))\s""", re.IGNORECASE)


def read_arff_header(name: str, lines: Iterator[str]) -> tuple[list[str], int]:
    """Names of the columns, and the number of the line after ``@data``.

    Raises
    ------
    InputError : there are no attributes or no data, or an attribute cannot be read.
    """
    columns: list[str] = []
    for number, line in enumerate(lines, start=1):
        word = line.strip().lower()
        if word.startswith("@attribute"):
            found = _ATTRIBUTE.match(line)
            if not found:
                raise InputError(f"{name} line {number}: an attribute without a name or a type.")
            columns.append(next(group for group in found.groups() if group is not None))
        elif word.startswith("@data"):
            if not columns:
                raise InputError(f"{name}: ARFF without attributes.")
            return columns, number + 1
    raise InputError(f"{name}: ARFF without @data.")


def without_arff_comments(lines: Iterator[str]) -> Iterator[str]:
    """Lines with comments replaced by blank lines, so that line numbers do not change."""
    return ("\n" if line.startswith("%") else line for line in lines)
