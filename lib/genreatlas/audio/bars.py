"""Bars: how many beats one has, where it begins, and what is played in sixteen steps of it.

Metre is not assumed to be 4/4: a bar has the number of beats after which the music repeats best, and
its sixteen steps divide it evenly, whatever that number is. Where a bar begins is often uncertain, so its
confidence is given, and so are the pattern's cycles, which do not depend on it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreatlas.audio.beats import BeatGrid
from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.groove import fold

STEPS = 16
#: Cycles of a bar that its pattern is made of: 1 a bar to 8 a bar.
CYCLES = STEPS // 2
#: Beats that a bar may have. Two are heard as four.
_METRES = (3, 4, 5, 7)
#: What a metre must repeat better than 4/4 to be believed: most music is in four. [cosine]
_USUAL_METRE = {4: 0.0, 3: 0.02, 5: 0.08, 7: 0.08}
_POSITIONS = 4


@dataclass(frozen=True)
class Bars:
    """``beats`` a bar; ``first``, the beat that begins the first whole bar; ``confidence`` of that, 0 … 1."""

    beats: int
    first: int
    confidence: float


NO_BARS = Bars(0, 0, np.nan)


@LIBROSA.feature
def bars(band_onsets: Array, chroma_stft: Array, beat_grid: BeatGrid, sample_rate: int) -> Bars:
    """Metre and the place of the bar line, from what repeats and where bass and harmony change.

    References: Goto 2001 (chord changes and drum patterns mark bar lines); Davies & Plumbley 2006.
    """
    times = beat_grid.times
    if len(times) < 2 * max(_METRES) + 1:
        return NO_BARS
    rate = sample_rate / HOP_LENGTH
    spread = band_onsets.std(axis=1, dtype=np.float64, keepdims=True)
    onsets = band_onsets / np.where(spread > 0.0, spread, np.inf)
    played = np.concatenate([fold(band, times, _POSITIONS, rate) for band in onsets], axis=1)
    harmony = _chroma_of_beats(np.nan_to_num(chroma_stft), times * rate)
    metre = _metre(played, harmony)
    # a bar line is where the harmony changes and the bass plays
    changes = np.zeros(len(times) - 1)
    changes[1:] = 1.0 - np.einsum("ij,ij->i", harmony[1:], harmony[:-1])
    marks = _standard(changes) + _standard(played[:, 0])
    first, confidence = _place(marks, metre)
    return Bars(metre, first, confidence)


@LIBROSA.feature
def downbeat_times(bars: Bars, beat_grid: BeatGrid) -> Array:
    """Tracked beats that begin a bar, (n_bars,) s; empty where no bars were found."""
    return beat_grid.times[bars.first :: bars.beats] if bars.beats else np.zeros(0)


@LIBROSA.feature
def beats_per_bar(bars: Bars) -> float:
    """Beats that a bar has; NaN where no bars were found."""
    return float(bars.beats) if bars.beats else np.nan


@LIBROSA.feature
def bar_confidence(bars: Bars) -> float:
    """How sure the place of the bar line is, 0 … 1; NaN where no bars were found."""
    return bars.confidence


@LIBROSA.feature
def step_pattern(band_onsets: Array, bars: Bars, beat_grid: BeatGrid, sample_rate: int) -> Array:
    """Onsets in sixteen steps of a bar, mean over bars, over the highest step of the band, (48,), 0..1.

    Low, mid and high band in turn. A step's onsets are the highest value within half a step. NaN where no bars
    were found or in a band without onsets.
    """
    pattern = np.full((len(band_onsets), STEPS), np.nan)
    starts = downbeat_indices(bars, len(beat_grid.times))
    if len(starts) < 2:
        return pattern.reshape(-1)
    finer = 4  # samples a step
    grid = np.interp(
        np.arange(starts[0] * STEPS * finer, starts[-1] * STEPS * finer, bars.beats) / (STEPS * finer),
        np.arange(len(beat_grid.times)),
        beat_grid.times,
    )
    for row, band in enumerate(band_onsets):
        sampled = np.interp(grid * (sample_rate / HOP_LENGTH), np.arange(len(band)), band)
        # the sample on a step and those up to half a step around it
        around = np.roll(sampled, finer // 2).reshape(-1, STEPS, finer).max(axis=2)
        steps = around.mean(axis=0)
        if steps.max() > 0.0:
            pattern[row] = steps / steps.max()
    return pattern.reshape(-1)


@LIBROSA.feature
def step_cycles(step_pattern: Array) -> Array:
    """Strength of 1 to 8 cycles a bar in each band's pattern, over its mean, (24,), 0..1.

    Magnitudes of the pattern's Fourier coefficients: the same whichever step the bar begins with.
    """
    spectrum = np.abs(np.fft.rfft(step_pattern.reshape(-1, STEPS), axis=1))
    return (spectrum[:, 1:] / spectrum[:, :1]).reshape(-1)


def downbeat_indices(bars: Bars, n_beats: int) -> npt.NDArray[np.int64]:
    """Beats that begin a bar."""
    return np.arange(bars.first, n_beats, bars.beats) if bars.beats else np.zeros(0, dtype=np.int64)


def _chroma_of_beats(chroma: Array, edges: Array) -> Array:
    """Mean chroma from each beat to the next, of length 1, (n_beats - 1, 12)."""
    totals = np.pad(np.cumsum(chroma, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    at = np.clip(np.rint(edges).astype(int), 0, chroma.shape[1])
    means = np.diff(totals[:, at], axis=1).T
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.where(lengths > 0.0, lengths, 1.0)


def _metre(played: Array, harmony: Array) -> int:
    """The number of beats after which rhythm and harmony are most alike."""
    scores = {}
    rhythm = played - played.mean(axis=0)
    lengths = np.linalg.norm(rhythm, axis=1, keepdims=True)
    rhythm = rhythm / np.where(lengths > 0.0, lengths, 1.0)
    for beats in _METRES:
        alike = [
            float(np.einsum("ij,ij->i", values[lag:], values[:-lag]).mean())
            for values in (rhythm, harmony)
            for lag in (beats, 2 * beats)
            if lag < len(values)
        ]
        scores[beats] = sum(alike) / len(alike) - _USUAL_METRE[beats]
    return max(scores, key=lambda beats: (scores[beats], beats == 4))


def _place(marks: Array, metre: int) -> tuple[int, float]:
    """The beat that most marks fall on, and its share of the marks over what chance would give, 0 … 1."""
    means = np.array([marks[first::metre].mean() for first in range(metre)])
    counts = len(marks) / metre
    # of means of `counts` numbers of variance 2 the probability of each to be the highest, as a softmax
    weights = np.exp((means - means.max()) * np.sqrt(counts) / 2.0)
    shares = weights / weights.sum()
    best = int(np.argmax(shares))
    return best, float((shares[best] - 1.0 / metre) / (1.0 - 1.0 / metre))


def _standard(values: Array) -> Array:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0.0 else np.zeros_like(values)
