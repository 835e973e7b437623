"""Mel bands and cepstral coefficients."""

import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genreatlas.audio.fast.spectral import decibels
from genreatlas.audio.frames import N_FFT, Array
from genreatlas.audio.librosa_loading import librosa

if TYPE_CHECKING:
    from genreatlas.audio.kernels.transform import Spectrum

_N_MELS, _N_MFCC = 128, 20


def mel_power(spectrum: "Spectrum", sample_rate: int) -> Array:
    """Power in 128 mel bands, (128, n_frames). A bin lies in two of the triangles."""
    from genreatlas.audio.kernels.filters import narrow_bands

    return narrow_bands(spectrum.magnitude, _mel_filters(sample_rate))


def mel_db(mel_power: Array) -> Array:
    """The mel bands in decibels, at most 80 dB below the loudest, (128, n_frames) dB."""
    return decibels(mel_power)


def mfcc(mel_db: Array) -> Array:
    """Twenty coefficients, (20, n_frames): the first rows of the orthonormal DCT-II, as one product."""
    return _cosines() @ mel_db


@functools.lru_cache(maxsize=8)
def _mel_filters(sample_rate: int) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(librosa().filters.mel(sr=sample_rate, n_fft=N_FFT), dtype=np.float32)


@functools.cache
def _cosines() -> npt.NDArray[np.float32]:
    angles = np.pi / _N_MELS * (np.arange(_N_MELS) + 0.5) * np.arange(_N_MFCC)[:, np.newaxis]
    scale = np.where(np.arange(_N_MFCC) == 0, np.sqrt(1.0 / _N_MELS), np.sqrt(2.0 / _N_MELS))
    return (np.cos(angles) * scale[:, np.newaxis]).astype(np.float32)
