"""A list of audio files by their addresses: CSV or Parquet, with columns under names of its own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genreatlas.config import HttpSection
from genreatlas.errors import InputError, Reason
from genreatlas.ids import stable_id
from genreatlas.sources.folder.catalogue import Row, Song, read_row
from genreatlas.sources.folder.manifest import clean_text
from genreatlas.sources.genres import GenreNames

KNOWN = ("url", "genre", "song", "title", "artist", "album", "isrc", "licence", "split", "sha256", "md5")
REQUIRED = ("url", "genre")
#: ``songs.source`` of these songs.
SOURCE = "http"


@dataclass(frozen=True)
class ListedFile:
    """One row of a list: a song, and where its audio is."""

    song_id: str
    song: Song
    url: str
    checksum: str | None


@dataclass(frozen=True)
class Refused:
    """A row that cannot be used."""

    place: str
    reason: Reason
    detail: str


def read_list(settings: HttpSection) -> Iterator[ListedFile | Refused]:
    """Read the rows of ``[http] manifest``; of several rows on one song the first one counts.

    Raises
    ------
    InputError : the file cannot be read or lacks a column.
    """
    assert settings.manifest is not None
    names = GenreNames(settings.genre_aliases)
    own = {str(name): column for name, column in settings.columns.items()}
    columns = {name: own.get(name, name) for name in KNOWN}
    seen: dict[str, str] = {}
    for place, record in _records(settings.manifest, columns):
        value = {name: record.get(column) for name, column in columns.items()}
        url = clean_text(value["url"]).strip()
        if not url:
            yield Refused(
                place, Reason.BAD_VALUE, f"{place}: {columns['url']} is empty. Give an address or drop the row."
            )
            continue
        song, problem = read_row(_row(place, value), _key(url), names)
        identity = song_id(song.key)
        if problem:
            yield Refused(place, problem[0], f"{place}: {problem[1]}")
        elif identity in seen:
            yield Refused(place, Reason.DUPLICATE_ROW, f"{place}: the same song as {seen[identity]}.")
        else:
            seen[identity] = place
            checksum = clean_text(value["sha256"]).strip() or clean_text(value["md5"]).strip()
            yield ListedFile(identity, song, url, checksum if re.fullmatch("[0-9a-fA-F]{32,64}", checksum) else None)


def song_id(key: str) -> str:
    """Id of a listed song by its key: the list's own, or its address without the query."""
    return stable_id("song", SOURCE, key)


def _key(url: str) -> str:
    return re.sub(r"[?#].*", "", url)


def _row(place: str, value: Mapping[str, Any]) -> Row:
    genre = value["genre"]
    genres = tuple(clean_text(one) for one in genre) if isinstance(genre, list | tuple) else (clean_text(genre),)
    names = ("song", "title", "artist", "album", "isrc", "licence", "split")
    return Row(place, b"", genres, **{name: clean_text(value[name]) for name in names})


def _records(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        if is_parquet:
            table = pyarrow.parquet.read_table(path)
        else:
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
                header = text.readline()
            delimiter = max(",\t;", key=header.count)
            texts = {name.strip().strip('"'): pa.string() for name in header.rstrip("\r\n").split(delimiter)}
            table = pyarrow.csv.read_csv(
                path,
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(column_types=texts, strings_can_be_null=True),
            )
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Set http.manifest.") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {error}.") from None
    missing = [columns[name] for name in REQUIRED if columns[name] not in table.column_names]
    if missing:
        there = ", ".join(table.column_names)
        raise InputError(
            f"{path}: missing columns: {', '.join(missing)}. There are: {there}. Name them in http.columns."
        )
    wanted = [column for column in columns.values() if column in table.column_names]
    kind = "row" if is_parquet else "line"
    start = 1 if is_parquet else 2
    number = start
    for batch in table.select(list(dict.fromkeys(wanted))).to_batches(max_chunksize=4096):
        for record in batch.to_pylist():
            yield f"{kind} {number}", record
            number += 1
