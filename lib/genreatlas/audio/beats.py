"""A second beat tracker: onsets in three bands, a comb of the autocorrelation, one path.

librosa's tracker follows the median rise of all mel bands, on which the hi-hats between the beats of
dance music are as loud as its kick: the tempo is right and the beats lie between the beats. Here low
bands weigh most, the tempo is what repeats at one, two, three or four and eight beats, and it is not
bound to whole frames. ``docs/rhythm.md`` has both trackers' figures against known beats.
"""

from dataclasses import dataclass

import numpy as np

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa

#: Bands of onsets, in Hz, and what they weigh in the beat.
BANDS = {"low": (0.0, 150.0), "mid": (150.0, 2000.0), "high": (2000.0, 11025.0)}
_WEIGHTS = np.array([2.0, 1.0, 0.3])

#: Positions a frame: beats are placed to 12 ms.
_FINER = 2
#: Tempi that are looked for, and the log-normal prior over them. [bpm], [octaves]
_SLOWEST, _FASTEST, _STEPS = 50.0, 215.0, 240
_USUAL, _SPREAD = 115.0, 0.6
_PRIOR_WEIGHT = 0.125
_TIGHTNESS = 100.0
#: Onsets are heard this far below the clip's loudest band and frame: from deeper silence the frame that only
#: touches a hit with the edge of its window rises most, and onsets come 30 ms early. [dB]
_RANGE_DB = 50.0
#: Bands that rise by less than this at their steepest hold no onsets. [dB]
_FAINTEST = 0.1


@dataclass(frozen=True)
class BeatGrid:
    """Beats of a clip: ``times`` (n,) s, ascending; ``tempo`` bpm, NaN without beats.

    ``clarity`` is how well the onsets repeat after one beat, 0 … 1.
    """

    times: Array
    tempo: float
    clarity: float


NO_BEATS = BeatGrid(np.zeros(0), np.nan, np.nan)


@LIBROSA.feature
def band_onsets(mel_db: Array, sample_rate: int) -> Array:
    """Mean rise of the mel bands of :data:`BANDS` since the frame before, (3, n_frames) dB."""
    centres = librosa().mel_frequencies(len(mel_db), fmin=0.0, fmax=sample_rate / 2)
    edges = np.searchsorted(centres, [low for low, _ in BANDS.values()])
    heard = np.maximum(mel_db, mel_db.max(initial=-np.inf) - _RANGE_DB)
    rise = np.zeros(mel_db.shape, dtype=np.float32)
    np.maximum(np.diff(heard, axis=1), 0.0, out=rise[:, 1:])
    counts = np.diff(np.append(edges, len(centres)))
    return np.add.reduceat(rise, edges, axis=0) / counts[:, np.newaxis]


@LIBROSA.feature
def beat_activation(band_onsets: Array) -> Array:
    """How much a beat there would explain, (2 * n_frames - 1,): weighted onsets, every half frame; 0 without any."""
    from scipy.ndimage import convolve1d

    spread = band_onsets.std(axis=1, dtype=np.float64)
    heard = band_onsets.max(axis=1, initial=0.0) > _FAINTEST
    weights = np.where(heard, _WEIGHTS / np.where(spread > 0.0, spread, 1.0), 0.0)
    total = weights @ band_onsets
    frames = np.arange(total.size)
    fine = np.interp(np.arange(_FINER * total.size - 1) / _FINER, frames, total)
    kernel = np.hanning(5)
    return convolve1d(fine, kernel / kernel.sum(), mode="constant")


@LIBROSA.feature
def beat_grid(beat_activation: Array, sample_rate: int) -> BeatGrid:
    """The tracked beats.

    References: Ellis 2007 (path); Klapuri, Eronen & Astola 2006 (accents in bands, comb over periods).
    """
    from genreatlas.audio.beat_path import beat_path

    rate = _FINER * sample_rate / HOP_LENGTH
    centred = beat_activation - beat_activation.mean()
    spread = centred.std()
    if not spread > 0.0 or len(centred) < 2 * rate:  # under two seconds two beats are not yet a tempo
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


@LIBROSA.feature
def beat_tempo(beat_grid: BeatGrid) -> float:
    """Tempo of the tracked beats, bpm; NaN without any."""
    return beat_grid.tempo


@LIBROSA.feature
def beat_clarity(beat_grid: BeatGrid) -> float:
    """How well the onsets repeat after one beat, 0 … 1; NaN without beats."""
    return beat_grid.clarity


@LIBROSA.feature
def tracked_beat_times(beat_grid: BeatGrid) -> Array:
    """Times of the tracked beats, (n_beats,) s."""
    return beat_grid.times


def autocorrelation(centred: Array) -> Array:
    """Autocorrelation of a signal around its mean, unbiased up to three quarters of its length, 1 at lag 0."""
    from scipy import fft

    size = len(centred)
    length = fft.next_fast_len(2 * size, real=True)
    spectrum = fft.rfft(centred, length)
    raw = fft.irfft(spectrum.real**2 + spectrum.imag**2, length)[:size]
    return raw / raw[0] * size / np.maximum(size - np.arange(size), size / 4)


def _best_period(repeats: Array, rate: float) -> float:
    """The period whose multiples repeat best, weighted by how usual its tempo is; in positions."""
    tempi = np.geomspace(_SLOWEST, _FASTEST, _STEPS)
    periods = 60.0 * rate / tempi
    one, two, three, four, eight = (
        np.interp(multiple * periods, np.arange(len(repeats)), repeats, right=0.0) for multiple in (1, 2, 3, 4, 8)
    )
    comb = (one + two + np.maximum(three, four) + 0.5 * eight) / 3.5
    return float(periods[np.argmax(comb - _PRIOR_WEIGHT * (np.log2(tempi / _USUAL) / _SPREAD) ** 2)])
