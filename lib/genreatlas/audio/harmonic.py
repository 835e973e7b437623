"""Harmonic/percussive separation by median filtering (Fitzgerald 2010; Driedger et al. 2014).

The reference is librosa's. Extraction uses the functions with the prefix ``fast_``: sliding medians over 31 frames and
31 bins, as in librosa, and a single inverse transform.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, Array
from genreatlas.audio.graph import REFERENCE_GRAPH, fast
from genreatlas.audio.librosa_loading import librosa

if TYPE_CHECKING:
    from genreatlas.audio.kernels.transform import Spectrum

_AT_ONCE = 64
_OVERLAP = N_FFT // HOP_LENGTH


@REFERENCE_GRAPH.feature
def hpss(stft: npt.NDArray[np.complexfloating]) -> tuple[npt.NDArray, npt.NDArray]:
    """Harmonic and percussive parts of the transform, by soft masks from medians over 31 frames and over 31 bins."""
    return librosa().decompose.hpss(stft)


@REFERENCE_GRAPH.feature
def harmonic(hpss: tuple[npt.NDArray, npt.NDArray], samples: Array) -> Array:
    """The harmonic signal, (n,), full scale is 1; the first output of ``librosa.effects.hpss``."""
    return _wave(hpss[0], samples)


@fast
def fast_harmonic(spectrum: "Spectrum", samples: Array) -> Array:
    """The harmonic signal, (n,): soft mask, inverse transform, overlap-add."""
    from genreatlas.audio.kernels.separation import masked, sliding_median
    from genreatlas.audio.kernels.transform import to_frames

    assert spectrum.parts is not None
    over_time = sliding_median(to_frames(spectrum.magnitude))
    over_bins = np.empty_like(spectrum.magnitude.values)
    for block, medians in zip(spectrum.magnitude.values, over_bins, strict=True):
        sliding_median(block, medians)
    return inverse(masked(spectrum.parts, over_time, over_bins), len(samples))


@REFERENCE_GRAPH.feature
def percussive(hpss: tuple[npt.NDArray, npt.NDArray], samples: Array) -> Array:
    """The percussive signal, (n,), full scale is 1; the second output of ``librosa.effects.hpss``."""
    return _wave(hpss[1], samples)


@fast
def fast_percussive(samples: Array, harmonic: Array) -> Array:
    """The percussive signal, (n,): the samples minus the harmonic signal, because the two masks sum to one."""
    return samples - harmonic


def _wave(spectrum: npt.NDArray, samples: Array) -> Array:
    return librosa().istft(spectrum, dtype=samples.dtype, n_fft=N_FFT, hop_length=HOP_LENGTH, length=samples.shape[-1])


def inverse(frames: npt.NDArray[np.complex64], n_samples: int) -> npt.NDArray[np.float32]:
    """``librosa.istft`` of (n_frames, n_bins), (n_samples,) float32.

    The divisor, the sum of squared windows, is constant except in the outermost three hops.
    """
    import scipy.fft

    n_frames = len(frames)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)
    hops = np.zeros((n_frames + _OVERLAP - 1, HOP_LENGTH), dtype=np.float32)
    for first in range(0, n_frames, _AT_ONCE):
        wave = scipy.fft.irfft(frames[first : first + _AT_ONCE], n=N_FFT)
        wave *= window
        parts = wave.reshape(len(wave), _OVERLAP, HOP_LENGTH)
        for i in range(_OVERLAP):
            hops[first + i : first + i + len(wave)] += parts[:, i]
    squares = np.square(window).reshape(_OVERLAP, HOP_LENGTH)
    for row in {*range(min(_OVERLAP, len(hops))), *range(max(0, len(hops) - _OVERLAP), len(hops))}:
        present = [squares[i] for i in range(_OVERLAP) if 0 <= row - i < n_frames]
        total = np.sum(present, axis=0)
        hops[row] /= np.where(total > np.finfo(np.float32).tiny, total, np.float32(1))
    if len(hops) > 2 * _OVERLAP:
        hops[_OVERLAP:-_OVERLAP] /= squares.sum(axis=0)
    signal = hops.reshape(-1)[N_FFT // 2 :]
    return signal[:n_samples] if len(signal) >= n_samples else np.pad(signal, (0, n_samples - len(signal)))
