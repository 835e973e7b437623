"""Mel bands and mel-frequency cepstral coefficients (Davis & Mermelstein 1980): the spectral envelope.

Also the deltas of the coefficients, and the mean and full covariance over a clip's frames, a Gaussian model of timbre.
Extraction uses the functions with the prefix ``fast_`` instead of librosa's.
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

#: Number of coefficients used, each with its delta.
COEFFICIENTS = 13

#: Frames over which a delta is fitted, librosa's default. Undefined for shorter clips.
_SLOPE_FRAMES = 9


@REFERENCE_GRAPH.feature
def mel_power(power: Array, sample_rate: int) -> Array:
    """Power in 128 mel bands (Slaney's scale, area-normalised), (128, n_frames)."""
    return librosa().feature.melspectrogram(S=power, sr=sample_rate)


@fast
def fast_mel_power(spectrum: "Spectrum", sample_rate: int) -> Array:
    """Power in 128 mel bands, (128, n_frames). Each bin is within at most two of the triangular filters."""
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
    """Twenty coefficients, (20, n_frames); the first n equal librosa's for ``n_mfcc=n``.

    Orthonormal DCT-II of the mel bands in dB. Also defined for silence, because the bands have a floor of -100 dB.
    """
    return librosa().feature.mfcc(S=mel_db, n_mfcc=20)


@fast
def fast_mfcc(mel_db: Array) -> Array:
    """Twenty coefficients, (20, n_frames): orthonormal DCT-II of the mel bands.

    A matrix product with only these rows would be five times as fast, but BLAS rounds a frame differently depending on
    its position, and the frames of silence must be equal, so that their moments are undefined.
    """
    import scipy.fft

    return scipy.fft.dct(mel_db, axis=0, type=2, norm="ortho")[:_N_MFCC]


@REFERENCE_GRAPH.feature
def mfcc_with_deltas(mfcc: Array) -> Array:
    """13 coefficients and their deltas, (26, n_frames); deltas are NaN in a clip of fewer than nine frames.

    ``librosa.feature.delta`` over nine frames: the derivative of a polynomial fit (Savitzky & Golay 1964).
    """
    used = np.asarray(mfcc[:COEFFICIENTS], dtype=np.float64)
    if used.shape[1] < _SLOPE_FRAMES:
        return np.concatenate([used, np.full_like(used, np.nan)])
    return np.concatenate([used, librosa().feature.delta(used, width=_SLOPE_FRAMES)])


@REFERENCE_GRAPH.feature
def mfcc_mean_and_covariance(mfcc_with_deltas: Array) -> Array:
    """Means, then the upper triangle of the covariance by rows, (26 + 351,). The covariance is divided by n.

    References: Mandel & Ellis 2005, "Song-level features and support vector machines for music classification".
    """
    means = mfcc_with_deltas.mean(axis=1)
    centred = mfcc_with_deltas - means[:, np.newaxis]
    covariance = centred @ centred.T / mfcc_with_deltas.shape[1]
    return np.concatenate([means, covariance[np.triu_indices(len(means))]])


@functools.lru_cache(maxsize=8)
def _mel_filters(sample_rate: int) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(librosa().filters.mel(sr=sample_rate, n_fft=N_FFT), dtype=np.float32)
