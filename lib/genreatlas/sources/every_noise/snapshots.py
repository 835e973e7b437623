"""Join map and list to the rows of one snapshot, and determine the date of the snapshot."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from genreatlas.errors import InputError
from genreatlas.redaction import redact
from genreatlas.sources.every_noise.map_page import ListedGenre, MappedGenre
from genreatlas.values import Row, RowView

_DATE = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")
#: Columns that define a state of the map. Rank and playlist come from the list, which may be added later.
_STATE = (
    "name", "map_position", "map_x", "map_y", "colour", "weight", "example_artist", "example_track",
    "example_track_id", "preview_url",
)  # fmt: skip
_LATER = ("rank", "playlist_id")


def genre_rows(genres: Sequence[MappedGenre], listed: Iterable[ListedGenre], source: str) -> list[Row]:
    """Rows of ``genres`` without the snapshot; the list adds rank and playlist.

    Genres are matched with the list by name, otherwise by slug.
    """
    listed = list(listed)
    by_name = {entry.name: entry for entry in reversed(listed)}
    by_slug = {entry.slug: entry for entry in reversed(listed)}
    rows = []
    for genre in genres:
        entry = by_name.get(genre.name) or by_slug.get(genre.slug)
        rows.append(
            {
                "genre_id": genre.slug,
                "name": genre.name,
                "rank": entry.rank if entry else None,
                "map_position": genre.position,
                "map_x": genre.x,
                "map_y": genre.y,
                "map_x_scaled": genre.x_scaled,
                "map_y_scaled": genre.y_scaled,
                "colour": genre.colour,
                "weight": genre.weight,
                "example_artist": genre.example_artist,
                "example_track": genre.example_track,
                "example_track_id": genre.example_track_id,
                "preview_url": genre.preview_url,
                "playlist_id": entry.playlist_id if entry else None,
                "source": redact(source),
            }
        )
    return rows


def same_state(rows: Iterable[RowView], stored: Iterable[RowView]) -> bool:
    """Whether two sets of rows have the same state of the map."""
    return {row["genre_id"]: _state(row) for row in rows} == {row["genre_id"]: _state(row) for row in stored}


def completed(rows: Iterable[Row], stored: Iterable[RowView]) -> list[Row]:
    """Stored rows with a missing rank or playlist filled in from new rows; stored values are not changed."""
    new = {row["genre_id"]: row for row in rows}
    changed = []
    for old in stored:
        known = {key: new.get(old["genre_id"], {}).get(key) for key in _LATER if old[key] is None}
        if any(value is not None for value in known.values()):
            changed.append({**old, **known})
    return changed


def date_in_name(address: str) -> date | None:
    """Date in a page's name (``index_2022-03-22.html``, or an archive's ``/web/20220322101530/``), or None."""
    archived = re.search(r"/web/(\d{4})(\d{2})(\d{2})\d*", address)
    names = [archived] if archived else list(_DATE.finditer(address.rsplit("/", 1)[-1]))
    for found in reversed(names):
        try:
            return date(*map(int, found.groups()))
        except ValueError:
            continue
    return None


def file_date(path: Path) -> date:
    """Date of the last modification of a file, in UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def read_file(path: str) -> bytes:
    """Content of a saved page.

    Raises
    ------
    InputError : the file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"[every_noise] {path}: cannot be read ({error.strerror}). Name a saved page or an address."
        ) from None


def is_address(text: str) -> bool:
    """Whether a configured place is an http or https address; otherwise it is a path."""
    return text.lower().startswith(("http://", "https://"))


def _state(row: RowView) -> tuple[Any, ...]:
    return tuple(row[key] for key in _STATE)
