"""Match a user's library with songs of the store: a folder of audio files, an M3U or XSPF file, or a table."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from genreatlas.errors import InputError
from genreatlas.playlists.files import Listed, read_m3u, read_xspf
from genreatlas.playlists.music import Ints, Songs
from genreatlas.playlists.references import titled
from genreatlas.sources.folder.listing import Finder, has_audio_name, list_folder
from genreatlas.sources.spotify.links import parse_link
from genreatlas.sources.tabular import read_table

KEY = "playlist.recipes.library"
#: Columns of a table that identify songs, the most reliable first.
_COLUMNS = ("song_id", "spotify_id", "isrc", "path", "uri", "artist", "title")


@dataclass(frozen=True)
class Known:
    """Identifiers of the store's songs, mapped to rows.

    Attributes
    ----------
    paths, digests : row by absolute path, and by SHA-256, of each clip's file.
    isrc : row by ISRC.
    """

    paths: Mapping[bytes, int] = field(default_factory=dict)
    digests: Mapping[str, int] = field(default_factory=dict)
    isrc: Mapping[str, int] = field(default_factory=dict)


def find_library(path: Path, encoding: str, songs: Songs, known: Known) -> tuple[Ints, int]:
    """Find the songs of the store that are in a library.

    Parameters
    ----------
    path : a folder of audio files, a playlist (.m3u, .m3u8, .xspf), or a table with some of the columns song_id,
        spotify_id, isrc, path, artist and title.
    encoding : encoding of text files; "auto" detects it.
    songs : songs of the store.
    known : identifiers of these songs.

    Returns
    -------
    rows : rows of the songs found, sorted.
    size : number of entries in the library.

    Raises
    ------
    InputError : the library does not exist, is empty, or has no columns that identify songs.
    """
    ending = path.suffix.lower()
    if path.is_dir() and not any(part.suffix in (".parquet", ".csv") for part in path.iterdir()):
        return _of_folder(path, known)
    if ending in (".m3u", ".m3u8"):
        return _of_list(read_m3u(path, KEY, encoding), path, songs, known)
    if ending == ".xspf":
        return _of_list(read_xspf(path, KEY), path, songs, known)
    return _of_table(path, encoding, songs, known)


def _of_folder(path: Path, known: Known) -> tuple[Ints, int]:
    """Find songs by the paths of files, or else by their SHA-256."""
    root = os.fsencode(path.absolute())
    try:
        entries = list_folder(root).entries
    except InputError as error:
        raise InputError(str(error).replace("folder.path", KEY)) from None
    files = [entry.path for entry in entries if entry.kind == "file" and has_audio_name(entry.path)]
    found: set[int] = set()
    for file in files:
        whole = os.path.join(root, file)  # noqa: PTH118 - bytes
        row = _at(known, whole)
        if row is None and known.digests:
            row = known.digests.get(_digest(whole))
        if row is not None:
            found.add(row)
    if not files:
        raise InputError(f"{path}: no audio files are in this folder. Set {KEY}.")
    return _sorted(found), len(files)


def _of_list(entries: Sequence[Listed], path: Path, songs: Songs, known: Known) -> tuple[Ints, int]:
    folder = os.fsencode(path.absolute().parent)
    finder = Finder(folder, known.paths.keys(), [entry.place for entry in entries])
    spotify = _spotify(songs)
    found: set[int] = set()
    for entry in entries:
        row = _at(known, finder.find(entry.place)) if entry.place else None
        if row is None and (link := parse_link(entry.place.decode("utf-8", "replace"))) and link.kind == "track":
            row = spotify.get(link.id)
        if row is None and entry.called:
            row = _first(titled(songs, entry.called))
        if row is not None:
            found.add(row)
    return _sorted(found), len(entries)


def _of_table(path: Path, encoding: str, songs: Songs, known: Known) -> tuple[Ints, int]:
    table = read_table(path, KEY, encoding)
    columns = [name for name in _COLUMNS if name in table.table.column_names]
    if not set(columns) - {"artist", "title"} and not {"artist", "title"} <= set(columns):
        there = ", ".join(table.table.column_names[:10])
        raise InputError(
            f"{path}: no column identifies the songs; the columns are {there}. One must be called song_id, "
            "spotify_id, isrc or path, or two artist and title."
        )
    ids = {song: row for row, song in enumerate(songs.facts["song_id"])}
    spotify = _spotify(songs)
    finder = Finder(os.fsencode(path.absolute().parent), known.paths.keys())
    found: set[int] = set()
    for _, values in table.rows(columns):
        texts = {name: str(value).strip() for name, value in values.items() if value not in (None, "")}
        row = ids.get(texts.get("song_id", ""))
        row = spotify.get(texts.get("spotify_id", "")) if row is None else row
        row = known.isrc.get(_code(texts.get("isrc", ""))) if row is None else row
        place = texts.get("path") or texts.get("uri")
        if row is None and place:
            row = _at(known, finder.find(place.encode("utf-8", "surrogateescape")))
        if row is None and texts.get("artist") and texts.get("title"):
            row = _first(titled(songs, f"{texts['artist']} - {texts['title']}"))
        if row is not None:
            found.add(row)
    return _sorted(found), table.table.num_rows


def _at(known: Known, path: bytes) -> int | None:
    row = known.paths.get(path)
    return known.paths.get(os.path.realpath(path)) if row is None else row


def _digest(path: bytes) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - bytes
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _spotify(songs: Songs) -> dict[object, int]:
    return {one: row for row, one in enumerate(songs.facts["spotify_id"]) if isinstance(one, str)}


def _code(isrc: str) -> str:
    return isrc.upper().replace("-", "").replace(" ", "")


def _first(rows: Ints) -> int | None:
    return int(rows[0]) if len(rows) else None


def _sorted(rows: set[int]) -> Ints:
    return np.array(sorted(rows), dtype=np.int64)
