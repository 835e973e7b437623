"""Cells → numbers and texts: what is missing, what is wrong, what is an array."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: How tables write that a value is missing, in lower case.
_MISSING = pa.array(["", "na", "n/a", "nan", "null", "none", "<na>", "nil", "?"])


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: NaN where missing; ``wrong`` marks cells that are no number (infinity is none)."""

    values: np.ndarray
    wrong: np.ndarray

    @property
    def present(self) -> int:
        """How many cells hold a number."""
        return int((~np.isnan(self.values)).sum())


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Trimmed text of a column, NULL where it is missing; whole numbers have no decimal point."""
    if pa.types.is_floating(column.type):
        whole = pc.equal(pc.floor(column), column)
        texts = pc.cast(column, pa.string())
        trimmed = pc.replace_substring_regex(texts, r"\.0$", "")
        column = pc.if_else(pc.fill_null(whole, False), trimmed, texts)
    elif not pa.types.is_string(column.type):
        column = pc.cast(column, pa.string())
    text = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(pc.utf8_lower(text), value_set=_MISSING)
    return pc.if_else(missing, pa.scalar(None, pa.string()), text)


def as_numbers(column: pa.ChunkedArray) -> Numbers | None:
    """Numbers of a column; None where it has none, or more texts than numbers."""
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
                or pa.types.is_decimal(kind)):  # fmt: skip
            return None
        return _finite(pc.cast(column, pa.float64()).to_numpy().copy(), np.zeros(len(column), dtype=bool))
    text = as_text(column)
    try:
        return _finite(pc.cast(text, pa.float64()).to_numpy().copy(), np.zeros(len(column), dtype=bool))
    except pa.ArrowInvalid:
        pass
    values, wrong = np.full(len(text), np.nan), np.zeros(len(text), dtype=bool)
    for place, cell in enumerate(text.to_pylist()):
        if cell is not None:
            try:
                values[place] = float(cell)
            except ValueError:
                wrong[place] = True
    return None if wrong.sum() > (~wrong & ~np.isnan(values)).sum() else _finite(values, wrong)


def as_arrays(column: pa.ChunkedArray) -> list[Numbers] | None:
    """Columns of a column of arrays, element by element; None where it holds none.

    Arrays of Parquet, or texts such as ``[0.1, 0.2]`` and ``[0.1 0.2]``. The commonest length counts;
    cells of another length are wrong.
    """
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        value = kind.value_type
        if not (pa.types.is_integer(value) or pa.types.is_floating(value)):
            return None
        cells = column.to_pylist()
    elif pa.types.is_string(kind):
        text = as_text(column)
        opens = pc.starts_with(text, "[")
        if not pc.all(opens, skip_nulls=True, min_count=1).as_py():
            return None
        cells = [_parse_array(cell) for cell in text.to_pylist()]
    else:
        return None
    lengths = [len(cell) for cell in cells if cell is not None]
    if not lengths:
        return None
    width = max(sorted(set(lengths), reverse=True), key=lengths.count)
    wrong = np.array([cell is not None and len(cell) != width for cell in cells], dtype=bool)
    values = np.full((len(cells), width), np.nan)
    for place, cell in enumerate(cells):
        if cell is not None and len(cell) == width:
            values[place] = [np.nan if number is None else number for number in cell]
    return [_finite(values[:, element].copy(), wrong.copy()) for element in range(width)]


def _parse_array(text: str | None) -> list[float | None] | None:
    """Numbers of a text in brackets; an empty list, which has no column's length, where it holds others."""
    if text is None:
        return None
    inner = text.strip("[]() ").replace(",", " ").split()
    try:
        return [None if number.lower() in ("nan", "none", "null") else float(number) for number in inner]
    except ValueError:
        return []


def _finite(values: np.ndarray, wrong: np.ndarray) -> Numbers:
    infinite = np.isinf(values)
    values[infinite] = np.nan
    return Numbers(values, wrong | infinite)
