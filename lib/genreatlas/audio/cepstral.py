"""Mel bands and mel-frequency cepstral coefficients (Davis & Mermelstein 1980): the coarse shape of the spectrum.

Of the coefficients also their slopes, and how a clip's frames lie together: mean and full covariance, as one Gaussian
of timbre. A function called ``fast_`` is what extraction uses in place of librosa's.
"""

import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import N_FFT, Array
from genreatlas.audio.graph import REFERENCE_GRAPH, fast
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.spectral import decibels

if TYPE_CHECKING:
    from genreatlas.audio.kernels.transform import Spectrum

_N_MFCC = 20

#: Coefficients that are used, each with its slope.
COEFFICIENTS = 13

#: Frames that a slope is fitted to, librosa's default; a shorter clip has none.
_SLOPE_FRAMES = 9


@REFERENCE_GRAPH.feature
def mel_power(power: Array, sample_rate: int) -> Array:
    """Power in 128 mel bands (Slaney's scale, area-normalised), (128, n_frames)."""
    return librosa().feature.melspectrogram(S=power, sr=sample_rate)


@fast
def fast_mel_power(spectrum: "Spectrum", sample_rate: int) -> Array:
    """Power in 128 mel bands, (128, n_frames). A bin lies in two of the triangles."""
    from genreatlas.audio.kernels.bins import narrow_bands

    return narrow_bands(spectrum.magnitude, _mel_filters(sample_rate))


@REFERENCE_GRAPH.feature
def mel_db(mel_power: Array) -> Array:
    """The mel bands in decibels, at most 80 dB below the loudest, (128, n_frames) dB."""
    return librosa().power_to_db(mel_power)


@fast
def fast_mel_db(mel_power: Array) -> Array:
    """The mel bands in decibels, at most 80 dB below the loudest, (128, n_frames) dB."""
    return decibels(mel_power)


@REFERENCE_GRAPH.feature
def mfcc(mel_db: Array) -> Array:
    """Twenty coefficients, (20, n_frames); the first n are what librosa gives for ``n_mfcc=n``.

    Orthonormal DCT-II of the mel bands in dB. Defined in silence too: the bands stop at a floor of -100 dB.
    """
    return librosa().feature.mfcc(S=mel_db, n_mfcc=20)


@fast
def fast_mfcc(mel_db: Array) -> Array:
    """Twenty coefficients, (20, n_frames): orthonormal DCT-II of the mel bands.

    A product with the first rows alone would be five times as fast, but BLAS rounds frames differently by where they
    stand, and in silence frames must be equal for their moments to be undefined.
    """
    import scipy.fft

    return scipy.fft.dct(mel_db, axis=0, type=2, norm="ortho")[:_N_MFCC]


@REFERENCE_GRAPH.feature
def mfcc_with_deltas(mfcc: Array) -> Array:
    """13 coefficients and their slopes over nine frames, (26, n_frames); slopes are NaN below nine frames.

    The slope is of a parabola fitted around each frame (Savitzky & Golay 1964), as ``librosa.feature.delta`` has it.
    """
    used = np.asarray(mfcc[:COEFFICIENTS], dtype=np.float64)
    if used.shape[1] < _SLOPE_FRAMES:
        return np.concatenate([used, np.full_like(used, np.nan)])
    return np.concatenate([used, librosa().feature.delta(used, width=_SLOPE_FRAMES)])


@REFERENCE_GRAPH.feature
def mfcc_mean_and_covariance(mfcc_with_deltas: Array) -> Array:
    """Means, then the upper triangle of the covariance row by row, (26 + 351,); covariance divides by n.

    References: Mandel & Ellis 2005, "Song-level features and support vector machines for music classification".
    """
    means = mfcc_with_deltas.mean(axis=1)
    centred = mfcc_with_deltas - means[:, np.newaxis]
    covariance = centred @ centred.T / mfcc_with_deltas.shape[1]
    return np.concatenate([means, covariance[np.triu_indices(len(means))]])


@functools.lru_cache(maxsize=8)
def _mel_filters(sample_rate: int) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(librosa().filters.mel(sr=sample_rate, n_fft=N_FFT), dtype=np.float32)
