"""Read a complete table, with the place of every row, and a reason for every row that cannot be read.

It is used for feature tables, manifests, lists of addresses and lists of files to score.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from genreatlas.errors import InputError
from genreatlas.sources.tabular import delimited
from genreatlas.sources.tabular.delimited import Dialect, Faults, find_dialect, read_header, records, some_lines
from genreatlas.sources.tabular.formats import Encoding, find_encoding, kind_of, open_file, repaired, shown, text_lines
from genreatlas.values import Row

_BLOCK_ROWS = 20_000  # rows kept as Python strings at a time; Arrow needs a fifth of the memory
#: Folders of table formats whose files cannot be read alone, and the names of these formats.
_LAYERED = {"_delta_log": "a Delta table", ".hoodie": "a Hudi table", "metadata": "an Iceberg table"}
_NULL_PART = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class RawTable:
    """Content of a table's file.

    Parameters
    ----------
    name : name of the file for messages.
    digest : hash of its bytes.
    table : columns as text for text files, otherwise with the file's types.
    places : place of each row in the file ("line 17", "row 17").
    broken : places and problems of rows that cannot be read.
    notes : notes on how the file was read.
    delimiter : separator of values; empty for binary formats.
    raw : original bytes of values that are not UTF-8 in a UTF-8 text, by (row, column).
    """

    name: str
    digest: str
    table: pa.Table
    places: list[str]
    broken: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    delimiter: str = ""
    raw: Mapping[tuple[int, str], bytes] = field(default_factory=dict)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, Row]]:
        """Place and values of each row, for those columns that exist."""
        there = [column for column in dict.fromkeys(columns) if column in self.table.column_names]
        start = 0
        for batch in self.table.select(there).to_batches(max_chunksize=4096):
            for number, record in enumerate(batch.to_pylist(), start):
                yield self.places[number], record
            start += batch.num_rows


def read_table(path: bytes | Path, key: str, encoding: str = "auto", pad: bool = False) -> RawTable:
    """Read a table: delimited text, ARFF, Parquet or Arrow, compressed or not, or a folder of such files.

    The format is detected from the content. Text is UTF-8, UTF-16 or Windows-1252, separated by commas, semicolons,
    tabs or pipes. A row with a wrong number of values is reported as broken, and the others are read. A folder contains
    the files of one table as written by Spark or similar programs; subfolders may be named ``column=value``.

    Parameters
    ----------
    key : setting with the path, for messages.
    encoding : encoding of text; "auto" detects it.
    pad : whether rows of a text may lack values at their end.

    Raises
    ------
    InputError : the table is missing, unreadable, empty or of an unsupported format, or a column name occurs twice.
    ConfigError : there is no such encoding.
    """
    name = shown(path)
    try:
        files: list[tuple[bytes | Path, dict[str, str | None]]] = [(path, {})]
        if os.path.isdir(path):  # noqa: PTH112 - bytes
            files = list(_parts(path))
        tables = [_read_file(file, key, encoding, pad) for file, _ in files]
    except FileNotFoundError:
        raise InputError(f"{name}: no such file. Set {key}.") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}.") from None
    if not os.path.isdir(path):  # noqa: PTH112 - bytes
        return tables[0]
    names = [os.path.relpath(os.fsencode(file), os.fsencode(path)).decode("utf-8", "replace") for file, _ in files]
    parts = zip(names, tables, (values for _, values in files), strict=True)
    return _joined(name, list(parts))


def digest_of(path: bytes | Path, key: str) -> str:
    """Hash of the bytes of a table's file, or of all files of its folder.

    Raises
    ------
    InputError : the table is missing or cannot be read.
    """
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - bytes
            return _digest(path)
        parts = [(os.path.relpath(os.fsencode(file), os.fsencode(path)), _digest(file)) for file, _ in _parts(path)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]
    except FileNotFoundError:
        raise InputError(f"{shown(path)}: no such file. Set {key}.") from None
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}.") from None


def check_columns(name: str, columns: Sequence[str]) -> None:
    """Check that column names are unique.

    Raises
    ------
    InputError : a name occurs twice.
    """
    if twice := sorted(column for column, count in Counter(columns).items() if count > 1):
        raise InputError(f"{name}: columns that appear twice: {', '.join(twice)}. Rename one of each.")


def open_text(path: bytes | Path, key: str, encoding: str = "auto") -> tuple[Callable[[], Iterator[str]], Encoding]:
    """Open a text file that can be read several times.

    Parameters
    ----------
    key : setting with the path, for messages.
    encoding : encoding of the text; "auto" detects it.

    Returns
    -------
    Function that returns the lines from the start, and the encoding.

    Raises
    ------
    InputError : the file is missing, cannot be read, or is not text in a known encoding.
    """
    name = shown(path)
    try:
        with open_file(path) as file:
            kind = kind_of(name, file)
            if kind not in ("text", "arff"):
                raise InputError(f"{name}: a {kind.capitalize()} file. Text is expected here.")
            found = find_encoding(name, file, encoding, f"{key.rpartition('.')[0]}.encoding")
    except FileNotFoundError:
        raise InputError(f"{name}: no such file. Set {key}.") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}.") from None
    return (lambda: text_lines(name, open_file(path), found)), found


def _read_file(path: bytes | Path, key: str, encoding: str, pad: bool) -> RawTable:
    name = shown(path)
    with open_file(path) as file:
        kind = kind_of(name, file)
        if kind in ("parquet", "arrow"):
            table = _binary(name, file, kind)
            check_columns(name, table.column_names)
            places = [f"row {n + 1}" for n in range(table.num_rows)]
            return RawTable(_base(name), _digest(path), table, places)
    text, found = open_text(path, key, encoding)
    return _read_text(name, _digest(path), text, found, kind == "arff", pad)


def _read_text(
    name: str, digest: str, text: Callable[[], Iterator[str]], encoding: Encoding, is_arff: bool, pad: bool
) -> RawTable:
    lines = text()
    if is_arff:
        dialect, notes = delimited.ARFF, tuple[str, ...]()
        columns, start = delimited.read_arff_header(name, lines)
        lines = delimited.without_arff_comments(lines)
    else:
        dialect, notes = find_dialect(name, text)
        columns, start = read_header(name, lines, dialect)
    columns = [repaired(column) for column in columns]
    check_columns(name, columns)
    schema = pa.schema([(column, pa.string()) for column in columns])
    places: list[str] = []
    broken: list[tuple[str, str]] = []
    raw: dict[tuple[int, str], bytes] = {}
    faults = Faults()
    blocks = []
    for rows in _blocks(lines, dialect, columns, start, faults, pad, places, broken):
        if encoding.mixed:
            _repair(rows, columns, len(places) - len(rows), raw)
        cells = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
        blocks.append(pa.table(cells, schema=schema))
    told = [*([f"{encoding.note}{_where(raw, places)}"] if encoding.note else []), *notes]
    if faults.stray:
        told.append(f"quotes inside quoted values are kept: {some_lines(faults.stray)}")
    return RawTable(
        name=_base(name),
        digest=digest,
        table=pa.concat_tables(blocks or [schema.empty_table()]),
        places=places,
        broken=tuple(broken),
        notes=tuple(f"{_base(name)}: {note}" for note in told),
        delimiter=dialect.delimiter,
        raw=raw,
    )


def _blocks(
    lines: Iterator[str],
    dialect: Dialect,
    columns: Sequence[str],
    start: int,
    faults: Faults,
    pad: bool,
    places: list[str],
    broken: list[tuple[str, str]],
) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for line, values, problem in records(lines, dialect, len(columns), start, faults, pad):
        if values is None:
            broken.append((f"line {line}", problem))
            continue
        rows.append(values)
        places.append(f"line {line}")
        if len(rows) == _BLOCK_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _repair(rows: list[list[str]], columns: Sequence[str], first: int, raw: dict[tuple[int, str], bytes]) -> None:
    for number, values in enumerate(rows, first):
        for place, value in enumerate(values):
            if not value.isascii() and (text := repaired(value)) != value:
                raw[number, columns[place]] = value.encode("utf-8", "surrogateescape")
                values[place] = text


def _where(raw: Mapping[tuple[int, str], bytes], places: Sequence[str]) -> str:
    lines = list(dict.fromkeys(int(places[row].removeprefix("line ")) for row, _ in raw))
    return f": {some_lines(lines)}" if lines else ""


def _binary(name: str, file: IO[bytes], kind: str) -> pa.Table:
    data = file if type(file).__name__ == "BufferedReader" else pa.BufferReader(file.read())
    try:
        return pq.read_table(data) if kind == "parquet" else pa.ipc.open_file(data).read_all()
    except (pa.ArrowException, EOFError) as error:
        what = "Parquet" if kind == "parquet" else "Arrow"
        raise InputError(f"{name}: not a readable {what} file: {error}.".replace("\n", " ")) from None


def _digest(path: bytes | Path) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 - a name of bytes
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def _base(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]


def _parts(folder: bytes | Path) -> Iterator[tuple[bytes | Path, dict[str, str | None]]]:
    """Files of a table's folder, with the column values in the names of their subfolders."""
    root = os.fsdecode(folder)
    found = False
    for place, folders, files in os.walk(root):
        if layered := next((what for one, what in _LAYERED.items() if one in folders), None):
            raise InputError(
                f"{root}: {layered}, whose files may contain deleted rows. Write the table to plain Parquet and name "
                "that folder."
            )
        if "_temporary" in folders:
            raise InputError(f"{root}: has a folder _temporary: the job that wrote it did not finish. Write it again.")
        folders[:] = sorted(one for one in folders if not one.startswith(("_", ".")))
        below = os.path.relpath(place, root)
        pairs = [part.split("=", 1) for part in Path(below).parts if "=" in part]
        values = {unquote(name): None if value == _NULL_PART else unquote(value) for name, value in pairs}
        for file in sorted(one for one in files if not one.startswith(("_", "."))):
            path = os.path.join(place, file)  # noqa: PTH118
            if os.path.getsize(path):  # noqa: PTH202 - empty part files of Spark have no header, skip them
                found = True
                yield os.fsencode(path), values
    if not found:
        raise InputError(f"{root}: the folder contains no table files.")


def _joined(name: str, parts: Sequence[tuple[str, RawTable, Mapping[str, str | None]]]) -> RawTable:
    tables: list[pa.Table] = []
    places: list[str] = []
    broken: list[tuple[str, str]] = []
    raw: dict[tuple[int, str], bytes] = {}
    first = parts[0][1].table.column_names
    for below, part, values in parts:
        if set(part.table.column_names) != set(first):
            raise InputError(
                f"{name}: its files have different columns: {parts[0][0]} has {', '.join(first[:8])}, {below} "
                f"has {', '.join(part.table.column_names[:8])}. Write all with the same header, or name one file."
            )
        table = part.table.select(first)
        for column, value in values.items():
            table = table.append_column(column, pa.array([value] * table.num_rows, pa.string()))
        raw |= {(row + len(places), column): data for (row, column), data in part.raw.items()}
        places += [f"{below} {place}" for place in part.places]
        broken += [(f"{below} {place}", why) for place, why in part.broken]
        tables.append(table)
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"{name}: its files cannot be combined: {error}.".replace("\n", " ")) from None
    check_columns(name, whole.column_names)
    digest = hashlib.sha256(repr([part.digest for _, part, _ in parts]).encode()).hexdigest()[:20]
    notes = tuple(dict.fromkeys(note for _, part, _ in parts for note in part.notes))
    return RawTable(_base(name), digest, whole, places, tuple(broken), notes, parts[0][1].delimiter, raw)
