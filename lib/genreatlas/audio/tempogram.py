"""Onset strength, onsets, beats and the tempogram: librosa's, with what can be shared shared.

:data:`FASTER` are the engine's twins of the tempogram: librosa transforms a complex array twice a
frame; here one real transform a frame gives the power spectra, and where only the mean over time is
asked for, one inverse transform of their weighted sum is enough, because it is linear.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa

#: Frames that a tempogram looks at around each frame, librosa's default: 8.9 s.
TEMPOGRAM_FRAMES = 384

#: Tempi at which the mean tempogram becomes columns: six an octave from 30 to 427.
TEMPI_BPM = tuple(30.0 * 2.0 ** (step / 6) for step in range(24))

#: Multiples of the tempo at which it becomes columns (Prockup et al. 2015), as (over, under).
TEMPO_RATIOS = (
    (4, 1), (8, 3), (3, 1), (2, 1), (4, 3), (3, 2), (1, 1), (2, 3), (3, 4), (1, 2), (1, 3), (3, 8), (1, 4)
)  # fmt: skip

_FFT = 768  # at least 2 * TEMPOGRAM_FRAMES - 1, so that the autocorrelation does not wrap around
_CHUNK = 128  # frames transformed at once: they stay in the second-level cache


@LIBROSA.feature
def onset_strength(mel_db: Array, sample_rate: int) -> Array:
    """Mean rise of the mel bands since the frame before, (n_frames,) dB: librosa's default envelope."""
    return librosa().onset.onset_strength(S=mel_db, sr=sample_rate, hop_length=HOP_LENGTH)


@LIBROSA.feature
def onset_frames(onset_strength: Array, sample_rate: int) -> npt.NDArray[np.integer]:
    """Frames in which ``librosa.onset.onset_detect`` hears an onset, (n_onsets,), ascending."""
    return librosa().onset.onset_detect(onset_envelope=onset_strength, sr=sample_rate, hop_length=HOP_LENGTH)


@LIBROSA.feature
def beat_frames(onset_envelope: Array, tempo: float, sample_rate: int) -> npt.NDArray[np.integer]:
    """Frames of ``librosa.beat.beat_track``'s beats, (n_beats,), ascending; none where the tempo is undefined.

    References: Ellis 2007, "Beat tracking by dynamic programming".
    """
    if np.isnan(tempo):
        return np.zeros(0, dtype=np.int64)
    tracked = librosa().beat.beat_track(
        onset_envelope=onset_envelope, bpm=tempo, sr=sample_rate, hop_length=HOP_LENGTH, units="frames"
    )
    return tracked[1]


@LIBROSA.feature
def tempogram(onset_strength: Array, sample_rate: int) -> Array:
    """Local autocorrelation of the onset strength, (384, n_frames): row = lag in frames, 1 at lag 0.

    References: Grosche, Müller & Kurth 2010, "Cyclic tempogram".
    """
    return librosa().feature.tempogram(
        onset_envelope=onset_strength, sr=sample_rate, hop_length=HOP_LENGTH, win_length=TEMPOGRAM_FRAMES
    )


@LIBROSA.feature
def tempogram_mean(tempogram: Array) -> Array:
    """The tempogram's mean over time, (384,)."""
    return tempogram.mean(axis=1)


@LIBROSA.feature
def tempogram_at_tempi(tempogram_mean: Array, sample_rate: int, silent: bool) -> Array:
    """The mean tempogram at :data:`TEMPI_BPM`, (24,), interpolated over lags; NaN in a silent clip."""
    lags = 60.0 * sample_rate / HOP_LENGTH / np.array(TEMPI_BPM)
    values = np.interp(lags, np.arange(len(tempogram_mean)), tempogram_mean)
    return np.full(len(lags), np.nan) if silent else values


@LIBROSA.feature
def tempo_ratios(tempogram_mean: Array, tempo: float, sample_rate: int) -> Array:
    """The mean tempogram at :data:`TEMPO_RATIOS` times the tempo, (13,); NaN where the tempo is undefined.

    ``librosa.feature.tempogram_ratio`` of the mean tempogram: interpolated over tempo, 0 beyond its ends.

    References: Peeters 2005; Prockup et al. 2015.
    """
    wanted = tempo * np.array([over / under for over, under in TEMPO_RATIOS])
    if np.isnan(tempo):
        return wanted
    lags = np.arange(len(tempogram_mean) - 1, 0, -1)  # tempo rises as the lag falls; lag 0 has none
    bpm = 60.0 * sample_rate / HOP_LENGTH / lags
    return np.interp(wanted, bpm, tempogram_mean[lags], left=0.0, right=0.0)


def _faster_tempogram(onset_strength: Array) -> Array:
    """Each frame's power spectrum and back, in real arithmetic."""
    from scipy import fft

    found = np.empty((len(onset_strength), TEMPOGRAM_FRAMES), dtype=np.float32)
    for first, power in _weighted_power(onset_strength):
        # the inverse transform of what is real and even: a cosine transform, without making it complex first
        lags = fft.dct(power, type=1, axis=1, overwrite_x=True)
        np.multiply(lags[:, :TEMPOGRAM_FRAMES], np.float32(1.0 / _FFT), out=found[first : first + _CHUNK])
    return found.T


def _faster_tempogram_mean(onset_strength: Array) -> Array:
    """One inverse transform of the weighted sum of the frames' power spectra."""
    from scipy import fft

    total = np.zeros(_FFT // 2 + 1)
    for _, power in _weighted_power(onset_strength):
        total += power.sum(axis=0)
    return fft.irfft(total / len(onset_strength), _FFT)[:TEMPOGRAM_FRAMES]


def _weighted_power(envelope: Array) -> Iterator[tuple[int, Array]]:
    """Power spectra of the frames around each value, each over the frame's sum of squares: (<= 128, 385) at a time.

    An autocorrelation is largest at lag 0, where it is that sum, so dividing by it is what librosa's norm=inf does.
    """
    from scipy import fft
    from scipy.signal import get_window

    half = TEMPOGRAM_FRAMES // 2
    padded = np.pad(np.asarray(envelope, dtype=np.float32), half, mode="linear_ramp", end_values=0)
    view = np.lib.stride_tricks.sliding_window_view(padded, TEMPOGRAM_FRAMES)[: len(envelope)]
    window = get_window("hann", TEMPOGRAM_FRAMES, fftbins=True).astype(np.float32)
    for first in range(0, len(view), _CHUNK):
        frames = view[first : first + _CHUNK] * window
        energy = np.einsum("ij,ij->i", frames, frames)
        energy[energy < np.finfo(np.float32).tiny] = 1.0
        spectrum = fft.rfft(frames, _FFT, axis=1)
        power = spectrum.real**2
        power += spectrum.imag**2
        power /= energy[:, np.newaxis]
        yield first, power


_faster_tempogram.__name__ = "tempogram"
_faster_tempogram_mean.__name__ = "tempogram_mean"
FASTER = (_faster_tempogram, _faster_tempogram_mean)
