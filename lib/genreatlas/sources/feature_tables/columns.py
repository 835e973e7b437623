"""Columns of a feature table: convert cells to numbers, texts and arrays, and select features without label leaks."""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreatlas.config import ImportFeaturesSection
from genreatlas.errors import ConfigError
from genreatlas.ids import stable_id
from genreatlas.sources.tabular import RawTable

#: Texts for missing values, in lower case.
_MISSING = pa.array(["", "na", "n/a", "nan", "null", "none", "<na>", "nil", "?"])


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, of shape (n_rows,).

    Attributes
    ----------
    values : numbers; NaN if missing or invalid.
    wrong : mask of cells that are not finite numbers.
    """

    values: np.ndarray
    wrong: np.ndarray

    @property
    def present(self) -> int:
        """Number of cells with a number."""
        return int((~np.isnan(self.values)).sum())


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Trimmed texts of a column, NULL for missing values; whole numbers are written without a decimal point."""
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
        except pa.ArrowException:  # arrays, objects, bytes that are not UTF-8
            column = pa.chunked_array([pa.array([_shown(cell) for cell in column.to_pylist()], pa.string())])
    text = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(pc.utf8_lower(text), value_set=_MISSING)
    return pc.if_else(missing, pa.scalar(None, pa.string()), text)


def _shown(cell: object) -> str | None:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else None if cell is None else str(cell)


#: A number with a decimal comma, and optional points or blanks between thousands: 0,5 and 1.234,5 and 1 234,5.
_COMMA = r"^[+-]?(\d{1,3}([. \x{a0}\x{202f}]\d{3})+|\d*),\d+([eE][+-]?\d+)?$"
#: A number with a decimal point and commas between thousands: 1,234 and 1,234.5.
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$"
#: A number in which the comma may have both meanings: 1,234.
_EITHER = r"^[+-]?[1-9]\d{0,2},\d{3}$"
_POINT = r"^[+-]?\d*\.\d+([eE][+-]?\d+)?$"
_POINTED_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"
_JUDGED_ROWS = 20_000


@dataclass
class Decimals:
    """Decimal mark of each column: decided from the column, or from the whole table if the column is ambiguous.

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
        """Convert numbers with commas to Python's notation; other texts are not changed."""
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
        """Lines on how commas in numbers were interpreted."""
        told = []
        for names, what in ((self.commas, "decimal marks"), (self.thousands, "thousands separators")):
            if names:
                shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
                told.append(f"commas in numbers are read as {what} in {shown} (import_features.decimal changes this)")
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
    """Number of cells that match each of the number formats; empty if no cell has a comma."""
    found: Counter[str] = Counter()
    if not pc.any(pc.match_substring(text, ",")).as_py():
        return found
    for kind, pattern in (("comma", _COMMA), ("thousands", _THOUSANDS), ("either", _EITHER), ("point", _POINT)):
        found[kind] = pc.sum(pc.match_substring_regex(text, pattern)).as_py() or 0
    return found


def as_numbers(column: pa.ChunkedArray, decimals: Decimals, name: str = "") -> Numbers | None:
    """Convert a column to numbers; None if its type is neither number nor text, or if more texts than numbers."""
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
    """Convert a column of arrays to one column per element; None if it contains no arrays.

    Accepted are arrays of Parquet, and texts such as ``[0.1, 0.2]`` and ``[0.1 0.2]``. The most frequent length is
    used; cells of another length are marked as wrong.
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
    """Numbers of a text in brackets; an empty list, which later counts as wrong, if it contains other texts."""
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


#: Words in names of columns that may reveal the label, and the reason why such columns are left out.
_LEAKS: tuple[tuple[frozenset[str], str], ...] = (
    (
        frozenset({"length", "duration", "durations", "nsamples"}),
        "a length shows how a clip was cut or where it was published, not how it sounds",
    ),
    (
        frozenset(
            {"id", "ids", "uid", "uuid", "uri", "url", "href", "isrc", "index", "unnamed", "filename", "file", "path"}
        ),
        "an id or a path identifies the row and does not describe the sound",
    ),
    (
        frozenset(
            {"popularity", "plays", "playcount", "listens", "listeners", "views", "streams", "favorites", "favourites",
             "likes", "followers", "rank", "ranking", "hotttnesss", "hotness", "interest", "comments"}
        ),
        "popularity does not describe the sound",
    ),
    (
        frozenset({"date", "year", "month", "day", "decade", "released", "release", "timestamp", "created", "added"}),
        "a date does not describe the sound",
    ),
)  # fmt: skip
#: Names of the columns of every feature table, which features cannot have.
_TAKEN = frozenset({"clip_id", "song_id", "set_version", "preprocessing_id"})
_DATE = re.compile(r"\s*(\d{4})([-/.]\d{1,2}){0,2}(?:[T ].*)?\s*$")  # a date that begins with its year
_MOST_CATEGORIES = 100  # a text with more values is a name or an id
_LONGEST_NAME = 255  # of a column, for catalogs


@dataclass(frozen=True)
class FeatureColumn:
    """One feature.

    Attributes
    ----------
    name : column in the store.
    source : column of the imported table.
    element : index in the array; None for a scalar column.
    type : SQL type.
    """

    name: str
    source: str
    element: int | None
    kind: Literal["numeric", "categorical"]
    type: str

    @property
    def comment(self) -> str:
        """Comment of the column in the store."""
        place = "" if self.element is None else f", element {self.element}"
        return f"Column {self.source}{place} of the imported table."


@dataclass(frozen=True)
class Features:
    """Features of a table: columns and, in the same order, their cells (numbers, or texts of categories)."""

    columns: tuple[FeatureColumn, ...]
    cells: tuple[Numbers | pa.ChunkedArray, ...]
    notes: tuple[str, ...]

    @property
    def version(self) -> str:
        """Hash of the definition: names, columns, kinds and types, in order."""
        parts = [part for c in self.columns for part in (c.name, c.source, c.element, c.kind, c.type)]
        return stable_id("imported", *parts, length=12)


def check_names(raw: RawTable, section: ImportFeaturesSection) -> None:
    """Check that the table has all configured columns.

    Raises
    ------
    ConfigError : a column is missing; the message has the most similar name.
    """
    for key in ("id", "song", "artist", "title", "album", "split"):
        if name := getattr(section, key):
            _check(raw, key, name)
    for key in ("labels", "features", "exclude", "include", "categorical"):
        names: Sequence[str] = getattr(section, key)
        for name in names:
            if key != "categorical" or name != "key":  # the default column is optional
                _check(raw, key, name)


def choose_features(raw: RawTable, section: ImportFeaturesSection) -> Features:
    """Select the configured columns or, by default, all numeric columns that do not reveal the label.

    Lengths and durations, ids, popularity and dates are left out by default, because they can separate genres without
    any information on the sound. Each is listed in a note, and ``include`` keeps it; of a date, the year is used.

    Raises
    ------
    ConfigError : a configured column contains no numbers, or no column is left.
    """
    roles = {section.id, section.song, section.artist, section.title, section.album, section.split, *section.labels}
    wanted = section.features or [name for name in raw.table.column_names if name not in roles]
    columns: list[FeatureColumn] = []
    cells: list[Numbers | pa.ChunkedArray] = []
    notes: list[str] = []
    texts: list[str] = []
    name_of = _namer()
    decimals = Decimals(section.decimal, raw)
    for source in wanted:
        column = raw.table[source]
        if source in section.exclude:
            continue
        if not section.features and source not in section.include and (why := _leak(source)):
            numbers = as_numbers(column, decimals, source) is not None or _years(column)
            keep = f' (include = ["{source}"] keeps it)' if numbers else ""
            notes.append(f"left out: {source}; {why}{keep}")
            continue
        dates = _years(column) if source in (*section.features, *section.include) else []
        found = dates or (_categories if source in section.categorical else _numeric)(column, decimals, source)
        if not found:
            if section.features:
                raise ConfigError(
                    f"[import_features] features: column {source!r} of {raw.name} holds no numbers. Remove it, or "
                    "name it under categorical."
                )
            texts.append(source)
        for element, kind, cell, type_ in found:
            name = name_of(source if element is None else f"{source}_{element}")
            columns.append(FeatureColumn(name, source, element, kind, type_))
            cells.append(cell)
    if not columns:
        raise ConfigError(f"[import_features]: {raw.name} has no numeric column that can be a feature. Set features.")
    if texts:
        notes.append(f"not features, because they hold text or are empty: {', '.join(texts)}")
    notes += decimals.notes()
    notes += _renamed(columns)
    return Features(tuple(columns), tuple(cells), tuple(notes))


#: Element (of an array), kind, cells, SQL type.
_Found = list[tuple[int | None, Literal["numeric", "categorical"], "Numbers | pa.ChunkedArray", str]]


def _numeric(column: pa.ChunkedArray, decimals: Decimals, name: str) -> _Found:
    numbers = as_numbers(column, decimals, name)
    if numbers is not None:
        return [(None, "numeric", numbers, "double")] if numbers.present else []
    elements = as_arrays(column) or []
    return [(place, "numeric", cell, "double") for place, cell in enumerate(elements)]


def _years(column: pa.ChunkedArray) -> _Found:
    """Years of a column of dates, such as 2019-06-14, 1995-03 or 2012; empty if fewer than half of the cells are dates.

    A column with years only is numeric, and not handled here.
    """
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        values = pc.cast(pc.year(column), pa.float64()).to_numpy().copy()
        return [(None, "numeric", _finite(values, np.zeros(len(values), dtype=bool)), "double")]
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return []
    cells = as_text(column).to_pylist()
    years = [None if cell is None else _DATE.match(cell) for cell in cells]
    values = np.array([np.nan if year is None else float(year[1]) for year in years])
    wrong = np.array([cell is not None and year is None for cell, year in zip(cells, years, strict=True)], dtype=bool)
    whole = any(year is not None and year[2] for year in years)
    if not whole or wrong.sum() > (~np.isnan(values)).sum():
        return []
    return [(None, "numeric", _finite(values, wrong), "double")]


def _categories(column: pa.ChunkedArray, decimals: Decimals, name: str) -> _Found:
    numbers = as_numbers(column, decimals, name)
    if numbers is not None and numbers.present:
        given = numbers.values[~np.isnan(numbers.values)]
        whole = bool(np.all(np.mod(given, 1) == 0) and np.abs(given).max() < 2**31)
        return [(None, "categorical", numbers, "int" if whole else "double")]
    text = as_text(column)
    few = 0 < pc.count_distinct(text).as_py() <= _MOST_CATEGORIES
    return [(None, "categorical", text, "string")] if few else []


def _leak(name: str) -> str | None:
    words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()))
    return next((why for giveaways, why in _LEAKS if words & giveaways), None)


def _check(raw: RawTable, key: str, name: str) -> None:
    names = raw.table.column_names
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(names)}."
        raise ConfigError(f"[import_features] {key}: {raw.name} has no column {name!r}. {hint}")


def _renamed(columns: Sequence[FeatureColumn]) -> list[str]:
    """Note on features whose names differ in letters or digits from their source columns."""
    odd = [c for c in columns if c.element is None and re.sub(r"[^0-9a-z]+", "", c.source.lower()) != _letters(c.name)]
    shown = ", ".join(f"{_short(c.source)!r} is {_short(c.name)}" for c in odd[:5]) + (", ..." if len(odd) > 5 else "")
    return [f"features under other names: {shown}"] if odd else []


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:39]}…"


def _letters(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "", re.sub(r"^f_(?=\d)", "", name))


def _namer() -> Callable[[str], str]:
    """Create a function that returns unique names that need no quotes in SQL: lower-case letters, digits and _."""
    used: set[str] = set()

    def name_of(source: str) -> str:
        plain = re.sub(r"[^0-9a-z]+", "_", source.lower()).strip("_") or "feature"
        plain = f"f_{plain}" if plain[0].isdigit() else plain
        if len(plain) > _LONGEST_NAME:
            plain = f"{plain[:200]}_{stable_id(source, length=8)}"
        name, number = plain, 2
        while name in used or name in _TAKEN:
            name, number = f"{plain}_{number}", number + 1
        used.add(name)
        return name

    return name_of
