"""Rhythm features: confidence of the tempo, pulse clarity, inter-onset intervals and swing."""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.beats import BeatGrid, autocorrelation, fold
from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import REFERENCE_GRAPH

#: Range of tempi for pulse clarity and for the confidence of the tempo, in bpm.
_PULSE_BPM = (40.0, 240.0)
#: Bins of the histogram of inter-onset intervals: sixteenths of a beat, up to two beats.
_INTERVAL_STEPS = 32
#: Samples per beat: 10 ms each at 120 bpm.
_POSITIONS = 48
#: Weights of the bands' onsets in swing, which is played by cymbals and comping rather than by the kick.
_SWING_WEIGHTS = np.array([0.3, 1.0, 1.0])
#: Range of positions of the second onset of a swung pair, as a share of the pair: slightly early to 2.6 : 1.
_SWUNG = (0.45, 0.72)
#: Minimum height of a peak above the median, as a share of the highest, for eighths and for sixteenths.
_CLEAR_EIGHTH, _CLEAR_SIXTEENTH = 0.2, 0.05


@REFERENCE_GRAPH.feature
def tempo_confidence(tempogram_mean: Array, tempo: float, sample_rate: int) -> float:
    """Height of the tempo's peak in the mean tempogram above the median from 40 to 240 bpm, 0 … 1."""
    if np.isnan(tempo):
        return np.nan
    lags = 60.0 * sample_rate / HOP_LENGTH / np.array([tempo, *_PULSE_BPM])
    peak = float(np.interp(lags[0], np.arange(len(tempogram_mean)), tempogram_mean))
    usual = float(np.median(tempogram_mean[int(lags[2]) : int(lags[1]) + 1]))
    return float(np.clip((peak - usual) / max(1.0 - usual, 1e-9), 0.0, 1.0))


@REFERENCE_GRAPH.feature
def pulse_clarity(onset_strength: Array, sample_rate: int) -> float:
    """Highest autocorrelation of the onset strength between 40 and 240 bpm, 0 … 1.

    NaN without onsets, and where the clip is shorter than two beats at 40 bpm.

    References: Lartillot, Eerola, Toiviainen & Fornari 2008, "Multi-feature modeling of pulse clarity".
    """
    lags = [round(60.0 * sample_rate / HOP_LENGTH / bpm) for bpm in _PULSE_BPM]
    centred = onset_strength - onset_strength.mean(dtype=np.float64)
    if len(centred) < 2 * lags[0] or not centred.std() > 1e-6:
        return np.nan
    return float(np.clip(autocorrelation(centred)[lags[1] : lags[0] + 1].max(), 0.0, 1.0))


@REFERENCE_GRAPH.feature
def onset_times(onset_frames: npt.NDArray[np.integer], sample_rate: int) -> Array:
    """Times of librosa's onsets, (n_onsets,) s."""
    return onset_frames * HOP_LENGTH / sample_rate  # operations in librosa's order, so that results are bit-identical


@REFERENCE_GRAPH.feature
def beat_times(beat_frames: npt.NDArray[np.integer], sample_rate: int) -> Array:
    """Times of librosa's beats, (n_beats,) s."""
    return beat_frames * HOP_LENGTH / sample_rate


@REFERENCE_GRAPH.feature
def onset_rate(onset_times: Array, samples: Array, sample_rate: int) -> float:
    """Onsets per second."""
    return len(onset_times) * sample_rate / max(len(samples), 1)


@REFERENCE_GRAPH.feature
def inter_onset(onset_times: Array, beat_grid: BeatGrid) -> Array:
    """Mean, median and standard deviation of inter-onset intervals in s, and their entropy in bit, (4,).

    The entropy is computed from the histogram of intervals in sixteenths of a beat: 0 where all are equal. All are NaN
    below two intervals; the entropy is also NaN without beats.
    """
    intervals = np.diff(onset_times)
    if len(intervals) < 2:
        return np.full(4, np.nan)
    entropy = np.nan
    if not np.isnan(beat_grid.tempo):
        steps = np.rint(intervals * beat_grid.tempo / 60.0 * 16).astype(int)
        shares = np.bincount(np.minimum(steps, _INTERVAL_STEPS)) / len(steps)
        entropy = float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum()) + 0.0
    return np.array([intervals.mean(), np.median(intervals), intervals.std(), entropy])


@REFERENCE_GRAPH.feature
def beat_steadiness(beat_grid: BeatGrid) -> float:
    """Coefficient of variation of the time between tracked beats; NaN below three beats."""
    between = np.diff(beat_grid.times)
    return float(between.std() / between.mean()) if len(between) >= 2 else np.nan


@REFERENCE_GRAPH.feature
def swing(band_onsets: Array, beat_grid: BeatGrid, sample_rate: int) -> Array:
    """Swing ratio (long over short; 1 is straight), parts per beat (2 eighths, 4 sixteenths) and clarity 0 … 1, (3,).

    Computed from the mean onset profile over all beats. If the second eighth is late (up to 0.72 of the beat), the
    ratio is that of eighths; otherwise the sixteenths are examined. NaN without beats, without onsets between beats,
    and where beats are divided in three (6/8, triplets).

    References: Friberg & Sundström 2002, "Swing ratios and ensemble timing in jazz performance".
    """
    undefined = np.full(3, np.nan)
    if len(beat_grid.times) < 4:
        return undefined
    spread = band_onsets.std(axis=1, dtype=np.float64)
    weights = _SWING_WEIGHTS / np.where(spread > 0.0, spread, np.inf)
    profile = fold(weights @ band_onsets, beat_grid.times, _POSITIONS, sample_rate / HOP_LENGTH).mean(axis=0)
    quiet = float(np.median(profile))
    height = float(profile.max()) - quiet
    if not height > 0.0:
        return undefined
    eighth, strength = _second_of_pair(profile)
    clarity = (strength - quiet) / height
    third = profile[round(_POSITIONS / 3) - 1 : round(_POSITIONS / 3) + 2].max()
    if eighth > 0.6 and third - quiet > 0.5 * (strength - quiet) > 0.0:
        return undefined
    halves = profile.reshape(2, -1).mean(axis=0)
    sixteenth, softer = _second_of_pair(halves)
    if not np.isnan(eighth) and clarity > _CLEAR_EIGHTH and eighth / (1 - eighth) > 1.25:
        return np.array([eighth / (1 - eighth), 2.0, min(clarity, 1.0)])
    if not np.isnan(sixteenth) and (softer - quiet) / height > _CLEAR_SIXTEENTH:
        return np.array([sixteenth / (1 - sixteenth), 4.0, min((softer - quiet) / height, 1.0)])
    if not np.isnan(eighth) and clarity > _CLEAR_EIGHTH:
        return np.array([eighth / (1 - eighth), 2.0, min(clarity, 1.0)])
    return undefined


def _second_of_pair(profile: Array) -> tuple[float, float]:
    """Position (0 … 1) and height of the highest peak in the range of the second onset; NaN and 0 without a peak."""
    size = len(profile)
    first, last = int(np.ceil(_SWUNG[0] * size)), int(_SWUNG[1] * size)
    inside = np.arange(first, last + 1)
    before, here, after = profile[inside - 1], profile[inside], profile[(inside + 1) % size]
    peaks = np.flatnonzero((here >= before) & (here > after))
    if not len(peaks):
        return np.nan, 0.0
    best = peaks[np.argmax(here[peaks])]
    left, middle, right = before[best], here[best], after[best]
    bent = left - 2 * middle + right
    shift = 0.5 * (left - right) / bent if bent < 0.0 else 0.0
    return (inside[best] + shift) / size, float(middle)
