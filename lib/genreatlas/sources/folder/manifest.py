"""Genres by a list of files, CSV or Parquet, that the owner of the folder wrote."""

import csv
import difflib
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from genreatlas.errors import InputError
from genreatlas.sources.folder.catalogue import Row

REQUIRED = ("path", "genre")
OPTIONAL = ("song", "artist", "title", "album", "isrc", "licence", "split")


def read_manifest(path: bytes, ignore: Collection[str] = ()) -> list[Row]:
    """Read the rows of a manifest.

    Columns are ``path`` (below the folder, or absolute) and ``genre`` (several joined by ``;``), and
    optionally ``song``, ``artist``, ``title``, ``album``, ``isrc``, ``licence`` and ``split``.

    Parameters
    ----------
    path : CSV (UTF-8, separated by commas, semicolons or tabs) or Parquet, told apart by content.
    ignore : columns that are there and not wanted.

    Raises
    ------
    InputError : the file cannot be read, or columns are missing or unknown.
    """
    name = path.decode("utf-8", "replace")
    data = read_bytes(path)
    if data[:4] == b"PAR1":
        return list(_parquet_rows(data, name, ignore))
    return list(_csv_rows(data, name, ignore))


def read_bytes(path: bytes) -> bytes:
    """The content of a file of labels.

    Raises
    ------
    InputError : it is missing or cannot be read.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a name of bytes
            return file.read()
    except FileNotFoundError:
        raise InputError(f"{path.decode('utf-8', 'replace')}: no such file. Set folder.manifest.") from None
    except OSError as error:
        raise InputError(f"{path.decode('utf-8', 'replace')}: cannot be read: {error.strerror}.") from None


def check_columns(name: str, columns: Sequence[str], ignore: Collection[str]) -> None:
    """Raise InputError for columns that are missing, unknown or there twice, naming them and the valid ones."""
    valid = (*REQUIRED, *OPTIONAL)
    problems = []
    if missing := [column for column in REQUIRED if column not in columns or column in ignore]:
        problems.append(f"missing columns: {', '.join(missing)}")
    unknown = [column for column in columns if column not in valid and column not in ignore]
    if unknown:
        problems.append(f"unknown columns: {', '.join(_with_hint(column, valid) for column in unknown)}")
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        problems.append(f"columns that appear twice: {', '.join(twice)}")
    if problems:
        listed = ", ".join(f'"{column}"' for column in unknown)
        skip = f" To leave columns out, set folder.ignore_columns = [{listed}]." if unknown else ""
        raise InputError(f"{name}: {'; '.join(problems)}. Valid: {', '.join(valid)}.{skip}")


def _with_hint(column: str, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(column.strip().lower(), valid, n=1, cutoff=0.6)
    return f"{column!r} (did you mean {near[0]}?)" if near else repr(column)


def _csv_rows(data: bytes, name: str, ignore: Collection[str]) -> Iterator[Row]:
    # Bytes that are not UTF-8 pass as lone surrogates, so that a path keeps its bytes.
    text = data.decode("utf-8-sig", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    csv.field_size_limit(2**31 - 1)
    try:
        columns = [column.strip() for column in next(reader, [])]
        check_columns(name, columns, ignore)
        line = reader.line_num + 1
        for values in reader:
            here, line = line, reader.line_num + 1
            if not any(value.strip() for value in values):
                continue
            if len(values) > len(columns) and any(value.strip() for value in values[len(columns) :]):
                raise InputError(
                    f"{name} line {here}: {len(values)} values for {len(columns)} columns. Quote values with commas."
                )
            yield _row(f"line {here}", dict(zip(columns, values, strict=False)), ignore)
    except csv.Error as error:
        raise InputError(f"{name} line {reader.line_num}: {error}.") from None


def _delimiter(text: str) -> str:
    header = text.split("\n", 1)[0]
    return max(",\t;", key=header.count)


def _parquet_rows(data: bytes, name: str, ignore: Collection[str]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except pa.ArrowException as error:
        raise InputError(f"{name}: not a readable Parquet file: {error}.") from None
    check_columns(name, table.column_names, ignore)
    for number, record in enumerate(table.to_pylist(), start=1):
        yield _row(f"row {number}", record, ignore)


def _row(place: str, record: Mapping[str, Any], ignore: Collection[str]) -> Row:
    path = record.get("path")
    facts = {column: "" if column in ignore else clean_text(record.get(column)) for column in OPTIONAL}
    return Row(
        place=place,
        path=path if isinstance(path, bytes) else str(path or "").encode("utf-8", "surrogateescape"),
        genres=tuple(clean_text(genre) for genre in _several(record.get("genre"))),
        **facts,
    )


def _several(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def clean_text(value: Any) -> str:
    """Text that every table can hold: bytes that were not UTF-8 become U+FFFD, None becomes empty."""
    if value is None:
        return ""
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
