"""Read a CSV or Parquet file whole, with the place of every row, whatever is in it."""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from genreatlas.errors import InputError

_BLOCK_ROWS = 20_000  # rows held as Python strings at a time; Arrow then holds them in a fifth of the space


@dataclass(frozen=True)
class RawTable:
    """A table as its file has it.

    ``table`` holds text where the file is CSV, and Parquet's own types else; ``places`` says where each
    row stands ("line 17", "row 17"); ``broken`` are places and words of rows that are none.
    """

    name: str
    digest: str
    table: pa.Table
    places: list[str]
    broken: tuple[tuple[str, str], ...] = ()


def read_table(path: Path) -> RawTable:
    """Read a table; Parquet is told from CSV by content, not by name.

    CSV is UTF-8, separated by commas, semicolons or tabs. A row with more or fewer values than there
    are columns is broken and does not stop the others.

    Raises
    ------
    InputError : the file is missing, unreadable, empty, or a column name appears twice.
    """
    digest = digest_of(path)
    try:
        with path.open("rb") as file:
            parquet = file.read(4) == b"PAR1"
            file.seek(0)
            if parquet:
                table = pq.read_table(file)
                _check_columns(path, table.column_names)
                return RawTable(path.name, digest, table, [f"row {n + 1}" for n in range(table.num_rows)])
            return _read_csv(path, file, digest)
    except OSError as error:
        raise InputError(f"[import_features] path: {path}: {error.strerror or error}.") from None
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a readable Parquet file: {error}.") from None


def digest_of(path: Path) -> str:
    """Hash of a file's bytes.

    Raises
    ------
    InputError : the file is missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:20]
    except OSError as error:
        raise InputError(f"[import_features] path: {path}: {error.strerror or error}.") from None


def _read_csv(path: Path, file: BinaryIO, digest: str) -> RawTable:
    csv.field_size_limit(2**31 - 1)  # array columns are long
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    header = text.readline()
    text.seek(0)
    reader = csv.reader(text, delimiter=max(",\t;", key=header.count))
    columns = [name.strip() or f"unnamed_{place}" for place, name in enumerate(next(reader, []))]
    if not columns:
        raise InputError(f"{path}: the file is empty.")
    _check_columns(path, columns)
    schema = pa.schema([(name, pa.string()) for name in columns])
    places: list[str] = []
    broken: list[tuple[str, str]] = []
    blocks = [
        pa.table([pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)], schema=schema)
        for rows in _blocks(reader, len(columns), places, broken)
    ]
    return RawTable(path.name, digest, pa.concat_tables(blocks or [schema.empty_table()]), places, tuple(broken))


def _blocks(reader: Any, width: int, places: list[str], broken: list[tuple[str, str]]) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            values = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            broken.append((place, f"{error}. Mend or drop the row."))
            continue
        if not any(value.strip() for value in values):
            continue
        if len(values) != width:
            broken.append((place, f"{len(values)} values for {width} columns. Quote values that hold separators."))
            continue
        rows.append(values)
        places.append(place)
        if len(rows) == _BLOCK_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _check_columns(path: Path, columns: list[str]) -> None:
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise InputError(f"{path}: columns that appear twice: {', '.join(twice)}. Rename one of each.")
