"""Catalogue of a folder: songs with genres, the files of each song, and rejected rows; and table rows of songs."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from genreatlas.errors import Reason
from genreatlas.ids import stable_id
from genreatlas.sources.credits import credits
from genreatlas.sources.folder.listing import Entry, Finder, Listing
from genreatlas.sources.genres import Genre, GenreNames, GenreParent

_PARTS = {
    "train": "train", "training": "train",
    "promotion": "promotion", "valid": "promotion", "validation": "promotion", "val": "promotion", "dev": "promotion",
    "test": "test", "testing": "test", "eval": "test",
}  # fmt: skip
_SHOWN = 3
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")


@dataclass(frozen=True, slots=True)
class Song:
    """Data of one song from a source.

    Attributes
    ----------
    key : key of the song in the source.
    no_genre : reason why the song has no genre.
    labelled_by : origin of the genres, if it is not the source; stored in ``song_genres.source``.
    """

    key: str
    genres: tuple[Genre, ...] = ()
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    isrc: str | None = None
    split: str | None = None
    licence: str | None = None
    compilation: bool | None = None
    no_genre: str = field(default="", compare=False)
    labelled_by: str | None = None

    def or_else(self, other: "Song") -> "Song":
        """This song with missing values filled from another row of the song, and the genres of both."""
        genres = {genre.genre_id: genre for genre in (*other.genres, *self.genres)}
        order = dict.fromkeys(genre.genre_id for genre in (*self.genres, *other.genres))
        facts = ("title", "artist", "album", "album_artist", "isrc", "split", "licence")
        known = {name: getattr(self, name) or getattr(other, name) for name in facts}
        known["compilation"] = other.compilation if self.compilation is None else self.compilation
        return replace(self, genres=tuple(genres[genre_id] for genre_id in order), **known)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list of files; ``place`` is its position, such as ``line 17``, ``problem`` why it cannot be read."""

    place: str
    path: bytes
    genres: tuple[str, ...]
    song: str = ""
    title: str = ""
    artist: str = ""
    album: str = ""
    album_artist: str = ""
    isrc: str = ""
    licence: str = ""
    split: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row or file rejected without opening it. ``path`` is absolute; ``place`` is set for rows without a file."""

    path: bytes
    reason: Reason
    detail: str
    place: str = ""


@dataclass(frozen=True)
class Catalogue:
    """Labels of a folder.

    Parameters
    ----------
    labels : kind of source of the labels; stored in ``song_genres.source``.
    songs : songs by key. Empty if the labels are tags of the files.
    song_of : key of a file's song by the absolute path of the file.
    files : entries of all files in ``song_of`` by absolute path.
    rejected : rows and files that cannot be used.
    origin : absolute path of the list of files; empty if there is none.
    unnamed : number of audio files in the folder that are not in the list.
    parents : genre tree of the source.
    notes : notes on how the labels were read.
    """

    labels: str
    songs: dict[str, Song]
    song_of: dict[bytes, str]
    files: dict[bytes, Entry]
    rejected: tuple[Rejected, ...] = ()
    origin: bytes = b""
    unnamed: int = 0
    parents: tuple[GenreParent, ...] = ()
    notes: tuple[str, ...] = ()


def catalogue_of_rows(
    labels: str,
    rows: Iterable[Row],
    listing: Listing,
    candidates: Iterable[Entry],
    names: GenreNames,
    origin: bytes,
    parents: tuple[GenreParent, ...] = (),
    notes: tuple[str, ...] = (),
) -> Catalogue:
    """Match the rows of a list with the files of a folder.

    Rows without an existing file, with a file of an earlier row, or with an invalid value are rejected. Files without a
    row are counted. Of two rows with the same song the first is used, with missing values filled from the next.

    Parameters
    ----------
    labels, origin, parents, notes : as in :class:`Catalogue`.
    candidates : entries of the listing that may be audio.
    """
    there = {listing.absolute(entry): entry for entry in candidates}
    rows = list(rows)
    finder = Finder(listing.root, there, [row.path for row in rows])
    outside: dict[bytes, Entry] = {}
    first: dict[bytes, str] = {}
    songs: dict[str, Song] = {}
    song_of: dict[bytes, str] = {}
    rejected: list[Rejected] = []
    for row in rows:
        if row.problem:
            rejected.append(Rejected(b"", Reason.BAD_VALUE, row.problem, row.place))
            continue
        if not row.path.strip():
            rejected.append(Rejected(b"", Reason.BAD_VALUE, "path is empty. Give a path or drop the row.", row.place))
            continue
        path = finder.find(row.path)
        if path in first:
            detail = f"Names the same file as {first[path]}. Join several genres with ';' in one row."
            rejected.append(Rejected(path, Reason.DUPLICATE_ROW, detail, row.place))
            continue
        if path not in there and path not in outside:
            entry = stat_entry(path)
            if entry is None:
                detail = f"There is no file {path.decode('utf-8', 'replace')}."
                rejected.append(Rejected(path, Reason.MISSING_FILE, detail, row.place))
                continue
            outside[path] = entry
        first[path] = row.place
        song, problem = read_row(row, path_key(os.path.relpath(path, listing.root)), names)
        if problem:
            rejected.append(Rejected(path, problem[0], f"{row.place}: {problem[1]}"))
            continue
        songs[song.key] = songs[song.key].or_else(song) if song.key in songs else song
        song_of[path] = song.key
    return Catalogue(
        labels=labels,
        songs=songs,
        song_of=song_of,
        files={path: there.get(path) or outside[path] for path in song_of},
        rejected=tuple(rejected),
        origin=origin,
        unnamed=sum(path not in first for path in there),
        parents=parents,
        notes=(*notes, *finder.notes(), *_rejected_rows(rows, rejected)),
    )


def _rejected_rows(rows: Sequence[Row], rejected: Sequence[Rejected]) -> list[str]:
    """Line on the rejected rows of the list."""
    mine = [f"{bad.place}: {bad.detail}" for bad in rejected if bad.place]
    shown = "; ".join(mine[:_SHOWN]) + ("; ..." if len(mine) > _SHOWN else "")
    return [f"{len(mine)} of {len(rows)} rows of the list are in quarantine: {shown}"] if mine else []


def read_row(row: Row, key: str, names: GenreNames) -> tuple[Song, tuple[Reason, str] | None]:
    """Song of a row, and the reason and text of a problem, or None. ``key`` is used if the row has no song key."""
    song = Song(
        key=row.song.strip() or key,
        genres=names.read_each(row.genres),
        title=row.title.strip() or None,
        artist=row.artist.strip() or None,
        album=row.album.strip() or None,
        album_artist=row.album_artist.strip() or None,
        isrc=clean_isrc(row.isrc),
        split=_PARTS.get(row.split.strip().casefold()),
        licence=row.licence.strip() or None,
    )
    if row.split.strip() and song.split is None:
        return song, (Reason.BAD_VALUE, f"split is {row.split.strip()!r}. Valid: train, promotion (validation), test.")
    if not song.genres:
        given = "; ".join(filter(None, row.genres))
        stated = f"genre is {given!r}, which is not a genre." if given else "genre is empty."
        return song, (Reason.NO_GENRE, f"{stated} Give a genre or drop the row.")
    return song, None


def stat_entry(path: bytes) -> Entry | None:
    """Entry of a file outside the listing; None if it does not exist."""
    try:
        status = os.stat(path)  # noqa: PTH116 - bytes
    except (OSError, ValueError):  # a NUL in the path is a ValueError
        return None
    return Entry(path, "file", status.st_size, status.st_mtime_ns)


def path_key(path: bytes) -> str:
    """Key of a song without a key in the source: the file's path, with undecodable bytes written as ``\\xff``."""
    return path.decode("utf-8", "backslashreplace")


def clean_isrc(text: str) -> str | None:
    """ISRC in upper case without hyphens; None if invalid, because songs with the same ISRC are grouped."""
    code = re.sub(r"[\s-]", "", text.upper()).removeprefix("ISRC")
    return code if _ISRC.fullmatch(code) else None


#: ``songs.source`` of songs from a folder, and ``clips.provider`` of their clips.
SOURCE = "folder"
#: ``song_genres.source`` of labels that visitors of the site corrected.
CORRECTION = "correction"
#: NumPy type of an id.
_ID = "S20"
_IDS_AT_ONCE = 10_000


@dataclass(frozen=True)
class SongRows:
    """Rows of each table, sorted by song id."""

    songs: list[dict[str, Any]] = field(default_factory=list)
    artists: list[dict[str, Any]] = field(default_factory=list)
    song_artists: list[dict[str, Any]] = field(default_factory=list)
    song_genres: list[dict[str, Any]] = field(default_factory=list)


def song_id(key: str) -> str:
    """Id of a song of a folder, derived from its key."""
    return stable_id("song", SOURCE, key)


class SongIds:
    """Mapping from keys to ids of the songs of a folder.

    A song keeps the id with which it was first stored, even if its key changes, for example because its file was moved.
    A new song with the former key of another song gets a new id.

    Almost all ids are derived from their keys (:func:`song_id`). For these only the ids are kept in memory, 28 bytes
    each; other ids are kept with their keys.

    Parameters
    ----------
    stored : pairs of id and key of stored songs. If several songs have the same key, the first one has it now.
    """

    def __init__(self, stored: Iterable[tuple[str, str]] = ()) -> None:
        self._keys: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        plain: list[np.ndarray] = []
        some: list[str] = []
        others: list[tuple[int, str, str]] = []
        count = 0
        for identity, key in stored:
            if identity == song_id(key):
                some.append(identity)
                count += 1
                if len(some) == _IDS_AT_ONCE:
                    plain.append(np.array(some, _ID))
                    some = []
            else:
                others.append((count, identity, key))
        found = np.concatenate([*plain, np.array(some, _ID)])
        self._places = np.argsort(found, kind="stable")
        self._plain = found[self._places]
        for before, identity, key in others:
            self._keys[identity] = key
            place = self._place(song_id(key))
            if place is None or place >= before:
                self._ids.setdefault(key, identity)
        self._stored = frozenset(self._keys)

    def __call__(self, key: str) -> str:
        """Id of the song with a key; a new id if there is no such song."""
        if key in self._ids:
            return self._ids[key]
        identity, number = song_id(key), 1
        while identity in self._keys:
            number += 1
            identity = stable_id("song", SOURCE, key, number)
        if number > 1:
            self._ids[key] = identity
            self._keys[identity] = key
        return identity

    def stored_at(self, key: str) -> str | None:
        """Id of the stored song that currently has a key; None if there is none."""
        if found := self._ids.get(key):
            return found if found in self._stored or self._place(found) is not None else None
        found = song_id(key)
        return found if found not in self._keys and self._place(found) is not None else None

    def key_of(self, identity: str, key: str) -> str:
        """Current key of a stored song, or its last key if another song has taken it over.

        Parameters
        ----------
        key : key with which the song is stored.
        """
        return self._keys.get(identity, key)

    def move(self, identity: str, key: str, before: str) -> None:
        """Assign another key to a stored song, even if another song has that key.

        Parameters
        ----------
        before : key with which the song is stored.
        """
        fresh = self._ids.get(key)
        if fresh is not None and fresh not in self._stored and self._place(fresh) is None:
            del self._keys[fresh]
        before = self.key_of(identity, before)
        if self._ids.get(before) == identity:
            del self._ids[before]
        self._keys[identity], self._ids[key] = key, identity

    def _place(self, identity: str) -> int | None:
        """Position of a stored song whose id is derived from its key; None if there is no such song."""
        code = identity.encode()
        place = int(np.searchsorted(self._plain, code))
        return int(self._places[place]) if place < len(self._plain) and self._plain[place] == code else None


def song_rows(
    songs: Iterable[Song],
    labels: str,
    licence: str = "",
    ids: Callable[[str], str] = song_id,
    listed_in: str | None = None,
) -> SongRows:
    """Table rows of songs.

    Parameters
    ----------
    labels : kind of source, stored with each genre.
    licence : default for songs without a licence.
    ids : function that returns the id of a song by its key.
    listed_in : URI of the folder or list with the songs.
    """
    rows = SongRows()
    artists: dict[str, str] = {}
    for song in sorted(songs, key=lambda song: ids(song.key)):
        identity = ids(song.key)
        rows.songs.append(
            {
                "song_id": identity,
                "source": SOURCE,
                "source_key": song.key,
                "title": song.title,
                "artist": song.artist,
                "album": song.album,
                "album_artist": song.album_artist,
                "compilation": song.compilation,
                "isrc": song.isrc,
                "declared_split": song.split,
                "licence": song.licence or licence or None,
                "listed_in": listed_in,
                "retired_at": None,
            }
        )
        for position, credit in enumerate(credits(song.artist, album_artist=song.album_artist, title=song.title)):
            artists[credit.artist_id] = min(artists.get(credit.artist_id, credit.name), credit.name)
            rows.song_artists.append(
                {"song_id": identity, "position": position, "artist_id": credit.artist_id, "role": credit.role}
            )
        rows.song_genres.extend(
            {
                "song_id": identity,
                "genre_id": genre.genre_id,
                "source": song.labelled_by or labels,
                "genre": genre.name,
                "weight": 1.0,
                "label_source": SOURCE,
                "retired_at": None,
            }
            for genre in song.genres
        )
    rows.artists.extend({"artist_id": artist_id, "name": artists[artist_id]} for artist_id in sorted(artists))
    return rows
