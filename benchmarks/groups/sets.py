"""Compare rhythm features with plain librosa, and all feature sets in one pass with separate passes."""

from collections.abc import Iterator

import librosa
import numpy as np
from measuring import Context, Result, compare

from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, SAMPLE_RATE
from genreatlas.audio.worker import extract_clip
from genreatlas.config import ClipSection

_SECONDS = 30.0


def measure(context: Context) -> Iterator[Result]:
    """Ratios of CPU times, and whether tempo, beats and onsets equal librosa's."""
    paths = context.clips
    arrays = [librosa.load(path)[0] for path in paths]
    yield compare(
        "groove_vs_librosa", arrays, groove, librosa_groove, 3.5,
        note="onset strength, tempogram, tempo and beats of an array; librosa from one shared envelope",
    )  # fmt: skip
    same = [identical(samples) for samples in arrays]
    yield Result("groove_identical", 100.0 * float(np.mean(same)), "% of clips", 100.0, n=len(same),
                 note="tuning, tempo, beats and onsets equal librosa's own defaults")  # fmt: skip
    few = paths[:: max(1, len(paths) // 12)]
    yield compare(
        "all_sets_vs_sum", few, all_in_one_pass, each_alone, 0.6, "at most", repeats=2, inverse=True,
        note=f"{len(FEATURE_SETS)} sets of a file, decoding included",
    )  # fmt: skip


def groove(samples: np.ndarray) -> dict:
    """Onset strength (both envelopes), tempogram, tempo and beats by the package."""
    names = ("onset_strength", "tempogram", "tempo", "beat_frames")
    return FAST_GRAPH.compute(names, samples=samples, sample_rate=SAMPLE_RATE)


def librosa_groove(samples: np.ndarray) -> tuple:
    """The same features by librosa, with one envelope for all."""
    envelope = librosa.onset.onset_strength(y=samples, sr=SAMPLE_RATE, aggregate=np.median)
    tempogram = librosa.feature.tempogram(onset_envelope=envelope, sr=SAMPLE_RATE)
    return tempogram, librosa.beat.beat_track(onset_envelope=envelope, sr=SAMPLE_RATE)


def identical(samples: np.ndarray) -> bool:
    """Whether tuning (from power and from magnitudes), tempo, beats and onsets equal librosa's."""
    names = ("tuning", "magnitude_tuning", "tempo", "beat_frames", "onset_frames")
    ours = FAST_GRAPH.compute(names, samples=samples, sample_rate=SAMPLE_RATE)
    tempo, beats = librosa.beat.beat_track(y=samples, sr=SAMPLE_RATE)
    theirs = {
        "tuning": librosa.estimate_tuning(S=np.abs(librosa.stft(samples)) ** 2, sr=SAMPLE_RATE, bins_per_octave=12),
        "magnitude_tuning": librosa.estimate_tuning(y=samples, sr=SAMPLE_RATE, bins_per_octave=12),
        "tempo": float(np.atleast_1d(tempo)[0]),
        "beat_frames": beats,
        "onset_frames": librosa.onset.onset_detect(y=samples, sr=SAMPLE_RATE),
    }
    return all(np.array_equal(ours[name], theirs[name]) for name in names)


def all_in_one_pass(path: str) -> list:
    """All registered sets in one pass, with shared decoding and intermediates."""
    return extract_clip(path, 0.0, _SECONDS, ClipSection(), list(FEATURE_SETS.values()))


def each_alone(path: str) -> list:
    """All registered sets, each in a separate pass."""
    return [extract_clip(path, 0.0, _SECONDS, ClipSection(), [feature_set]) for feature_set in FEATURE_SETS.values()]
