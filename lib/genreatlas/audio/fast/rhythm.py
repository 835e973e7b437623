"""Onsets and tempo."""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, Array
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.rhythm import FAINTEST_ONSET_DB
from genreatlas.audio.tempogram import TEMPOGRAM_FRAMES

_WINDOW_S, _USUAL_BPM, _HIGHEST_BPM = 8.0, 120.0, 320.0


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

    The mean of ``librosa.feature.tempogram``, (n_lags,).
    """
    return _autocorrelation_around(onset_envelope, int(_WINDOW_S * sample_rate / HOP_LENGTH))[1]


def sliding_tempogram(onset_strength: Array) -> tuple[Array, npt.NDArray[np.float64]]:
    """The tempogram by frame and lag, (n_frames, 384), and its mean over time, (384,)."""
    return _autocorrelation_around(onset_strength, TEMPOGRAM_FRAMES)


def tempogram(sliding_tempogram: tuple[Array, Array]) -> Array:
    """Local autocorrelation of the onset strength, (384, n_frames)."""
    return sliding_tempogram[0].T


def tempogram_mean(sliding_tempogram: tuple[Array, Array]) -> Array:
    """The tempogram's mean over time, (384,)."""
    return sliding_tempogram[1]


def _autocorrelation_around(envelope: Array, length: int) -> tuple[Array, npt.NDArray[np.float64]]:
    from genreatlas.audio.kernels.autocorrelation import local_autocorrelation

    padded = np.pad(np.asarray(envelope, np.float32), length // 2, mode="linear_ramp", end_values=0)
    return local_autocorrelation(padded[: len(envelope) + length - 1], length)


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
