"""A beat tracker on onsets in three bands, and the bars formed by its beats.

librosa's tracker uses the median rise of all mel bands. In dance music this makes the off-beat hi-hats as strong as the
kick: the tempo is correct, but the beats are placed on the off-beats. This tracker detects onsets in three bands, of
which the low band has the largest weight. The tempo is the one whose period repeats best at one, two, three or four,
and eight beats; its period need not be a whole number of frames. ``docs/rhythm.md`` compares both trackers with
annotated beats.

The metre is not assumed to be 4/4: a bar has the number of beats after which the music repeats best, and is divided
into sixteen equal steps whatever that number is. The position of the bar line is often uncertain, so its confidence is
stored too, and so is the strength of cycles per bar, which does not depend on that position.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import REFERENCE_GRAPH
from genreatlas.audio.librosa_loading import librosa

#: Frequency bands of onsets in Hz, and their weights in the beat activation.
BANDS = {"low": (0.0, 150.0), "mid": (150.0, 2000.0), "high": (2000.0, 11025.0)}
_WEIGHTS = np.array([2.0, 1.0, 0.3])

#: Positions per frame: the resolution of beats is 12 ms.
_FINER = 2

#: Range and number of candidate tempi in bpm; mean (bpm) and width (octaves) of the log-normal prior over them.
_SLOWEST, _FASTEST, _TEMPI = 50.0, 215.0, 240
_USUAL, _SPREAD = 115.0, 0.6
_PRIOR_WEIGHT = 0.125
_TIGHTNESS = 100.0

#: Range in dB below the clip's loudest band and frame in which rises count. With a larger range a hit after silence
#: rises most in the frame that it touches only with the edge of its window, and onsets are 30 ms early.
_RANGE_DB = 50.0

#: Minimum of a band's largest rise for the band to count as having onsets, in dB.
_FAINTEST = 0.1

#: Number of steps in a bar.
STEPS = 16

#: Highest number of cycles per bar in the Fourier coefficients of its pattern.
CYCLES = STEPS // 2

#: Candidate numbers of beats per bar. Bars of two beats are treated as bars of four.
_METRES = (3, 4, 5, 7)

#: Margin (cosine similarity) by which a metre must repeat better than 4/4 to be chosen, because most music is in 4/4.
_USUAL_METRE = {4: 0.0, 3: 0.02, 5: 0.08, 7: 0.08}
_POSITIONS = 4


@dataclass(frozen=True)
class BeatGrid:
    """Beats of a clip.

    Parameters
    ----------
    times : (n,) s, ascending.
    tempo : bpm; NaN without beats.
    clarity : autocorrelation of the onsets at a lag of one beat, 0 … 1; NaN without beats.
    """

    times: Array
    tempo: float
    clarity: float


NO_BEATS = BeatGrid(np.zeros(0), np.nan, np.nan)


@dataclass(frozen=True)
class Bars:
    """Metre of a clip and position of its bar lines.

    Parameters
    ----------
    beats : beats per bar; 0 where no bars were found.
    first : index of the beat that begins the first whole bar.
    confidence : confidence in the position of the bar line, 0 … 1; NaN where no bars were found.
    """

    beats: int
    first: int
    confidence: float


NO_BARS = Bars(0, 0, np.nan)


@REFERENCE_GRAPH.feature
def band_onsets(mel_db: Array, sample_rate: int) -> Array:
    """Mean rise of the mel bands within each of :data:`BANDS` since the previous frame, (3, n_frames) dB."""
    centres = librosa().mel_frequencies(len(mel_db), fmin=0.0, fmax=sample_rate / 2)
    edges = np.searchsorted(centres, [low for low, _ in BANDS.values()])
    heard = np.maximum(mel_db, mel_db.max(initial=-np.inf) - _RANGE_DB)
    rise = np.zeros(mel_db.shape, dtype=np.float32)
    np.maximum(np.diff(heard, axis=1), 0.0, out=rise[:, 1:])
    counts = np.diff(np.append(edges, len(centres)))
    return np.add.reduceat(rise, edges, axis=0) / counts[:, np.newaxis]


@REFERENCE_GRAPH.feature
def beat_activation(band_onsets: Array) -> Array:
    """Weighted sum of onsets at every half frame, (2 * n_frames - 1,): evidence for a beat; 0 without onsets."""
    from scipy.ndimage import convolve1d

    spread = band_onsets.std(axis=1, dtype=np.float64)
    heard = band_onsets.max(axis=1, initial=0.0) > _FAINTEST
    weights = np.where(heard, _WEIGHTS / np.where(spread > 0.0, spread, 1.0), 0.0)
    total = weights @ band_onsets
    frames = np.arange(total.size)
    fine = np.interp(np.arange(_FINER * total.size - 1) / _FINER, frames, total)
    kernel = np.hanning(5)
    return convolve1d(fine, kernel / kernel.sum(), mode="constant")


@REFERENCE_GRAPH.feature
def beat_grid(beat_activation: Array, sample_rate: int) -> BeatGrid:
    """The tracked beats.

    References: Ellis 2007 (dynamic programming); Klapuri, Eronen & Astola 2006 (accents in bands, comb over periods).
    """
    from genreatlas.audio.kernels.periods import beat_path

    rate = _FINER * sample_rate / HOP_LENGTH
    centred = beat_activation - beat_activation.mean()
    spread = centred.std()
    if not spread > 0.0 or len(centred) < 2 * rate:  # too short to estimate a tempo
        return NO_BEATS
    repeats = autocorrelation(centred)
    period = _best_period(repeats, rate)
    places = beat_path(np.maximum(centred, 0.0) / spread, period, _TIGHTNESS)
    if len(places) < 4:
        return NO_BEATS
    times = places / rate
    between = np.polyfit(np.arange(len(times)), times, 1)[0]
    clarity = float(np.clip(np.interp(period, np.arange(len(repeats)), repeats), 0.0, 1.0))
    return BeatGrid(times, float(60.0 / between), clarity)


@REFERENCE_GRAPH.feature
def beat_tempo(beat_grid: BeatGrid) -> float:
    """Tempo of the tracked beats, bpm; NaN without beats."""
    return beat_grid.tempo


@REFERENCE_GRAPH.feature
def beat_clarity(beat_grid: BeatGrid) -> float:
    """Autocorrelation of the onsets at a lag of one beat, 0 … 1; NaN without beats."""
    return beat_grid.clarity


@REFERENCE_GRAPH.feature
def tracked_beat_times(beat_grid: BeatGrid) -> Array:
    """Times of the tracked beats, (n_beats,) s."""
    return beat_grid.times


@REFERENCE_GRAPH.feature
def bars(band_onsets: Array, chroma_stft: Array, beat_grid: BeatGrid, sample_rate: int) -> Bars:
    """Metre, from repetition of rhythm and harmony, and bar line, from bass onsets and changes of harmony.

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
    # bar lines are expected where the harmony changes and the bass plays
    changes = np.zeros(len(times) - 1)
    changes[1:] = 1.0 - np.einsum("ij,ij->i", harmony[1:], harmony[:-1])
    marks = _standard(changes) + _standard(played[:, 0])
    first, confidence = _place(marks, metre)
    return Bars(metre, first, confidence)


@REFERENCE_GRAPH.feature
def downbeat_times(bars: Bars, beat_grid: BeatGrid) -> Array:
    """Times of the tracked beats that begin a bar, (n_bars,) s; empty where no bars were found."""
    return beat_grid.times[bars.first :: bars.beats] if bars.beats else np.zeros(0)


@REFERENCE_GRAPH.feature
def beats_per_bar(bars: Bars) -> float:
    """Beats per bar; NaN where no bars were found."""
    return float(bars.beats) if bars.beats else np.nan


@REFERENCE_GRAPH.feature
def bar_confidence(bars: Bars) -> float:
    """Confidence in the position of the bar line, 0 … 1; NaN where no bars were found."""
    return bars.confidence


@REFERENCE_GRAPH.feature
def step_pattern(band_onsets: Array, bars: Bars, beat_grid: BeatGrid, sample_rate: int) -> Array:
    """Onsets in sixteen steps of a bar: mean over bars, divided by the band's highest step, (48,), 0..1.

    16 values of the low, the mid and the high band. :func:`bar_steps` defines the onsets of a step. NaN where no bars
    were found and in a band without onsets.
    """
    pattern = np.full((len(band_onsets), STEPS), np.nan)
    for row, steps in enumerate(bar_steps(band_onsets, bars, beat_grid, sample_rate)):
        mean = steps.mean(axis=0) if len(steps) else np.zeros(STEPS)
        if mean.max() > 0.0:
            pattern[row] = mean / mean.max()
    return pattern.reshape(-1)


@REFERENCE_GRAPH.feature
def bar_patterns(band_onsets: Array, bars: Bars, beat_grid: BeatGrid, sample_rate: int) -> Array:
    """Start and length in s of each bar, and its onsets in sixteen steps, (2 + 48, n_bars).

    Like :func:`step_pattern` for single bars, but divided by the band's highest step in the clip, so that bars can be
    compared with each other. Without bars there are no columns; a band without onsets is NaN.
    """
    steps = bar_steps(band_onsets, bars, beat_grid, sample_rate)
    lines = beat_grid.times[downbeat_indices(bars, len(beat_grid.times))]
    highest = steps.max(axis=(1, 2), initial=0.0)
    shares = steps / np.where(highest > 0.0, highest, np.nan)[:, np.newaxis, np.newaxis]
    values = np.moveaxis(shares, 1, 2).reshape(len(steps) * STEPS, steps.shape[1])
    return np.concatenate([lines[np.newaxis, :-1], np.diff(lines)[np.newaxis], values])


def bar_steps(band_onsets: Array, bars: Bars, beat_grid: BeatGrid, sample_rate: int) -> Array:
    """Onsets in sixteen steps of every whole bar, (n_bands, n_bars, 16): maximum within half a step of each step."""
    starts = downbeat_indices(bars, len(beat_grid.times))
    if len(starts) < 2:
        return np.zeros((len(band_onsets), 0, STEPS))
    finer = 4  # samples per step
    grid = np.interp(
        np.arange(starts[0] * STEPS * finer, starts[-1] * STEPS * finer, bars.beats) / (STEPS * finer),
        np.arange(len(beat_grid.times)),
        beat_grid.times,
    )
    found = []
    for band in band_onsets:
        sampled = np.interp(grid * (sample_rate / HOP_LENGTH), np.arange(len(band)), band)
        # the sample on a step and those up to half a step around it
        found.append(np.roll(sampled, finer // 2).reshape(-1, STEPS, finer).max(axis=2))
    return np.stack(found)


@REFERENCE_GRAPH.feature
def step_cycles(step_pattern: Array) -> Array:
    """Strength of 1 to 8 cycles per bar in each band's pattern, divided by its mean, (24,), 0..1.

    Magnitudes of the pattern's Fourier coefficients, which do not depend on the step at which the bar begins.
    """
    spectrum = np.abs(np.fft.rfft(step_pattern.reshape(-1, STEPS), axis=1))
    return (spectrum[:, 1:] / spectrum[:, :1]).reshape(-1)


def autocorrelation(centred: Array) -> Array:
    """Autocorrelation of a centred signal, 1 at lag 0. Unbiased for lags up to three quarters of the length."""
    from scipy import fft

    size = len(centred)
    length = fft.next_fast_len(2 * size, real=True)
    spectrum = fft.rfft(centred, length)
    raw = fft.irfft(spectrum.real**2 + spectrum.imag**2, length)[:size]
    return raw / raw[0] * size / np.maximum(size - np.arange(size), size / 4)


def fold(envelope: Array, beats: Array, positions: int, frame_rate: float) -> Array:
    """Sample an envelope at equal steps within every beat, (n_beats - 1, positions).

    Parameters
    ----------
    envelope : (n_frames,)
    beats : (n_beats,) s
    positions : samples per beat.
    frame_rate : frames per second.
    """
    steps = np.arange(positions) / positions
    times = beats[:-1, np.newaxis] + np.diff(beats)[:, np.newaxis] * steps
    return np.interp(times * frame_rate, np.arange(len(envelope)), envelope)


def downbeat_indices(bars: Bars, n_beats: int) -> npt.NDArray[np.int64]:
    """Indices of the beats that begin a bar."""
    return np.arange(bars.first, n_beats, bars.beats) if bars.beats else np.zeros(0, dtype=np.int64)


def _best_period(repeats: Array, rate: float) -> float:
    """Period, in half frames, whose multiples repeat best, weighted by the prior over tempi."""
    tempi = np.geomspace(_SLOWEST, _FASTEST, _TEMPI)
    periods = 60.0 * rate / tempi
    one, two, three, four, eight = (
        np.interp(multiple * periods, np.arange(len(repeats)), repeats, right=0.0) for multiple in (1, 2, 3, 4, 8)
    )
    comb = (one + two + np.maximum(three, four) + 0.5 * eight) / 3.5
    return float(periods[np.argmax(comb - _PRIOR_WEIGHT * (np.log2(tempi / _USUAL) / _SPREAD) ** 2)])


def _chroma_of_beats(chroma: Array, edges: Array) -> Array:
    """Mean chroma from each beat to the next, normalised to unit length, (n_beats - 1, 12)."""
    totals = np.pad(np.cumsum(chroma, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    at = np.clip(np.rint(edges).astype(int), 0, chroma.shape[1])
    means = np.diff(totals[:, at], axis=1).T
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.where(lengths > 0.0, lengths, 1.0)


def _metre(played: Array, harmony: Array) -> int:
    """Number of beats after which rhythm and harmony are most similar."""
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
    """Offset of the beat with the highest mean mark, and its probability rescaled to 0 (chance) … 1 (certain)."""
    means = np.array([marks[first::metre].mean() for first in range(metre)])
    counts = len(marks) / metre
    # softmax: about the probability that a mean (`counts` values, variance 2) is the highest
    weights = np.exp((means - means.max()) * np.sqrt(counts) / 2.0)
    shares = weights / weights.sum()
    best = int(np.argmax(shares))
    return best, float((shares[best] - 1.0 / metre) / (1.0 - 1.0 / metre))


def _standard(values: Array) -> Array:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0.0 else np.zeros_like(values)
