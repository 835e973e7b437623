"""Manifest of audio files with their addresses: CSV or Parquet, with configurable column names."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

from genreatlas.config import HttpSection
from genreatlas.errors import InputError, Reason
from genreatlas.ids import stable_id
from genreatlas.sources.folder.catalogue import Row, Song, read_row
from genreatlas.sources.folder.manifest import clean_text, genres_of, labels_of
from genreatlas.sources.genres import GenreNames
from genreatlas.sources.label_cells import Labels
from genreatlas.sources.tabular import read_table
from genreatlas.values import RowView

_FACTS = ("song", "title", "artist", "album", "album_artist", "isrc", "licence", "split")
KNOWN = ("url", "genre", *_FACTS, "sha256", "md5")
REQUIRED = ("url", "genre")
#: ``songs.source`` of these songs.
SOURCE = "http"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ListedFile:
    """One row of a manifest: a song, and the address of its audio."""

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
    """Read the rows of ``http.manifest``. Of several rows with the same song, the first is used, the others refused.

    Raises
    ------
    InputError : the file cannot be read or lacks a column.
    """
    assert settings.manifest is not None
    names = GenreNames(settings.genre_aliases, separator=settings.label_separator)
    own = {str(name): column for name, column in settings.columns.items()}
    columns = {name: own.get(name, name) for name in KNOWN}
    raw = read_table(settings.manifest, "http.manifest", settings.encoding)
    missing = [columns[name] for name in REQUIRED if columns[name] not in raw.table.column_names]
    if missing:
        there = ", ".join(raw.table.column_names)
        raise InputError(
            f"{settings.manifest}: missing columns: {', '.join(missing)}. There are: {there}. "
            "Name them in http.columns."
        )
    labels = labels_of(raw, columns["genre"], names, "http.label_separator")
    for note in (*raw.notes, *labels.notes):
        log.warning("%s", note)
    for place, why in raw.broken:
        yield Refused(place, Reason.BAD_VALUE, f"{place}: {why}")
    seen: dict[str, str] = {}
    for place, record in raw.rows(list(columns.values())):
        value = {name: record.get(column) for name, column in columns.items()}
        url = clean_text(value["url"]).strip()
        if not url:
            yield Refused(
                place, Reason.BAD_VALUE, f"{place}: {columns['url']} is empty. Give an address or drop the row."
            )
            continue
        song, problem = read_row(_row(place, value, labels), _key(url), names)
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
    """Id of a listed song by its key: the value of the column ``song``, or the address without the query."""
    return stable_id("song", SOURCE, key)


def _key(url: str) -> str:
    return re.sub(r"[?#].*", "", url)


def _row(place: str, value: RowView, labels: Labels) -> Row:
    return Row(place, b"", genres_of(value["genre"], labels), **{name: clean_text(value[name]) for name in _FACTS})
