"""Import saved audio analyses: JSON files in the format of Spotify's Web API until 2024.

[spotify] analysis_path is a file or a folder of files, each named after its track's id (<id>.json). Unchanged files are
not imported again. A file that is not an analysis is written to quarantine.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError, InputError, Reason
from genreatlas.sources.json_values import UnexpectedBody, encodable
from genreatlas.sources.spotify.analysis import is_track_id, read_analysis_file
from genreatlas.sources.spotify.song_rows import song_id
from genreatlas.store import Store
from genreatlas.tables import QUARANTINE, SPOTIFY_AUDIO_ANALYSIS
from genreatlas.values import Row

STEP = "import_analyses"
READS = ("spotify_audio_analysis", "quarantine")
WRITES = ("spotify_audio_analysis", "quarantine")
SECTIONS = ("spotify",)
check = checks.import_analyses

#: Files per commit: an analysis has about 100 KB of intervals and timbres.
_CHUNK = 200


def run(store: Store, config: Config) -> Counts:
    """Import the configured files.

    Raises
    ------
    ConfigError : no path is configured.
    InputError : the path has no JSON files.
    """
    path = config.spotify.analysis_path
    if path is None:
        raise ConfigError("[spotify] analysis_path is not set. Give a file or a folder of saved analyses.")
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    if not files:
        raise InputError(f"{path}: no saved analyses (*.json) are here. Set spotify.analysis_path to their folder.")
    known = {row[0] for row in store.read(SPOTIFY_AUDIO_ANALYSIS).select("source").collect()}
    refused = store.read(QUARANTINE).where(f"stage = '{STEP}'").select("key", "version").collect()
    known |= {f"{row['key']} ({row['version']})" for row in refused}
    pending = [
        (file, name, digest) for file, name, digest in _digests(path, files) if f"{name} ({digest})" not in known
    ]
    counts = Counts()
    for start in range(0, len(pending), _CHUNK):
        counts += _import(store, pending[start : start + _CHUNK])
    return counts


def _digests(path: Path, files: list[Path]) -> Iterator[tuple[Path, str, str]]:
    """Each file with its name below the folder and the hash of its bytes."""
    for file in files:
        name = encodable(str(file.relative_to(path)) if file != path else file.name)
        try:
            yield file, name, hashlib.sha256(file.read_bytes()).hexdigest()[:20]
        except OSError as error:
            yield file, name, f"unreadable: {error.strerror}"


def _import(store: Store, files: list[tuple[Path, str, str]]) -> Counts:
    rows: dict[str, Row] = {}
    bad = []
    for file, name, digest in files:
        try:
            key, row = read_analysis_file(file)
        except (UnexpectedBody, OSError) as error:
            reason = Reason.BAD_VALUE if isinstance(error, UnexpectedBody) else Reason.UNREADABLE
            told = {"stage": STEP, "key": name, "version": digest, "reason": reason.value, "detail": f"{name}: {error}"}
            bad.append(told | {"path": name, "run_id": store.run_id, "at": datetime.now(UTC)})
            continue
        named = {"track_key": key, "song_id": song_id(key) if is_track_id(key) else None}
        rows[key] = named | {"source": f"{name} ({digest})"} | row
    store.upsert(SPOTIFY_AUDIO_ANALYSIS, rows.values(), update=True)
    store.upsert(QUARANTINE, bad)
    return Counts(read=len(files), written=len(files) - len(bad), failed=len(bad))
