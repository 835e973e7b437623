"""Add files that were scored by a model but are not in the store to the songs of a playlist."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pandas as pd

from genreatlas.audio.probe import open_file, probe
from genreatlas.audio.uris import uri_to_path
from genreatlas.errors import ClipError
from genreatlas.playlists.library import Known
from genreatlas.playlists.music import Floats, Ints, Songs
from genreatlas.sources.credits import artist_key, credits
from genreatlas.sources.folder.catalogue import clean_isrc
from genreatlas.sources.folder.tags import read_tags
from genreatlas.values import Row


@dataclass(frozen=True)
class Scored:
    """A file with its predicted genre and score."""

    uri: str
    seconds: float | None
    genre: int
    score: float


@dataclass(frozen=True)
class _Heard:
    """SHA-256 and tags of a file."""

    digest: str
    title: str | None
    artist: str | None
    isrc: str | None


def with_files(
    songs: Songs, known: Known, files: Sequence[Scored], most: int
) -> tuple[Songs, dict[int, tuple[Ints, Floats]], tuple[str, ...]]:
    """Append scored files to the songs.

    Files that are songs of the store (same path or bytes) are mapped to these songs. Copies are recognised by
    bytes and ISRC, artists by tags.

    Parameters
    ----------
    songs : songs of the store.
    known : identifiers of these songs.
    files : scored files.
    most : maximum number of files to open, those with the highest scores; further files are left out.

    Returns
    -------
    songs : with new songs appended.
    by_genre : rows and scores of the files by predicted genre.
    notes : remarks for the log.
    """
    found: dict[tuple[int, int], float] = {}
    rows: list[Row] = []
    recordings: list[int] = []
    artists: list[str | None] = []
    row_of: dict[str, int] = {}
    gone = opened = 0
    following = int(songs.recording.max(initial=-1)) + 1
    for file in sorted(files, key=lambda one: (-one.score, one.uri)):
        row = known.paths.get(_path(file.uri) or b"")
        if row is None:
            if opened == most:
                continue
            opened += 1
            heard = _hear(file.uri)
            if heard is None:
                gone += 1
                continue
            row = known.digests.get(heard.digest, row_of.get(heard.digest))
            if row is None:
                row = row_of[heard.digest] = len(songs) + len(rows)
                by = known.isrc.get(heard.isrc or "")
                same = songs.recording[by] if by is not None else row_of.get(f"isrc {heard.isrc}", following)
                following += same == following
                if heard.isrc:
                    row_of[f"isrc {heard.isrc}"] = int(same)
                recordings.append(int(same))
                first = credits(heard.artist)
                artists.append(artist_key(first[0].name) if first else None)
                rows.append(
                    {"song_id": file.uri, "title": heard.title or _name(file.uri), "artist": heard.artist,
                     "album": None, "isrc": heard.isrc, "spotify_id": None, "uri": file.uri,
                     "seconds": file.seconds}
                )  # fmt: skip
        found[file.genre, row] = max(file.score, found.get((file.genre, row), 0.0))
    by_genre = {
        genre: _arrays(sorted((row, score) for (one, row), score in found.items() if one == genre))
        for genre in {file.genre for file in files}
    }
    notes = [f"{gone} scored files are gone or cannot be read"] if gone else []
    if (left := len(files) - sum(file.uri in {row["uri"] for row in rows} for file in files)) and opened == most:
        notes.append(f"{most} of the scored files were opened, those with the highest scores; {left} were not, or are "
                     "songs of the store")  # fmt: skip
    return _extended(songs, rows, recordings, artists), by_genre, tuple(notes)


def _extended(songs: Songs, rows: list[dict[str, object]], recordings: list[int], artists: list[str | None]) -> Songs:
    if not rows:
        return songs
    keys = dict(songs.artist_keys)
    for key in artists:
        if key is not None:
            keys.setdefault(key, len(keys))
    performer = np.array([-1 if key is None else keys[key] for key in artists], dtype=np.int64)
    new = np.arange(len(songs), len(songs) + len(rows))
    credited = np.column_stack([new, performer])[performer >= 0]
    unknown = np.full(len(rows), np.nan)
    nothing = np.full((len(rows), songs.vectors.shape[1]), np.nan, dtype=np.float32)
    more = pd.DataFrame(rows, columns=list(songs.facts.columns)).astype({"seconds": np.float64})
    objects = {name: object for name in songs.facts.columns if name != "seconds"}
    return replace(
        songs,
        facts=pd.concat([songs.facts.astype(objects), more.astype(objects)], ignore_index=True),
        vectors=np.vstack([songs.vectors, nothing]),
        recording=np.concatenate([songs.recording, np.array(recordings, dtype=np.int64)]),
        performer=np.concatenate([songs.performer, performer]),
        credits=np.vstack([songs.credits, credited]),
        artist_keys=keys,
        tempo=np.concatenate([songs.tempo, unknown]),
        key=np.concatenate([songs.key, unknown]),
        minor=np.concatenate([songs.minor, unknown]),
        loudness=np.concatenate([songs.loudness, unknown]),
        energy=np.concatenate([songs.energy, unknown]),
    )


def _hear(uri: str) -> _Heard | None:
    """SHA-256 and tags of a file; None if it cannot be read."""
    path = _path(uri)
    if path is None:
        return None
    try:
        with open_file(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            tags = _tags(file)
    except (OSError, ClipError, ValueError):
        return None
    isrc = next(filter(None, map(clean_isrc, tags.get("isrc", []))), None)
    title = tags["title"][0] if tags.get("title") else None
    return _Heard(digest, title, "; ".join(tags.get("artist", [])) or None, isrc)


def _tags(file: BinaryIO) -> dict[str, list[str]]:
    try:
        file.seek(0)
        return dict(read_tags(file, probe(file).mime))
    except (ClipError, OSError, ValueError, ImportError):
        return {}


def _path(uri: str) -> bytes | None:
    try:
        return uri_to_path(uri)
    except ValueError:
        return None


def _name(uri: str) -> str:
    return (_path(uri) or b"").rpartition(b"/")[2].decode("utf-8", "replace")


def _arrays(pairs: list[tuple[int, float]]) -> tuple[Ints, Floats]:
    return np.array([row for row, _ in pairs], dtype=np.int64), np.array([one for _, one in pairs], dtype=np.float64)
