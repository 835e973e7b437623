"""Imported table of the origins of genres, such as the stylistic origins in an encyclopedia."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from genreatlas.errors import InputError
from genreatlas.sources.genres import clean_name, genre_slug
from genreatlas.sources.tabular import read_table

_COLUMNS = ("genre", "origin")
_SHOWN = 3


@dataclass(frozen=True)
class Influence:
    """A genre and one of its origins, as spelt in the table."""

    genre: str
    origin: str


@dataclass(frozen=True)
class Influences:
    """Rows of a table, and notes on rows that were left out."""

    rows: tuple[Influence, ...]
    notes: tuple[str, ...]

    def among(self, genres: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Sorted distinct pairs of ids (genre, origin) of rows with two of these genres.

        Parameters
        ----------
        genres : pairs of id and name. Rows are matched by id and by the Every Noise slug of the name, so case, spaces
            and punctuation do not matter.
        """
        known: dict[str, str] = {}
        for genre_id, name in genres:
            for key in (genre_id, genre_slug(name)):
                known.setdefault(key, genre_id)
        pairs = {(known.get(genre_slug(row.genre)), known.get(genre_slug(row.origin))) for row in self.rows}
        return sorted((genre, origin) for genre, origin in pairs if genre and origin and genre != origin)


def read_influences(path: Path) -> Influences:
    """Read a table with the columns ``genre`` and ``origin``, one pair per row; other columns are ignored.

    Raises
    ------
    InputError : the file does not exist, is not a table, lacks a column, or has no usable row.
    """
    raw = read_table(path, "map.influences")
    if lacks := [column for column in _COLUMNS if column not in raw.table.column_names]:
        raise InputError(
            f"{raw.name}: no column {' and no column '.join(lacks)}; it has {', '.join(raw.table.column_names)}. Give "
            "one pair per row, in the columns genre and origin."
        )
    bad = [f"{place}: {why}" for place, why in raw.broken]
    rows: dict[Influence, None] = {}
    for place, row in raw.rows(_COLUMNS):
        names = {column: clean_name(str(row[column] or "")) for column in _COLUMNS}
        empty = [column for column, name in names.items() if not name]
        if empty:
            bad.append(f"{place}: {' and '.join(empty)} is empty")
        elif genre_slug(names["genre"]) == genre_slug(names["origin"]):
            bad.append(f"{place}: {names['genre']} is its own origin")
        else:
            rows.setdefault(Influence(**names))
    if not rows:
        raise InputError(f"{raw.name}: no row has a genre and a different origin. {'; '.join(bad[:_SHOWN])}")
    more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    notes = (f"{raw.name}: rows that were left out: {'; '.join(bad[:_SHOWN])}{more}",) if bad else ()
    return Influences(tuple(rows), (*raw.notes, *notes))
