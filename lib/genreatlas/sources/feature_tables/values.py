"""Cells → numbers and texts: what is missing, what is wrong, what is an array."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreatlas.sources.tabular import RawTable

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
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_floating(column.type):
        whole = pc.equal(pc.floor(column), column)
        texts = pc.cast(column, pa.string())
        trimmed = pc.replace_substring_regex(texts, r"\.0$", "")
        column = pc.if_else(pc.fill_null(whole, False), trimmed, texts)
    elif not pa.types.is_string(column.type):
        try:
            column = pc.cast(column, pa.string())
        except pa.ArrowException:  # arrays, objects, bytes that are no text
            column = pa.chunked_array([pa.array([_shown(cell) for cell in column.to_pylist()], pa.string())])
    text = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(pc.utf8_lower(text), value_set=_MISSING)
    return pc.if_else(missing, pa.scalar(None, pa.string()), text)


def _shown(cell: object) -> str | None:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else None if cell is None else str(cell)


#: A number with a decimal comma, thousands maybe apart by points or blanks: 0,5 and 1.234,5 and 1 234,5.
_COMMA = r"^[+-]?(\d{1,3}([. \x{a0}\x{202f}]\d{3})+|\d*),\d+([eE][+-]?\d+)?$"
#: A number with a decimal point whose thousands are apart by commas: 1,234 and 1,234.5.
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$"
#: What could be either.
_EITHER = r"^[+-]?[1-9]\d{0,2},\d{3}$"
_POINT = r"^[+-]?\d*\.\d+([eE][+-]?\d+)?$"
_POINTED_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"
_JUDGED_ROWS = 20_000


@dataclass
class Decimals:
    """Which mark is the decimal one: a column decides, and where it leaves that open the table.

    Parameters
    ----------
    setting : ".", "," or "auto".
    raw : the table.
    """

    setting: str
    raw: RawTable
    commas: list[str] = field(default_factory=list)
    thousands: list[str] = field(default_factory=list)

    def convert(self, text: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        """Cells with commas as Python writes numbers, as far as they are numbers."""
        counts = _marks(text)
        if not counts["comma"] + counts["thousands"]:
            return text
        if self._is_comma(counts):
            self._remember(self.commas, name)
            is_number = pc.match_substring_regex(text, _COMMA)
            pointed = pc.match_substring_regex(text, _POINTED_THOUSANDS)
            bare = pc.replace_substring_regex(text, r"[. \x{a0}\x{202f}]", "")
            return pc.if_else(is_number, pc.replace_substring(bare, ",", "."), pc.if_else(pointed, bare, text))
        self._remember(self.thousands, name)
        return pc.if_else(pc.match_substring_regex(text, _THOUSANDS), pc.replace_substring(text, ",", ""), text)

    @staticmethod
    def _remember(names: list[str], name: str) -> None:
        if name not in names:
            names.append(name)

    def notes(self) -> list[str]:
        """Lines on what commas in numbers were taken for."""
        told = []
        for names, what in ((self.commas, "decimal marks"), (self.thousands, "separators of thousands")):
            if names:
                shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
                told.append(f"commas in numbers are {what} in {shown} (import_features.decimal says otherwise)")
        return told

    def _is_comma(self, counts: Counter[str]) -> bool:
        if self.setting != "auto":
            return self.setting == ","
        commas, thousands = counts["comma"] - counts["either"], counts["thousands"] - counts["either"]
        if commas != thousands:
            return commas > thousands
        if counts["point"]:
            return False
        return self._table_has_commas

    @cached_property
    def _table_has_commas(self) -> bool:
        total: Counter[str] = Counter()
        for column in self.raw.table.columns:
            if pa.types.is_string(column.type):
                total += _marks(as_text(column.slice(0, _JUDGED_ROWS)))
        if total["comma"] != total["thousands"]:
            return total["comma"] > total["thousands"]
        return self.raw.delimiter in (";", "\t")


def _marks(text: pa.ChunkedArray) -> Counter[str]:
    """How many cells are numbers with a comma of each kind."""
    found: Counter[str] = Counter()
    if not pc.any(pc.match_substring(text, ",")).as_py():
        return found
    for kind, pattern in (("comma", _COMMA), ("thousands", _THOUSANDS), ("either", _EITHER), ("point", _POINT)):
        found[kind] = pc.sum(pc.match_substring_regex(text, pattern)).as_py() or 0
    return found


def as_numbers(column: pa.ChunkedArray, decimals: Decimals, name: str = "") -> Numbers | None:
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
        text = decimals.convert(text, name)
    values, wrong = np.full(len(text), np.nan), np.zeros(len(text), dtype=bool)
    try:
        return _finite(pc.cast(text, pa.float64()).to_numpy().copy(), wrong)
    except pa.ArrowInvalid:
        pass
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
