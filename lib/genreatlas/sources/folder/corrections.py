"""Read labels corrected by visitors of the site, from its database or from a table with the same columns."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from genreatlas.errors import InputError
from genreatlas.sources.tabular import read_table
from genreatlas.values import RowView

KEY = "folder.corrections"
COLUMNS = ("song_id", "sha256", "genre_id", "visitor")
_SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True)
class Correction:
    """Genre that one visitor gave to a song or, by SHA-256, to a file; ``song_id`` or ``sha256`` is empty."""

    song_id: str
    sha256: str
    genre_id: str
    visitor: str


def read_corrections(place: str) -> list[Correction]:
    """Read all corrections.

    Parameters
    ----------
    place : SQLite file of the site, SQLAlchemy URL of its database, or table (CSV, Parquet) with the columns song_id,
        sha256, genre_id and visitor.

    Raises
    ------
    InputError : the corrections cannot be read, or columns are missing.
    """
    if "://" in place:
        return _made(_of_url(place))
    path = Path(place)
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}. Set {KEY}.") from None
    return _made(_of_sqlite(path) if head == _SQLITE else _of_table(path))


def agreed(corrections: Iterable[Correction], visitors: int) -> tuple[dict[str, tuple[str, ...]], ...]:
    """Corrected genres of songs and of files on which enough visitors agree.

    Parameters
    ----------
    visitors : minimum number of visitors that gave the same genre.

    Returns
    -------
    Genres by song_id, and genres by SHA-256: the genre given by most visitors; several in case of a tie.
    """
    said: tuple[dict[str, Counter[str]], ...] = (defaultdict(Counter), defaultdict(Counter))
    for one in dict.fromkeys(corrections):
        of, subject = (said[0], one.song_id) if one.song_id else (said[1], one.sha256)
        of[subject][one.genre_id] += 1
    return tuple(
        {
            subject: tuple(sorted(genre for genre, n in genres.items() if n == max(genres.values())))
            for subject, genres in sorted(of.items())
            if max(genres.values()) >= visitors
        }
        for of in said
    )


def _of_sqlite(path: Path) -> list[Mapping[str, object]]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM corrections ORDER BY created").fetchall()
    except sqlite3.Error as error:
        raise InputError(f"{path}: no corrections can be read: {error}. Set {KEY} to the site's database.") from None
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def _of_url(url: str) -> list[Mapping[str, object]]:
    try:
        import sqlalchemy as sa
    except ImportError:
        raise InputError(f"{KEY}: a database by its URL needs the extra web (pip install 'genreatlas[web]').") from None
    try:
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            rows = connection.execute(sa.text(f"SELECT {', '.join(COLUMNS)} FROM corrections ORDER BY created"))
            found: list[RowView] = [dict(row._mapping) for row in rows]
        engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        kind = type(error).__name__  # the message may contain the password
        raise InputError(
            f"{KEY}: the database cannot be read ({kind}). Check the URL, and that the database runs."
        ) from None
    return found


def _of_table(path: Path) -> list[Mapping[str, object]]:
    table = read_table(path, KEY)
    there = table.table.column_names
    if "genre_id" not in there or not {"song_id", "sha256"} & set(there):
        raise InputError(f"{path}: columns genre_id, and song_id or sha256, are needed; there are {', '.join(there)}.")
    return [row | {"visitor": row.get("visitor") or place} for place, row in table.rows(COLUMNS)]


def _made(rows: Iterable[Mapping[str, object]]) -> list[Correction]:
    texts = ({name: str(row.get(name) or "").strip() for name in COLUMNS} for row in rows)
    return [Correction(**row) for row in texts if row["genre_id"] and (row["song_id"] or row["sha256"])]
