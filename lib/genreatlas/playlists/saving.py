"""Lines of files for generated playlists, and saved clips for songs without a local file."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genreatlas.playlists.files import Line
from genreatlas.playlists.making import Playlist
from genreatlas.playlists.music import Songs, camelot
from genreatlas.playlists.reading import Found, file_of

_ENDINGS = {"audio/mpeg": "mp3", "audio/flac": "flac", "audio/ogg": "ogg", "audio/wav": "wav", "audio/x-wav": "wav"}
_SAFE = re.compile(r"[0-9A-Za-z_-]{1,64}")
#: Folder of saved clips, in the folder of the playlists.
CLIPS = "clips"


def lines(found: Found, playlist: Playlist, saved: Mapping[int, Path]) -> list[Line]:
    """Lines of a playlist's files.

    Parameters
    ----------
    found : songs and clips.
    playlist : generated playlist.
    saved : files of saved clips, by row of the song.
    """
    songs = found.songs
    made = []
    for entry in playlist.entries:
        fact = songs.facts.iloc[entry.row]
        path = file_of(fact["uri"])
        played: object = fact["seconds"]
        if path is None and entry.row in saved:
            path = os.fsencode(saved[entry.row].absolute())
        if path is not None and entry.row in found.clips.index:
            played = found.clips.loc[entry.row, "duration_s"]
        spotify = fact["spotify_id"]
        made.append(
            Line(
                path=path,
                link=f"https://open.spotify.com/track/{spotify}" if isinstance(spotify, str) else "",
                title=_text(fact["title"]),
                artist=_text(fact["artist"]),
                album=_text(fact["album"]),
                reason=entry.reason,
                seconds=_number(played),
                song_id=str(fact["song_id"]),
                isrc=_text(fact["isrc"]),
                facts=_facts(songs, entry.row),
            )
        )
    return made


def without_file(found: Found, playlists: Sequence[Playlist]) -> list[int]:
    """Rows of the playlists' songs that have a clip but no file on this machine."""
    rows = sorted({entry.row for playlist in playlists for entry in playlist.entries})
    return [row for row in rows if row in found.clips.index and file_of(found.songs.facts["uri"].iloc[row]) is None]


def save_clips(folder: Path, clips: pd.DataFrame) -> dict[int, Path]:
    """Write fetched clips that do not exist yet as files.

    Parameters
    ----------
    folder : folder of the playlists.
    clips : clip_id, mime and ``audio`` (None if the bytes were purged), indexed by row of the song.

    Returns
    -------
    Path of each clip by row of the song.
    """
    made: dict[int, Path] = {}
    for row, clip in clips.iterrows():
        audio, ending = clip["audio"], _ENDINGS.get(str(clip["mime"]))
        if not isinstance(audio, bytes | bytearray) or ending is None or not _SAFE.fullmatch(str(clip["clip_id"])):
            continue
        target = folder / CLIPS / f"{clip['clip_id']}.{ending}"
        if not target.is_file() or target.stat().st_size != len(audio):
            target.parent.mkdir(parents=True, exist_ok=True)
            partly = target.with_name(f".{target.name}.part")
            partly.write_bytes(audio)
            partly.replace(target)
        made[int(str(row))] = target
    return made


def _facts(songs: Songs, row: int) -> tuple[tuple[str, str], ...]:
    tempo, loudness = _number(songs.tempo[row]), _number(songs.loudness[row])
    return (
        ("tempo", "" if tempo is None else f"{tempo:.1f}"),
        ("camelot", camelot(songs.key[row], songs.minor[row]) or ""),
        ("loudness", "" if loudness is None else f"{loudness:.1f}"),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | np.number) and np.isfinite(float(value)) else None
