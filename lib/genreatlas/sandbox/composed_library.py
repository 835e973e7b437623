"""Write a composed library: missing files only, in parallel, atomically, with a ground truth file per song.

The ground truth is used to evaluate features and beat trackers.
"""

import csv
import io
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import repeat
from pathlib import Path

from genreatlas.config.sections import SandboxSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox.artists import make_guest
from genreatlas.sandbox.composed_genres import GENRES
from genreatlas.sandbox.composing import Note, Score, compose
from genreatlas.sandbox.files import broken_bytes, encode
from genreatlas.sandbox.instruments import BANDS, RATE
from genreatlas.sandbox.library_plan import LICENCE, PlannedFile, plan_artist, plan_library
from genreatlas.sandbox.mixing import render
from genreatlas.sandbox.style import PITCH_CLASSES, Artist
from genreatlas.values import JsonObject

# Version of the composer. Increase it when the same configuration yields different audio.
VERSION = 3
_MANIFEST_COLUMNS = ("path", "genre", "song", "artist", "title", "album", "licence")

_ROLE_BANDS = {"bass": "low", "comp": "mid", "pad": "mid", "lead": "high"}


def truth_folder(path: Path) -> Path:
    """Return the folder of a library's ground truth: next to its folder, which then contains audio only."""
    return path.with_name(f"{path.name}-truth")


def truth_path(path: Path, file: PlannedFile | str) -> Path:
    """Return the path of the ground truth file of a song of the library in `path`."""
    relative = file if isinstance(file, str) else file.path
    return (truth_folder(path) / relative).with_suffix(".json")


def write_library(section: SandboxSection, workers: int | None = None) -> int:
    """Write all missing files of the library with their ground truth, and ``manifest.csv``.

    Layout: ``<path>/<genre>/<artist> - <title>.mp3``, ``<path>/manifest.csv`` (path, genre, song, artist,
    title, album, licence; several genres are separated by ``;``), and under ``<path>-truth`` one JSON
    file per song (see :func:`truth`) and ``world.json`` with the configuration of the library.

    Parameters
    ----------
    section : configuration and folder of the library.
    workers : number of processes; None: one per core. The files do not depend on it.

    Returns
    -------
    Number of files written.

    Raises
    ------
    ConfigError
        When the folder contains another library, or other files.
    """
    files = plan_library(section)
    _claim(section)
    missing = [file for file in files if not _is_there(section, file)]
    # A worker takes a second to start, about the time to compose one song.
    workers = min(workers or _cores(), len(missing) // 4)
    if workers > 1:
        # Spawned, because a fork would copy locks held by other threads of this process (such as a JVM gateway).
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
            # An artist's songs share cached drum hits and reverb, so one worker composes them.
            list(pool.map(_write_file, repeat(section), missing, chunksize=section.songs_per_artist))
    else:
        for file in missing:
            _write_file(section, file)
    _write_if_new(section.path / "manifest.csv", _manifest(files))
    return len(missing)


def compose_file(section: SandboxSection, file: PlannedFile) -> Score:
    """Compose the song of a planned file without fault."""
    artist = _artist(section, file.genres, file.artist_number)
    return compose(artist, section.seed, file.number, section.seconds)


def truth(score: Score, seconds: float) -> JsonObject:
    """Return the ground truth of a song as JSON values.

    Times are in seconds from the first decoded sample. Keys: ``tempo`` (beats per minute, mean over the clip;
    in 6/8 a beat is a dotted quarter), ``metre``, ``beats_per_bar``, ``beats``, ``downbeats``, ``swing``
    (``ratio`` of the long to the short step, 1 is straight, and the swung ``unit``), ``key``
    (``name`` such as ``Eb:minor``, ``tonic``, ``mode``), ``chords`` (start, end, name after Harte et al. 2005)
    and ``onsets`` as columns of equal length: ``time``, ``voice`` (drum piece, or bass, comp, lead, pad),
    ``band`` (low, mid, high), ``pitch_class`` (0 is C; null for drums), ``attack`` (seconds from the
    onset to full level) and ``velocity`` (0 … 1).

    Parameters
    ----------
    score : the song.
    seconds : length of the clip.
    """
    clock, metre = score.clock, score.clock.groove.metre
    beats = clock.beats[clock.beats < seconds]
    return {
        "seconds": seconds,
        "sample_rate": RATE,
        "tempo": round(60.0 * (len(beats) - 1) / float(beats[-1] - beats[0]), 4),
        "metre": metre.name,
        "beats_per_bar": metre.beats,
        "beats": [_round(time) for time in beats],
        "downbeats": [_round(time) for time in beats[:: metre.beats]],
        "swing": {"ratio": round(clock.swing, 4), "unit": clock.groove.swung},
        "key": {"name": score.key.name, "tonic": PITCH_CLASSES[score.key.tonic], "mode": score.key.mode},
        "chords": [
            {"start": _round(start), "end": _round(end), "name": chord.name} for start, end, chord in score.chords
        ],
        "onsets": {
            "time": [_round(round(note.time * RATE) / RATE) for note in score.notes],
            "voice": [note.piece or note.role for note in score.notes],
            "band": [BANDS.get(note.piece) or _ROLE_BANDS[note.role] for note in score.notes],
            "pitch_class": [None if note.pitch is None else note.pitch % 12 for note in score.notes],
            "attack": [_attack(score, note) for note in score.notes],
            "velocity": [round(min(note.velocity, 1.0), 3) for note in score.notes],
        },
    }


def to_json(values: JsonObject) -> bytes:
    """Serialise a ground truth file with sorted keys, so that equal songs have equal bytes."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@lru_cache(maxsize=64)
def _artist(section: SandboxSection, genres: tuple[str, ...], number: int) -> Artist:
    if len(genres) == 1:
        return plan_artist(section, genres[0], number)
    return make_guest(section.seed, GENRES[genres[0]], GENRES[genres[1]], number)


def _claim(section: SandboxSection) -> None:
    """Write the library's configuration to ``world.json``, or raise ConfigError if the folder has other content."""
    composed_from = section.model_dump(mode="json", exclude={"path"}) | {"version": VERSION}
    world = truth_folder(section.path) / "world.json"
    if world.exists():
        # Older libraries have no entry for the choice of sounds.
        found = {"sounds": "own"} | json.loads(world.read_text(encoding="utf-8"))
        different = sorted(key for key in composed_from if found.get(key) != composed_from[key])
        if different:
            key = different[0]
            raise ConfigError(
                f"{section.path} holds a library composed with {key} = {found.get(key)!r}, not {composed_from[key]!r}. "
                f"Set sandbox.path to another folder, or delete {section.path} and {world.parent}."
            )
    elif section.path.exists() and any(section.path.iterdir()):
        raise ConfigError(f"{section.path} holds files that were not composed. Set sandbox.path to another folder.")
    else:
        _write_if_new(world, json.dumps(composed_from, indent=2, sort_keys=True).encode() + b"\n")


def _is_there(section: SandboxSection, file: PlannedFile) -> bool:
    audio = section.path / file.path
    return audio.exists() and (file.fault is not None or truth_path(section.path, file).exists())


def _write_file(section: SandboxSection, file: PlannedFile) -> None:
    tags: dict[str, str | list[str]] = {
        "TIT2": file.title,
        "TPE1": file.artist,
        "TPE2": file.artist,
        "TALB": file.album,
        "TCON": list(file.genres),
        "TCOP": LICENCE,
    }
    if file.fault is not None:
        _replace(section.path / file.path, broken_bytes(file.fault, tags, section.seconds))
        return
    score = compose_file(section, file)
    _replace(truth_path(section.path, file), to_json({"song": file.song, **truth(score, section.seconds)}))
    _replace(section.path / file.path, encode(render(score, section.seconds), tags))


def _manifest(files: list[PlannedFile]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_MANIFEST_COLUMNS)
    for file in files:
        writer.writerow((file.path, ";".join(file.genres), file.song, file.artist, file.title, file.album, LICENCE))
    return text.getvalue().encode()


def _write_if_new(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically by renaming, so that a killed run leaves no incomplete file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _attack(score: Score, note: Note) -> float:
    return 0.0 if note.pitch is None else round(score.artist.voices[note.role].attack, 4)


def _round(time: float) -> float:
    return round(float(time), 6)
