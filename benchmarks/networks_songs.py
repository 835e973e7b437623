"""Songs for the evaluation of networks, and their features: composed, rendered from MIDI, or real clips.

Features of a clip are stored in one file below data/networks; composed audio is deleted after extraction.
"""

import csv
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from genreatlas.audio.feature_sets import get_feature_set
from genreatlas.audio.frames import quantise
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.worker import extract_clip
from genreatlas.config import ClipSection, SandboxSection
from genreatlas.datasets.clip_files import INDEX
from genreatlas.models.engines.task_fits import MatrixFiles
from genreatlas.sandbox import plan_library
from genreatlas.sandbox.composed_library import compose_file, truth
from genreatlas.sandbox.files import encode
from genreatlas.sandbox.library_plan import PlannedFile
from genreatlas.sandbox.mixing import render

ROOT = Path(__file__).parents[1]
WORK = ROOT / "data" / "networks"

#: Hand-made feature sets with one row per clip; sets with sequences of rows.
HAND = ("summary9", "gtzan57", "mfcc_cov", "groove", "tonality")
SEQUENCES = ("timbre_pitch", "rhythm_notes", "groove_bars", "mel128")


@dataclass(frozen=True)
class Clip:
    """A clip and its source: a file, or a song to be composed with the configuration ``section``."""

    name: str
    genre: str
    song: str
    group: str
    path: str = ""
    section: SandboxSection | None = None
    planned: PlannedFile | None = None


@dataclass
class Collection:
    """Clips with their features.

    Attributes
    ----------
    y, song, group : (n_clips,) indices of genre, song and group; a group is never in both training and test data.
    values : values (n_rows, n_features) of each clip, by feature set.
    """

    name: str
    genres: tuple[str, ...]
    y: np.ndarray
    song: np.ndarray
    group: np.ndarray
    values: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def hand(self, sets: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        """Matrix of joined feature sets, and its column names, which begin with the name of the set."""
        X = np.concatenate([np.stack([one[0] for one in self.values[name]]) for name in sets], axis=1)
        columns = [f"{name}_{feature.name}" for name in sets for feature in get_feature_set(name).features]
        return X.astype(np.float32), columns

    def files(self, set_name: str, fold: np.ndarray, folder: Path, changed: Callable | None = None) -> MatrixFiles:
        """Write shards of a set in the format of the Spark workers, and the arrays of the matrix.

        Parameters
        ----------
        set_name : name of the feature set.
        fold : (n_clips,) fold of each clip.
        folder : output folder.
        changed : function applied to each clip's index and values; None for no change.
        """
        known = get_feature_set(set_name)
        values = [np.asarray(one, np.float32) for one in self.values[set_name]]
        values = [changed(number, one) for number, one in enumerate(values)] if changed else values
        lengths = [len(one) for one in values]
        arrays: dict[str, Any] = {"offsets": np.concatenate([[0], np.cumsum(lengths)])}
        if get_layout(known.axis).in_order and known.axis == "quantised":
            packed = [quantise(one) for one in values]
            arrays |= {"lowest": np.array([p[0] for p in packed]), "step": np.array([p[1] for p in packed])}
            arrays["values"] = np.concatenate([np.frombuffer(p[2], np.uint8) for p in packed])
            arrays["values"] = arrays["values"].reshape(-1, len(known.features))
        else:
            arrays["values"] = np.concatenate(values)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "train-00000.npz", **arrays)
        hop = known.hop_s if get_layout(known.axis).timed else None
        index = {"files": ["train-00000.npz"], "features": [one.name for one in known.features], "hop_s": hop}
        (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
        n = len(values)
        places = np.stack([np.zeros(n, np.int64), np.arange(n), np.array(lengths, np.int64)], axis=1)
        columns = {"X": places, "y": self.y.astype(np.int32), "fold": fold.astype(np.int16),
                   "song": self.song.astype(np.int32), "group": self.group.astype(np.int32),
                   "weight": np.ones(n, np.float32)}  # fmt: skip
        for name, array in columns.items():
            np.save(folder / f"clips-{name}.npy", array)
        return MatrixFiles("clips", len(self.genres), False, str(folder), sequences=str(folder))


def composed(section: SandboxSection, artists: Iterable[int]) -> list[Clip]:
    """Songs of some artists of each genre of a composed library, without songs of two genres."""
    wanted = set(artists)
    return [
        Clip(file.path, file.genres[0], file.song, f"{file.genres[0]} {file.artist}", section=section, planned=file)
        for file in plan_library(section)
        if file.artist_number in wanted and len(file.genres) == 1
    ]


def midi5(data: Path) -> list[Clip]:
    """Clips rendered from MIDI; each song is its own group."""
    clips = ROOT / "data" / "results" / "midi5" / "clips"
    if not (clips / "manifest.csv").exists():
        subprocess.run(["bash", str(data / "midi5" / "render.sh"), str(clips)], check=True)
    return _listed(clips)


def game_music(data: Path) -> list[Clip]:
    """Clips of free game music; a song has several clips, which form a group."""
    return _listed(data / "music")


def _listed(folder: Path) -> list[Clip]:
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [Clip(row["path"], row["genre"], row["song"], row["song"], str(folder / row["path"])) for row in rows]


def collect(
    name: str, clips: Sequence[Clip], sets: Sequence[str], processes: int, until: float = float("inf")
) -> Collection | None:
    """Features of clips, extracted if not stored; None if the time limit was reached before the end.

    Parameters
    ----------
    name : name of the collection.
    clips : the clips.
    sets : names of feature sets.
    processes : number of processes.
    until : time limit on the monotonic clock.
    """
    folder = WORK / "features" / name
    missing = [clip for clip in clips if not _kept(folder, clip, sets)]
    if missing:
        tasks = [missing[at : at + 4] for at in range(0, len(missing), 4)]
        with ProcessPoolExecutor(processes) as pool:
            work = partial(_extract, folder=folder, sets=tuple(sets), until=until)
            done = 0
            for number, n in enumerate(pool.map(work, tasks), 1):
                done += n
                if number % 10 == 0 or number == len(tasks):
                    print(f"{name}: features of {done} of {len(missing)} clips", flush=True)
        if not all(_kept(folder, clip, sets) for clip in clips):
            return None
    found = numbered(name, clips)
    for one in sets:
        found.values[one] = [np.load(_file(folder, clip, one)) for clip in clips]
    return found


def numbered(name: str, clips: Sequence[Clip]) -> Collection:
    """A collection of clips without features."""
    genres = tuple(sorted({clip.genre for clip in clips}))
    numbers = {one: {value: n for n, value in enumerate(sorted({getattr(clip, one) for clip in clips}))}
               for one in ("song", "group")}  # fmt: skip
    return Collection(
        name,
        genres,
        np.array([genres.index(clip.genre) for clip in clips]),
        np.array([numbers["song"][clip.song] for clip in clips]),
        np.array([numbers["group"][clip.group] for clip in clips]),
    )


def composed_notes(clip: Clip) -> np.ndarray:
    """The composed notes of a song, (n, 5) with the columns of ``rhythm_notes``.

    As no detection is involved, scores on these notes are an upper bound for notes detected in audio. Notes of one band
    within 20 ms are merged.
    """
    assert clip.section is not None and clip.planned is not None
    told = truth(compose_file(clip.section, clip.planned), clip.section.seconds)
    onsets, beats = told["onsets"], np.array(told["beats"])
    time_ = np.array(onsets["time"])
    phase = np.interp(time_, beats, np.arange(len(beats)), left=np.nan, right=np.nan) % 1.0
    pitch = [np.nan if one is None else float(one) for one in onsets["pitch_class"]]
    band = np.array([("low", "mid", "high").index(one) for one in onsets["band"]], dtype=float)
    rows = np.stack([time_, phase, np.array(onsets["velocity"]), band, np.array(pitch)], axis=1)
    slot = np.rint(rows[:, 0] / 0.02)
    order = np.lexsort((rows[:, 3], slot))
    key = (slot * 3 + rows[:, 3])[order]
    return rows[order][np.diff(key, prepend=key[:1] - 1) != 0].astype(np.float32)


def _file(folder: Path, clip: Clip, set_name: str) -> Path:
    version = get_feature_set(set_name).version
    return folder / f"{clip.name.replace('/', '__')}-{set_name}-{version}.npy"


def _kept(folder: Path, clip: Clip, sets: Sequence[str]) -> bool:
    return all(_file(folder, clip, name).exists() for name in sets)


def _extract(clips: Sequence[Clip], folder: Path, sets: Sequence[str], until: float) -> int:
    """Extract clips until the time limit; return the number of extracted clips."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(clips):
        if time.monotonic() > until:
            return number
        if clip.section is None or clip.planned is None:
            _keep(clip, clip.path, folder, sets)
            continue
        with tempfile.NamedTemporaryFile(suffix=".mp3") as audio:
            seconds = clip.section.seconds
            audio.write(encode(render(compose_file(clip.section, clip.planned), seconds), {}))
            audio.flush()
            _keep(clip, audio.name, folder, sets)
    return len(clips)


def _keep(clip: Clip, path: str, folder: Path, sets: Sequence[str]) -> None:
    wanted = [get_feature_set(name) for name in sets]
    found = {one.feature_set: one for one in extract_clip(path, 0.0, 30.0, ClipSection(), wanted)}
    for one in wanted:
        values = np.asarray(get_layout(one.axis).unpack(found[one.name]))
        file = _file(folder, clip, one.name)
        partly = file.with_suffix(".part.npy")
        np.save(partly, values.astype(np.float16 if one.axis == "quantised" else np.float32))
        partly.replace(file)
