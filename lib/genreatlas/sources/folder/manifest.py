"""Manifest of a folder: a list of files with genres, as CSV or Parquet."""

import difflib
from collections.abc import Collection, Sequence

from genreatlas.errors import InputError
from genreatlas.sources.folder.catalogue import Row
from genreatlas.sources.genres import GenreNames
from genreatlas.sources.label_cells import Labels
from genreatlas.sources.tabular import RawTable, read_table
from genreatlas.sources.tabular.formats import repaired
from genreatlas.values import RowView

REQUIRED = ("path", "genre")
OPTIONAL = ("song", "artist", "title", "album", "album_artist", "isrc", "licence", "split")


def read_manifest(
    path: bytes, names: GenreNames, ignore: Collection[str] = (), encoding: str = "auto"
) -> tuple[list[Row], tuple[str, ...]]:
    """Read the rows of a manifest.

    Columns are ``path`` (below the folder, or absolute) and ``genre`` (several as a list or joined by ``;``), and
    optionally ``song``, ``artist``, ``title``, ``album``, ``album_artist``, ``isrc``, ``licence`` and ``split``.

    Parameters
    ----------
    path : a table; see :func:`genreatlas.sources.tabular.read_table`.
    names : reader of genre names, which determines how cells with several genres are split.
    ignore : columns to be ignored.
    encoding : encoding of a text file.

    Returns
    -------
    All rows in their order, broken ones with their problem, and notes on how the file was read.

    Raises
    ------
    InputError : the file cannot be read, or columns are missing or unknown.
    """
    raw = read_table(path, "folder.manifest", encoding, pad=True)
    name = path.decode("utf-8", "replace")
    check_columns(name, raw.table.column_names, ignore)
    labels = labels_of(raw, "genre", names, "folder.label_separator")
    records = list(raw.rows([column for column in (*REQUIRED, *OPTIONAL) if column not in ignore]))
    rows = [_row(place, n, record, raw, labels) for n, (place, record) in enumerate(records)]
    rows += [Row(place, b"", (), problem=why) for place, why in raw.broken]
    return sorted(rows, key=_order) if raw.broken else rows, (*raw.notes, *labels.notes)


def labels_of(raw: RawTable, column: str, names: GenreNames, key: str) -> Labels:
    """Decide how text cells of a column are split into genres; arrays are ignored."""
    cells = raw.table[column].to_pylist()
    texts = [clean_text(cell).strip() for cell in cells if cell is not None and not isinstance(cell, list | tuple)]
    return names.divide(texts, f"labels ({column})", key)


def genres_of(cell: object, labels: Labels) -> tuple[str, ...]:
    """Genres of a cell, from an array, or from a text split as decided for the column."""
    if isinstance(cell, list | tuple):
        return tuple(clean_text(one) for one in cell)
    return labels.split(clean_text(cell).strip())


def check_columns(name: str, columns: Sequence[str], ignore: Collection[str]) -> None:
    """Check the columns of a manifest.

    Raises
    ------
    InputError : columns are missing or unknown; the message lists them and the valid columns.
    """
    valid = (*REQUIRED, *OPTIONAL)
    problems = []
    if missing := [column for column in REQUIRED if column not in columns or column in ignore]:
        problems.append(f"missing columns: {', '.join(missing)}")
    unknown = [column for column in columns if column not in valid and column not in ignore]
    if unknown:
        problems.append(f"unknown columns: {', '.join(_with_hint(column, valid) for column in unknown)}")
    if problems:
        listed = ", ".join(f'"{column}"' for column in unknown)
        skip = f" To leave columns out, set folder.ignore_columns = [{listed}]." if unknown else ""
        raise InputError(f"{name}: {'; '.join(problems)}. Valid: {', '.join(valid)}.{skip}")


def _with_hint(column: str, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(column.strip().lower(), valid, n=1, cutoff=0.6)
    return f"{column!r} (did you mean {near[0]}?)" if near else repr(column)


def _row(place: str, number: int, record: RowView, raw: RawTable, labels: Labels) -> Row:
    path = record.get("path")
    if path is not None and not isinstance(path, bytes):
        path = raw.raw.get((number, "path")) or str(path).encode("utf-8", "surrogatepass")
    facts = {column: clean_text(record.get(column)) for column in OPTIONAL}
    return Row(place=place, path=path or b"", genres=genres_of(record.get("genre"), labels), **facts)


def _order(row: Row) -> tuple[str, int]:
    file, _, number = row.place.rpartition(" ")
    return file, int(number)


def clean_text(value: object) -> str:
    """Convert a value to text that tables can store; None becomes an empty text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else repaired(str(value))
