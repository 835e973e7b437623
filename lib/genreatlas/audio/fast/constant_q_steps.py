"""Single frames of the constant-Q transform by librosa's own steps, equal to the bit.

The products of :mod:`genreatlas.audio.fast.constant_q` round differently, by 1e-7 of a frame's sum in music and up to
5e-6 where nothing sounds but rounding. That is nothing, except for a share that lies on a step of CENS: such frames
come here. Transform in float64, kept in complex64, and one sparse product an octave, each with its own filters.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import Array
from genreatlas.audio.librosa_loading import librosa

_BINS = 12
_SPARSITY = 0.01


class Octave(NamedTuple):
    """Twelve filters, and what their products are divided by.

    Parameters
    ----------
    filters : (12, n_bins) sparse complex64, for the rate of the octave.
    roots : (12, 1) square roots of the filters' lengths at the rate of the top octave.
    """

    filters: Any
    roots: npt.NDArray[np.float64]


def octave_of_frames(frames: Array, octave: Octave) -> npt.NDArray[np.float32]:
    """Magnitudes of the octave's twelve bins, (12, n).

    Parameters
    ----------
    frames : (n_fft, n) float32, a frame a column.
    """
    import scipy.fft

    spectrum = scipy.fft.rfft(frames.astype(np.float64), axis=0).astype(np.complex64)
    product = octave.filters.dot(spectrum)
    product /= octave.roots
    return np.abs(product)


@functools.lru_cache(maxsize=256)
def octaves(sample_rate: float, tuning: float, count: int) -> tuple[Octave, ...]:
    """Filters from the highest octave down, as ``librosa.vqt`` makes them.

    Parameters
    ----------
    sample_rate : of the signal from which the top octave is computed; each lower octave has half the rate. [Hz]
    tuning : deviation from A = 440 Hz in semitones.
    """
    frequencies = constant_q_frequencies(tuning, count)
    bandwidths = relative_bandwidths(frequencies)
    lengths, _ = librosa().filters.wavelet_lengths(freqs=frequencies, sr=sample_rate, gamma=0, alpha=bandwidths)
    made = []
    for octave in range(count):
        rate = sample_rate / 2.0**octave
        part = slice((count - 1 - octave) * _BINS, (count - octave) * _BINS)
        filters = filters_of_octave(frequencies[part], bandwidths[part], rate)
        filters[:] *= np.sqrt(sample_rate / rate)
        made.append(Octave(filters, np.sqrt(lengths[part])[:, np.newaxis]))
    return tuple(made)


def constant_q_frequencies(tuning: float, count: int) -> npt.NDArray[np.float64]:
    """Centres of the bins from C1 up, (12 * count,) Hz."""
    lowest = librosa().note_to_hz("C1") * 2.0 ** (tuning / _BINS)
    return librosa().interval_frequencies(
        _BINS * count, fmin=lowest, intervals="equal", bins_per_octave=_BINS, sort=True
    )


def relative_bandwidths(frequencies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bandwidths over frequencies, from the distances to both neighbours (a constant but for rounding)."""
    octaves_up = np.log2(frequencies)
    apart = np.empty_like(frequencies)
    apart[0], apart[-1] = 1 / (octaves_up[1] - octaves_up[0]), 1 / (octaves_up[-1] - octaves_up[-2])
    apart[1:-1] = 2 / (octaves_up[2:] - octaves_up[:-2])
    return (2.0 ** (2 / apart) - 1) / (2.0 ** (2 / apart) + 1)


def filters_of_octave(frequencies: Array, bandwidths: Array, sample_rate: float) -> Any:
    """Wavelets in the frequency domain without their smallest values, (12, 1 + n_fft / 2) sparse complex64."""
    import scipy.fft

    basis, lengths = librosa().filters.wavelet(
        freqs=frequencies, sr=sample_rate, norm=1, pad_fft=True, gamma=0, alpha=bandwidths
    )
    n_fft = basis.shape[1]
    basis *= lengths[:, np.newaxis] / float(n_fft)
    half = scipy.fft.fft(basis, n=n_fft, axis=1)[:, : n_fft // 2 + 1]
    return librosa().util.sparsify_rows(half, quantile=_SPARSITY, dtype=np.complex64)
