"""Read lists of visitors: playlists, tables and listening histories.

Supported are M3U, M3U8, XSPF; tables (CSV) with a column of ISRCs or columns of artist and title; histories of
Spotify's privacy export (account data, StreamingHistory*.json, and extended history, Streaming_History_Audio_*.json or
endsong_*.json); and ListenBrainz listens (JSON lines). A zip archive of such histories is read as one list.
"""

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from genreatlas.errors import InputError
from genreatlas.playlists.files import Listed, read_m3u, read_xspf
from genreatlas.sources.folder.catalogue import clean_isrc
from genreatlas.sources.spotify.links import parse_link
from genreatlas.sources.tabular import read_table
from genreatlas.values import RowView

T = TypeVar("T")

#: Shorter plays (ms) are skips, as Spotify counts.
LEAST_MS = 30_000
#: Maximum number of different entries of a list.
MOST_ENTRIES = 300_000
#: Maximum unpacked size of the files of an archive in bytes: of each file, and in total.
_MOST_FILE, _MOST_ALL = 64 << 20, 512 << 20
_MOST_FILES = 2000
#: Names of table columns (lower case, letters only) by meaning; the first that exists is used.
_COLUMNS = {
    "isrc": ("isrc",),
    "spotify_id": ("spotifyid", "spotifytrackid", "trackuri", "spotifyuri", "trackid"),
    "artist": ("artist", "artistname", "artistnames", "artists", "creator"),
    "title": ("title", "trackname", "track", "name", "song"),
    "path": ("path", "file", "filename", "uri"),
}
_TRACK = re.compile(r"(?:spotify:track:)?[0-9A-Za-z]{22}")
_NUMBERED = re.compile(r"^(?:\d{1,3}(?:-\d{1,3})?[\s._-]+)")


class Entry(NamedTuple):
    """Identification of a song in a list; fields that the list lacks are empty.

    ``called`` is a text such as ``Artist - Title``, used if artist and title are not given separately.
    """

    isrc: str = ""
    spotify_id: str = ""
    artist: str = ""
    title: str = ""
    called: str = ""


@dataclass
class Heard:
    """Contents of a list.

    Attributes
    ----------
    kind : display name of the kind of list.
    plays : number of plays, or of occurrences in the list, by entry.
    skips : number of plays that were too short to count.
    other : number of entries that are not songs, such as podcasts.
    broken : number of lines or rows that cannot be read.
    """

    kind: str
    plays: dict[Entry, int] = field(default_factory=dict)
    skips: int = 0
    other: int = 0
    broken: int = 0

    def add(self, entry: Entry) -> None:
        """Count an entry.

        Raises
        ------
        InputError : there are more than MOST_ENTRIES different entries.
        """
        if not any(entry):
            self.other += 1
            return
        self.plays[entry] = self.plays.get(entry, 0) + 1
        if len(self.plays) > MOST_ENTRIES:
            raise InputError(f"The list has more than {MOST_ENTRIES:,} different entries. Split it and send the parts.")


def read_list(path: Path, name: str) -> Heard:
    """Read a list of any supported kind.

    Parameters
    ----------
    path : path of the file.
    name : original file name; its suffix distinguishes M3U from tables if the content does not.

    Raises
    ------
    InputError : the file is not a list, or cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PK\x03\x04"):
        heard = _of_zip(path)
    elif head.startswith((b"\x1f\x8b", b"PAR1", b"ARROW", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"%PDF")):
        raise InputError("This file format is not supported. Unpack the file, or save it as CSV.")
    else:
        heard = _of_text(path, head, name)
    if not heard.plays:
        short = f" {heard.skips} plays are shorter than {LEAST_MS // 1000} seconds." if heard.skips else ""
        raise InputError(f"The list contains no songs ({heard.kind}).{short}")
    return heard


def _of_text(path: Path, head: bytes, name: str) -> Heard:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"{", b"[")):
        return _of_json(path.read_bytes())
    if start.startswith(b"<"):
        return _of_playlist(_said(lambda: read_xspf(path, "list")), "XSPF")
    if start.upper().startswith(b"#EXTM3U") or name.lower().endswith((".m3u", ".m3u8")):
        return _of_playlist(_said(lambda: read_m3u(path, "list")), "M3U")
    return _of_table(path)


def _said(read: Callable[[], T]) -> T:
    """Call a reader; its error message is shortened to omit the path and advice about job settings."""
    try:
        return read()
    except InputError as error:
        words = re.sub(r"\s*(?:Set|Name the|Check) [^.]*\.?\s*$", "", str(error).partition(": ")[2] or str(error))
        raise InputError(f"This list cannot be read: {words.rstrip('.') or 'it is damaged'}.") from None


def _of_playlist(entries: Iterable[Listed], kind: str) -> Heard:
    heard = Heard(kind)
    for one in entries:
        place = one.place.decode("utf-8", "replace")
        spotify_id = _track(place)
        heard.add(Entry(spotify_id=spotify_id, called=one.called or ("" if spotify_id else _of_path(place))))
    return heard


def _of_path(place: str) -> str:
    """Artist and title from a file name: ``03 - Artist - Title.mp3`` becomes ``Artist - Title``."""
    name = re.split(r"[/\\]", place)[-1]
    return _NUMBERED.sub("", name.rpartition(".")[0] or name).strip()


def _of_table(path: Path) -> Heard:
    table = _said(lambda: read_table(path, "list", pad=True))
    plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in reversed(table.table.column_names)}
    column = {
        what: next((plain[name] for name in names if name in plain), None) for what, names in _COLUMNS.items()
    }  # fmt: skip
    if not (column["isrc"] or column["spotify_id"] or column["path"] or (column["artist"] and column["title"])):
        there = ", ".join(table.table.column_names[:8])[:200]
        raise InputError(
            f"The columns ({there}) do not identify songs. Name one column isrc, or two columns artist and title."
        )
    heard = Heard("table", broken=len(table.broken))
    for _, row in table.rows([name for name in column.values() if name]):
        text = {what: str(row.get(name) or "").strip() if name else "" for what, name in column.items()}
        spotify_id = _track(text["spotify_id"]) or _track(text["path"])
        called = "" if spotify_id or (text["artist"] and text["title"]) else _of_path(text["path"])
        heard.add(Entry(clean_isrc(text["isrc"]) or "", spotify_id, text["artist"], text["title"], called))
    return heard


def _of_zip(path: Path) -> Heard:
    heard: Heard | None = None
    left, names = _MOST_ALL, []
    try:
        with zipfile.ZipFile(path) as archive:
            files = [one for one in archive.infolist() if one.filename.lower().endswith((".json", ".jsonl"))]
            files = [one for one in files if "video" not in one.filename.lower()][:_MOST_FILES]
            for one in sorted(files, key=lambda each: each.filename):
                with archive.open(one) as file:
                    content = file.read(min(_MOST_FILE, left) + 1)
                left -= len(content)
                if len(content) > _MOST_FILE or left < 0:
                    raise InputError("The unpacked archive is too large. Send its files one by one.")
                try:
                    found = _of_json(content)
                except InputError:
                    continue  # exports also contain other files
                names.append(one.filename)
                heard = found if heard is None else _joined(heard, found)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError):
        raise InputError("The archive is damaged or encrypted. Pack its files again, without a password.") from None
    if heard is None:
        raise InputError("The archive contains no listening history of Spotify or ListenBrainz.")
    heard.kind = f"{heard.kind}, {len(names)} files"
    return heard


def _joined(one: Heard, other: Heard) -> Heard:
    for entry, plays in other.plays.items():
        one.add(entry)
        one.plays[entry] += plays - 1
    one.skips, one.other, one.broken = one.skips + other.skips, one.other + other.other, one.broken + other.broken
    return one


def _of_json(content: bytes) -> Heard:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("The JSON file is not encoded as UTF-8. Save it as UTF-8.") from None
    whole = _parsed(text)
    rows = list(_lines(text)) if whole is None else _rows(whole)
    first = next((row for row in rows if isinstance(row, dict)), None)
    read = None if first is None else next((each for keys, each in _READERS if keys & first.keys()), None)
    if read is None:
        raise InputError("This JSON file is not a listening history of Spotify or ListenBrainz.")
    heard = Heard(_NAMES[read])
    for row in rows:
        if isinstance(row, dict):
            read(heard, row)
        else:
            heard.broken += 1
    return heard


def _rows(whole: Any) -> list[Any]:
    """Listens of a JSON document: a list, or an object with a list, as returned by the ListenBrainz API."""
    if isinstance(whole, dict):
        payload = whole.get("payload")
        inner = payload if isinstance(payload, dict) else whole
        listens = inner.get("listens")
        return listens if isinstance(listens, list) else [whole]
    return whole if isinstance(whole, list) else []


def _lines(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        if line.strip():
            yield _parsed(line)


def _parsed(text: str) -> Any:
    """The value of a JSON text; None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # numbers with too many digits also raise ValueError
        return None


def _text(value: object) -> str:
    return value.strip()[:500] if isinstance(value, str) else ""


def _track(text: str) -> str:
    """Spotify track id from an id, a URI or a link; empty for other text."""
    if _TRACK.fullmatch(text):
        return text[-22:]
    link = parse_link(text)
    return link.id if link is not None and link.kind == "track" else ""


def _spotify_extended(heard: Heard, row: RowView) -> None:
    if _is_skip(heard, row.get("ms_played")):
        return
    title, artist = (_text(row.get(f"master_metadata_{name}")) for name in ("track_name", "album_artist_name"))
    heard.add(Entry(spotify_id=_track(_text(row.get("spotify_track_uri"))), artist=artist, title=title))


def _spotify_account(heard: Heard, row: RowView) -> None:
    if not _is_skip(heard, row.get("msPlayed")):
        heard.add(Entry(artist=_text(row.get("artistName")), title=_text(row.get("trackName"))))


def _is_skip(heard: Heard, played: Any) -> bool:
    short = isinstance(played, int | float) and played < LEAST_MS
    heard.skips += short
    return short


def _listenbrainz(heard: Heard, row: RowView) -> None:
    told = row.get("track_metadata")
    told = told if isinstance(told, dict) else {}
    more = told.get("additional_info")
    more = more if isinstance(more, dict) else {}
    codes = more.get("isrc")
    isrc = clean_isrc(_text(codes[0] if isinstance(codes, list) and codes else codes)) or ""
    spotify_id = _track(_text(more.get("spotify_id")))
    heard.add(Entry(isrc, spotify_id, _text(told.get("artist_name")), _text(told.get("track_name"))))


_READERS = (
    ({"master_metadata_track_name", "spotify_track_uri", "ms_played"}, _spotify_extended),
    ({"msPlayed", "endTime"}, _spotify_account),
    ({"track_metadata"}, _listenbrainz),
)
_NAMES = {
    _spotify_extended: "Spotify's extended history",
    _spotify_account: "Spotify's history of the account",
    _listenbrainz: "ListenBrainz listens",
}
