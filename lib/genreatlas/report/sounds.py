"""Read and decode the few clips that the report draws and plays.

Reports are passed on, so they must contain only imported audio: a stored path is opened once, and its bytes are
compared with the hash that was stored by the import. A file with other bytes, or a link to one, is left out.
"""

import base64
import hashlib
import io
import os
import re
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import soundfile
from pyspark.sql import functions as F

from genreatlas.audio.decode import read_clip, resample
from genreatlas.audio.probe import open_file, probe
from genreatlas.audio.uris import FETCHED, uri_to_path
from genreatlas.errors import ClipError, Reason
from genreatlas.report.data import Player, Sound
from genreatlas.report.number_formats import missing
from genreatlas.store import Reader
from genreatlas.tables import CLIP_AUDIO

#: Columns of ``clips`` that identify a row of ``clip_audio``.
AUDIO_KEYS = ("ingest_batch", "sha256", "provider")

#: Media types that all browsers play.
PLAYED = ("audio/mpeg", "audio/wav", "audio/flac", "audio/ogg")
#: Maximum size in bytes of a file of these types that is embedded unchanged.
_MOST_BYTES = 1_000_000
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_GONE = "the file cannot be opened from here"
_DROPPED = "its audio was fetched and is no longer kept"
_CHANGED = "the file is no longer the one that was imported"
_DIGEST = re.compile(r"[0-9a-f]{64}")

#: Size in bytes above which files are hashed and decoded from disk instead of memory.
_IN_MEMORY = 256 << 20


def with_audio(store: Reader, clips: pd.DataFrame) -> pd.DataFrame:
    """Add a column ``audio`` with the bytes of fetched clips; None for files and deleted audio.

    Parameters
    ----------
    store : the store.
    clips : uri and :data:`AUDIO_KEYS`, None for songs without a clip.
    """
    if clips.empty or not store.exists(CLIP_AUDIO):
        return clips.assign(audio=None)
    fetched = clips[clips["uri"].astype("string").str.startswith(FETCHED).fillna(False).astype(bool)]
    rows = store.read(CLIP_AUDIO).where(
        F.col("ingest_batch").isin(sorted(set(fetched["ingest_batch"])))
        & F.col("sha256").isin(sorted(set(fetched["sha256"])))
    )
    held = {tuple(row[key] for key in AUDIO_KEYS): bytes(row["audio"]) for row in rows.collect()}
    keys = clips[list(AUDIO_KEYS)].itertuples(index=False, name=None)
    return clips.assign(audio=pd.Series([held.get(key) for key in keys], index=clips.index, dtype=object))


def sound(row: pd.Series) -> Sound:
    """Decode one clip; for a missing or broken file, ``problem`` is set and ``samples`` is None.

    Parameters
    ----------
    row : genre_id, song_id, title, path, uri, start_s, length_s; ``audio`` as in :func:`player`.
    """
    title = _title(row)
    try:
        signal = read_clip(_source(row), row["start_s"], row["length_s"])
    except (ClipError, OSError, ValueError) as error:
        changed = isinstance(error, ClipError) and error.reason is Reason.AUDIO_CHANGED
        problem = _CHANGED if changed else f"{_GONE} ({error})" if isinstance(error, ClipError) else _gone(row)
        return Sound(row["genre_id"], row["song_id"], title, None, 0, float(row["start_s"]), problem)
    return Sound(row["genre_id"], row["song_id"], title, signal.samples, signal.sample_rate, float(row["start_s"]))


def player(row: pd.Series) -> Player:
    """Audio of one clip as a data URI: the file itself if it is small and the clip covers it, otherwise an MP3.

    Parameters
    ----------
    row : song_id, uri, start_s, length_s, duration_s, mime, bytes, sha256; uri is NULL if a song has no clip.
        ``audio`` has the bytes of a fetched clip; it may be missing.
    """
    song_id = str(row["song_id"])
    if missing(row["uri"]):
        return Player(song_id, problem="there is no clip of it")
    try:
        source = _source(row)
        whole = row["length_s"] >= 0.95 * row["duration_s"]
        mime = probe(source).mime  # detected from the content; raises if it is not audio
        if whole and row["bytes"] <= _MOST_BYTES and mime in PLAYED:
            source.seek(0)
            content = source.read(_MOST_BYTES + 1)
            if len(content) <= _MOST_BYTES:
                return Player(song_id, _data_uri(content, mime))
        signal = read_clip(source, row["start_s"], row["length_s"])
        return Player(song_id, _data_uri(as_mp3(signal.samples, signal.sample_rate), "audio/mpeg"))
    except ClipError as error:
        return Player(song_id, problem=_CHANGED if error.reason is Reason.AUDIO_CHANGED else _gone(row))
    except (OSError, ValueError):
        return Player(song_id, problem=_gone(row))


def _source(row: pd.Series) -> BinaryIO:
    """The fetched bytes, or the file if its bytes are unchanged since the import.

    Links are followed, as in the import: the target must have the same hash.

    Raises
    ------
    ClipError : the file is missing, is not a regular file, or has other bytes.
    """
    audio = row.get("audio")
    if isinstance(audio, bytes | bytearray):
        return io.BytesIO(audio)
    known = str(row.get("sha256") or "")
    with open_file(uri_to_path(row["uri"])) as file:
        size = os.fstat(file.fileno()).st_size
        if _DIGEST.fullmatch(known) and size != row["bytes"]:
            raise ClipError(Reason.AUDIO_CHANGED, _CHANGED)
        if size <= _IN_MEMORY:
            content = file.read(_IN_MEMORY + 1)
            found, source = hashlib.sha256(content).hexdigest(), io.BytesIO(content)
        else:
            found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            source = os.fdopen(os.dup(file.fileno()), "rb")  # type: ignore[assignment]
    if _DIGEST.fullmatch(known) and found != known:
        raise ClipError(Reason.AUDIO_CHANGED, _CHANGED)
    return source


def _gone(row: pd.Series) -> str:
    return _DROPPED if str(row["uri"]).startswith(FETCHED) else _GONE


def as_mp3(samples: np.ndarray, sample_rate: int) -> bytes:
    """Encode (n,) mono samples as MP3; samples above full scale are clipped, unsupported rates become 44.1 kHz."""
    rate = sample_rate if sample_rate in _MP3_RATES else 44100
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(resample(samples, sample_rate, rate), -1.0, 1.0), rate, format="MP3")
    return buffer.getvalue()


def _data_uri(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def _title(row: Any) -> str:
    return next((str(row[name]) for name in ("title", "path", "song_id") if not missing(row[name])), "")
