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

_N_MFCC = 20


def mel_power(spectrum: "Spectrum", sample_rate: int) -> Array:
    """Power in 128 mel bands, (128, n_frames). A bin lies in two of the triangles."""
    from genreatlas.audio.kernels.filters import narrow_bands

    return narrow_bands(spectrum.magnitude, _mel_filters(sample_rate))


def mel_db(mel_power: Array) -> Array:
    """The mel bands in decibels, at most 80 dB below the loudest, (128, n_frames) dB."""
    return decibels(mel_power)


def mfcc(mel_db: Array) -> Array:
    """Twenty coefficients, (20, n_frames): orthonormal DCT-II of the mel bands.

    A product with the first rows alone would be five times as fast, but BLAS rounds frames differently by where they
    stand, and in silence frames must be equal for their moments to be undefined.
    """
    import scipy.fft

    return scipy.fft.dct(mel_db, axis=0, type=2, norm="ortho")[:_N_MFCC]


@functools.lru_cache(maxsize=8)
def _mel_filters(sample_rate: int) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(librosa().filters.mel(sr=sample_rate, n_fft=N_FFT), dtype=np.float32)
