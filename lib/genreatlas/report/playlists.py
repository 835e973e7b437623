"""Playlists for the report: the songs of one playlist, and links to the files of all."""

import os
from pathlib import Path
from urllib.parse import quote

from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.playlists.files import file_name
from genreatlas.report.data import Playlist
from genreatlas.report.number_formats import missing
from genreatlas.store import Reader
from genreatlas.tables import GENERATED_PLAYLIST_SONGS, GENERATED_PLAYLISTS, SONGS
from genreatlas.values import Row

#: Input tables: the section is outdated when one of their versions changes.
INPUTS = (GENERATED_PLAYLISTS, GENERATED_PLAYLIST_SONGS)
_MOST_SONGS = 40
_MOST_PLAYLISTS = 30


def called(artist: object, title: object, song_id: object) -> str:
    """Artist and title in one line."""
    return " – ".join(str(part) for part in (artist, title) if not missing(part)) or str(song_id)


def read_playlists(store: Reader, config: Config) -> list[Playlist]:
    """The newest playlist of each name; those of configured recipes come first."""
    rows = store.read(GENERATED_PLAYLISTS).select("playlist_id", "name", "sequence", "n_songs", "seconds", "notes")
    newest = rows.toPandas().sort_values("sequence").drop_duplicates("name", keep="last")
    wanted = [recipe.name for recipe in config.playlist.recipes]
    order = sorted(newest["name"], key=lambda name: (wanted.index(name) if name in wanted else len(wanted), name))
    found: list[Playlist] = []
    for name in order[:_MOST_PLAYLISTS]:
        row = newest[newest["name"] == name].iloc[0]
        found.append(
            Playlist(
                name,
                int(row["n_songs"]),
                None if missing(row["seconds"]) else float(row["seconds"]),
                _links(config, name),
                () if found else _songs(store, row["playlist_id"]),
                () if missing(row["notes"]) else tuple(map(str, row["notes"])),
            )
        )
    return found


def _songs(store: Reader, playlist_id: str) -> list[Row]:
    rows = store.read(GENERATED_PLAYLIST_SONGS).where(F.col("playlist_id") == playlist_id)
    named = store.read(SONGS).select("song_id", "title", "artist")
    rows = rows.where(F.col("position") <= _MOST_SONGS).join(named, "song_id", "left").orderBy("position")
    columns = ("position", "song_id", "title", "artist", "reason", "seconds")
    return [
        {
            "position": row["position"],
            "called": called(row["artist"], row["title"], row["song_id"]),
            "reason": row["reason"],
            "seconds": row["seconds"],
        }
        for row in rows.select(*columns).collect()
    ]


def _links(config: Config, name: str) -> list[tuple[str, str]]:
    """Format and relative address (from the report) of the existing files of a playlist."""
    folder, report = config.playlist.path.absolute(), config.report.path.absolute()
    files = [(kind, folder / f"{file_name(name)}.{kind}") for kind in config.playlist.formats]
    return [(kind, quote(Path(os.path.relpath(file, report)).as_posix())) for kind, file in files if file.is_file()]
