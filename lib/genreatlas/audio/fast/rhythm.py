"""Onsets and tempo."""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, Array
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.rhythm import FAINTEST_ONSET_DB

_WINDOW_S, _USUAL_BPM, _HIGHEST_BPM = 8.0, 120.0, 320.0
#: Frames transformed at a time, so that they stay in the cache.
_AT_ONCE = 64


def onset_envelope(mel_db: Array) -> Array:
    """Median rise of the mel bands since the frame before, (n_frames,) dB, shifted to the middle of the frame."""
    shift = 1 + N_FFT // (2 * HOP_LENGTH)
    rise = np.ascontiguousarray(np.maximum(np.diff(mel_db), 0.0).T)
    half = rise.shape[1] // 2
    ordered = np.sort(rise, axis=1)  # in vectors: 0.2 ms, where a partition around two places takes 1.7
    envelope = np.zeros(shift + len(rise), dtype=mel_db.dtype)
    envelope[shift:] = 0.5 * (ordered[:, half - 1] + ordered[:, half])
    return envelope[: mel_db.shape[1]]


def mean_autocorrelation(onset_envelope: Array, sample_rate: int) -> npt.NDArray[np.float64]:
    """Mean over frames of the envelope's autocorrelation in eight seconds around, each over its value at lag 0.

    The mean of ``librosa.feature.tempogram``, (n_lags,), from the sum of power spectra and one inverse transform.
    """
    import scipy.fft
    import scipy.signal

    length = int(_WINDOW_S * sample_rate / HOP_LENGTH)
    n = len(onset_envelope)
    padded = np.pad(np.asarray(onset_envelope, np.float32), length // 2, mode="linear_ramp", end_values=0)
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[:n]
    window = scipy.signal.get_window("hann", length).astype(np.float32)
    size = scipy.fft.next_fast_len(2 * length - 1, real=True)
    total = np.zeros(size // 2 + 1)
    for first in range(0, n, _AT_ONCE):
        windowed = frames[first : first + _AT_ONCE] * window
        energy = np.square(windowed).sum(axis=1)
        energy[energy < np.finfo(np.float32).tiny] = 1.0
        parts = scipy.fft.rfft(windowed, n=size).view(np.float32)
        total += ((np.float32(1.0) / energy) @ np.square(parts, out=parts)).reshape(-1, 2).sum(axis=1)
    return scipy.fft.irfft(total, n=size)[:length] / n


def tempo(onset_envelope: Array, mean_autocorrelation: Array, sample_rate: int) -> float:
    """Tempo as ``librosa.beat.beat_track`` estimates it, beats per minute; NaN without two onsets."""
    module = librosa()
    if onset_envelope.max(initial=0.0) < FAINTEST_ONSET_DB:
        return np.nan
    if len(module.onset.onset_detect(onset_envelope=onset_envelope, sr=sample_rate, hop_length=HOP_LENGTH)) < 2:
        return np.nan
    bpm = np.empty(len(mean_autocorrelation))
    bpm[0] = np.inf
    bpm[1:] = 60.0 * sample_rate / (HOP_LENGTH * np.arange(1, len(bpm)))
    prior = -0.5 * np.square(np.log2(bpm) - np.log2(_USUAL_BPM))
    prior[: int(np.argmax(bpm < _HIGHEST_BPM))] = -np.inf
    return float(bpm[np.argmax(np.log1p(1e6 * mean_autocorrelation) + prior)])
