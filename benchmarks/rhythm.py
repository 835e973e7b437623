"""Evaluate rhythm, onsets and key on songs with known ground truth: ``make rhythm``.

Composes songs (several seeds, every genre), runs the package's trackers and librosa's on the same samples, and compares
both with the composer's ground truth by mir_eval. Writes ``benchmarks/rhythm.json``, ``docs/rhythm.md`` between its
markers, and ``docs/images/rhythm.svg``.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

import librosa
import mir_eval
import numpy as np
from page import machine_line
from rhythm_page import picture, write_page

from genreatlas.audio.decode import read_clip, resample
from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.frames import SAMPLE_RATE
from genreatlas.audio.pitch import key, profile_fits
from genreatlas.config.sections import SandboxSection
from genreatlas.sandbox import plan_library, write_library
from genreatlas.sandbox.composed_library import truth_path

ROOT = Path(__file__).parents[1]
#: A tempo within 4 % of the truth is correct; Acc2 also accepts these factors.
_TOLERANCE, _OCTAVES = 0.04, (1.0, 2.0, 0.5, 3.0, 1 / 3)
#: Composed notes closer than this are merged to one onset. [s]
_TOGETHER = 0.03
#: Nearest mode of mir_eval (major or minor) by mode.
_MODES = {"major": "major", "minor": "minor", "dorian": "minor", "phrygian": "minor", "mixolydian": "major",
          "lydian": "major"}  # fmt: skip
#: Names of pitch classes in mir_eval.
_SPELLED = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}


def main() -> int:
    """Compose and evaluate songs, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("data/bench/rhythm"), help="folder for composed songs")
    parser.add_argument("--seeds", type=int, nargs="*", default=[11, 12], help="seeds of the songs")
    parser.add_argument("--artists", type=int, default=2, help="artists per genre and seed, with two songs each")
    arguments = parser.parse_args()
    songs = []
    for seed in arguments.seeds:
        section = SandboxSection(
            path=arguments.work / f"seed-{seed}", seed=seed, artists_per_genre=arguments.artists, songs_per_artist=2,
            broken_files=False,
        )  # fmt: skip
        write_library(section)
        for file in plan_library(section):
            truth = json.loads(truth_path(section.path, file).read_text(encoding="utf-8"))
            songs.append(
                {"genre": file.genres[0], "song": file.song, "seed": seed} | judge(section.path / file.path, truth)
            )
            print(f"\r{len(songs)} songs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    found = {
        "machine": machine_line(),
        "seeds": arguments.seeds,
        "songs": len(songs),
        "all": means(songs),
        "genres": {g: means([s for s in songs if s["genre"] == g]) for g in sorted({s["genre"] for s in songs})},
        "better": {name: sign(songs, name) for name in ("beat_f", "onset_f", "key_score")},
    }
    (ROOT / "benchmarks" / "rhythm.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    picture(songs, ROOT / "docs" / "images" / "rhythm.svg")
    write_page(found, ROOT / "docs" / "rhythm.md")
    return 0


def judge(path: Path, truth: dict) -> dict[str, float]:
    """Scores of one song, for the package and for librosa."""
    signal = read_clip(str(path))
    samples = resample(signal.samples, signal.sample_rate, SAMPLE_RATE)
    ours = FAST_GRAPH.compute(
        ["beat_grid", "beat_times", "tempo", "notes", "downbeat_times", "beats_per_bar", "swing", "key"],
        samples=samples,
        sample_rate=SAMPLE_RATE,
    )
    tempo, beats = librosa.beat.beat_track(y=samples, sr=SAMPLE_RATE, units="time")
    onsets = librosa.onset.onset_detect(y=samples, sr=SAMPLE_RATE, units="time")
    chroma = librosa.feature.chroma_cqt(y=samples, sr=SAMPLE_RATE)
    theirs = key(profile_fits(chroma.mean(axis=1)))
    if not np.array_equal(beats, ours["beat_times"]) or float(np.atleast_1d(tempo)[0]) != ours["tempo"]:
        raise SystemExit(f"{path}: the engine's tempo or beats are not librosa's")
    swing = float(ours["swing"][0])
    figures = {
        "beat_f": beat_f(truth["beats"], ours["beat_grid"].times),
        "beat_f_librosa": beat_f(truth["beats"], beats),
        "downbeat_f": beat_f(truth["downbeats"], ours["downbeat_times"]),
        "metre": float(ours["beats_per_bar"] == truth["beats_per_bar"]),
        "onset_f": onset_f(truth["onsets"]["time"], ours["notes"][0]),
        "onset_f_librosa": onset_f(truth["onsets"]["time"], onsets),
        "swing_error": abs(swing - truth["swing"]["ratio"]),
        "swing_found": float(not np.isnan(swing)),
        "straight_error": abs(1.0 - truth["swing"]["ratio"]),
        "key_score": key_score(truth["key"], ours["key"]),
        "key_score_librosa": key_score(truth["key"], theirs),
    }
    for name, value in (("", ours["beat_grid"].tempo), ("_librosa", float(np.atleast_1d(tempo)[0]))):
        off = [abs(value * factor / truth["tempo"] - 1.0) <= _TOLERANCE for factor in _OCTAVES]
        figures |= {f"acc1{name}": float(off[0]), f"acc2{name}": float(any(off))}
    return figures


def beat_f(truth: list[float], found: np.ndarray) -> float:
    """F-measure of beats within 70 ms, without the first five seconds, as usual."""
    trim = mir_eval.beat.trim_beats
    return float(mir_eval.beat.f_measure(trim(np.array(truth)), trim(np.asarray(found))))


def onset_f(truth: list[float], found: np.ndarray) -> float:
    """F-measure of onsets within 50 ms; simultaneous notes are merged on both sides."""
    return float(mir_eval.onset.f_measure(together(truth), together(found))[0])


def together(times: Iterable[float]) -> np.ndarray:
    """Sorted times, without those within 30 ms of the previous one."""
    ordered = np.sort(np.asarray(times, dtype=float))
    return ordered[np.diff(ordered, prepend=-1.0) > _TOGETHER]


def key_score(truth: dict, found: np.ndarray) -> float:
    """mir_eval's weighted score: 1 correct key, 0.5 a fifth apart, 0.3 relative, 0.2 parallel key, 0 otherwise."""
    if np.isnan(found).any():
        return 0.0
    tonic = _FLATS.get(truth["tonic"], truth["tonic"])
    estimate = f"{_SPELLED[int(found[0])]} {'minor' if found[1] else 'major'}"
    return float(mir_eval.key.weighted_score(f"{tonic} {_MODES[truth['mode']]}", estimate))


def means(songs: list[dict]) -> dict[str, float]:
    """Mean of all scores, and medians of the swing errors of songs in which swing was found."""
    names = [name for name, value in songs[0].items() if isinstance(value, float)]
    found = {name: float(np.nanmean([song[name] for song in songs] or [np.nan])) for name in names}
    heard = [song["swing_error"] for song in songs if song["swing_found"]]
    found["swing_error"] = statistics.median(heard) if heard else float("nan")
    found["songs"] = len(songs)
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in found.items()}


def sign(songs: list[dict], name: str) -> dict[str, int]:
    """Numbers of songs on which a score is higher than, lower than and equal to librosa's."""
    apart = [song[name] - song[f"{name}_librosa"] for song in songs]
    higher, lower = sum(a > 1e-9 for a in apart), sum(a < -1e-9 for a in apart)
    return {"higher": higher, "lower": lower, "equal": len(apart) - higher - lower}


if __name__ == "__main__":
    sys.exit(main())
