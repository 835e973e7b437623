"""Which columns of a table are features, under which names, and which give the answer away."""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreatlas.config import ImportFeaturesSection
from genreatlas.errors import ConfigError
from genreatlas.ids import stable_id
from genreatlas.sources.feature_tables.values import Decimals, Numbers, as_arrays, as_numbers, as_text
from genreatlas.sources.tabular import RawTable

#: Words of a column's name that tell what it gives away, and why it is left out.
_LEAKS: tuple[tuple[frozenset[str], str], ...] = (
    (
        frozenset({"length", "duration", "durations", "nsamples"}),
        "lengths tell how a clip was cut or where it was published, not how it sounds",
    ),
    (
        frozenset(
            {"id", "ids", "uid", "uuid", "uri", "url", "href", "isrc", "index", "unnamed", "filename", "file", "path"}
        ),
        "ids and places tell which row it is, not how it sounds",
    ),
    (
        frozenset(
            {"popularity", "plays", "playcount", "listens", "listeners", "views", "streams", "favorites", "favourites",
             "likes", "followers", "rank", "ranking", "hotttnesss", "hotness", "interest", "comments"}
        ),
        "popularity tells how known a song is, not how it sounds",
    ),
    (
        frozenset({"date", "year", "month", "day", "decade", "released", "release", "timestamp", "created", "added"}),
        "dates tell when it came out, not how it sounds",
    ),
)  # fmt: skip
#: Columns of every feature table, which no feature may be called.
_TAKEN = frozenset({"clip_id", "song_id", "set_version", "preprocessing_id"})
_MOST_CATEGORIES = 100  # a text with more values is a name or an id
_LONGEST_NAME = 255  # of a column, for catalogs


@dataclass(frozen=True)
class FeatureColumn:
    """One feature: ``name`` in the store, ``source`` column, place in its array, kind, and SQL type."""

    name: str
    source: str
    element: int | None
    kind: Literal["numeric", "categorical"]
    type: str

    @property
    def comment(self) -> str:
        """What ``DESCRIBE TABLE`` says of it."""
        place = "" if self.element is None else f", element {self.element}"
        return f"Column {self.source}{place} of the imported table."


@dataclass(frozen=True)
class Features:
    """The features of a table: columns and, in the same order, their cells (Numbers, or text of categories)."""

    columns: tuple[FeatureColumn, ...]
    cells: tuple[Numbers | pa.ChunkedArray, ...]
    notes: tuple[str, ...]

    @property
    def version(self) -> str:
        """Hash of the definition: names, columns, kinds and types, in order."""
        parts = [part for c in self.columns for part in (c.name, c.source, c.element, c.kind, c.type)]
        return stable_id("imported", *parts, length=12)


def check_names(raw: RawTable, section: ImportFeaturesSection) -> None:
    """Raise ConfigError for a configured column that the table lacks, with the nearest one."""
    for key in ("id", "song", "artist", "title", "album", "split"):
        if name := getattr(section, key):
            _check(raw, key, name)
    for key in ("labels", "features", "exclude", "include", "categorical"):
        names: Sequence[str] = getattr(section, key)
        for name in names:
            if key != "categorical" or name != "key":  # the default need not be there
                _check(raw, key, name)


def choose_features(raw: RawTable, section: ImportFeaturesSection) -> Features:
    """Take the columns that are named, or else all numbers that give nothing away.

    Left out by default are lengths and durations, ids, popularity and dates: they tell genres apart
    without a sound. Each is named in a note, and ``include`` brings it back.

    Raises
    ------
    ConfigError : a named column holds no numbers, or no column is left.
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
            keep = f' (include = ["{source}"] keeps it)' if as_numbers(column, decimals, source) is not None else ""
            notes.append(f"left out: {source}; {why}{keep}")
            continue
        found = (_categories if source in section.categorical else _numeric)(column, decimals, source)
        if not found:
            if section.features:
                raise ConfigError(
                    f"[import_features] features: column {source!r} of {raw.name} holds no numbers. "
                    "Take it out, or name it under categorical."
                )
            texts.append(source)
        for element, kind, cell, type_ in found:
            name = name_of(source if element is None else f"{source}_{element}")
            columns.append(FeatureColumn(name, source, element, kind, type_))
            cells.append(cell)
    if not columns:
        raise ConfigError(
            f"[import_features]: {raw.name} has no column of numbers that may be a feature. Name features."
        )
    if texts:
        notes.append(f"not features, as they hold text or nothing: {', '.join(texts)}")
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
    """A note on names that had to be told apart by a number, or lost most of their letters."""
    odd = [c for c in columns if c.element is None and re.sub(r"[^0-9a-z]+", "", c.source.lower()) != _letters(c.name)]
    shown = ", ".join(f"{_short(c.source)!r} is {_short(c.name)}" for c in odd[:5]) + (", ..." if len(odd) > 5 else "")
    return [f"features under other names: {shown}"] if odd else []


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:39]}…"


def _letters(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "", re.sub(r"^f_(?=\d)", "", name))


def _namer() -> Callable[[str], str]:
    """Gives names that SQL takes without quotes: lower case, letters, digits and _, none twice."""
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
