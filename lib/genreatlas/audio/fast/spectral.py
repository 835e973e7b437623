"""The spectrum, and everything that is read from one frame of it or of the samples."""

import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, SAMPLE_RATE, Array
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.spectra import undefined_if

if TYPE_CHECKING:
    from genreatlas.audio.kernels.transform import Spectrum

#: Below this, samples vanish in float32 spectra.
_NOTHING = 1e-25
_TINY = float(np.finfo(np.float32).tiny)
_CHUNKS = N_FFT // HOP_LENGTH


def spectrum(samples: Array, needed: frozenset[str]) -> "Spectrum":
    """The one short-time Fourier transform that all spectral nodes share; complex values only where phases matter."""
    librosa()  # before numba, which then finds its cache
    from genreatlas.audio.kernels.transform import spectrum as transform

    return transform(samples, with_parts="harmonic" in needed)


def magnitude(spectrum: "Spectrum") -> Array:
    """Magnitude spectrum as the reference lays it out, (n_bins, n_frames); for nodes without a fast form."""
    from genreatlas.audio.kernels.lanes import to_frames

    return to_frames(spectrum.magnitude).T


def silent(samples: Array) -> bool:
    """Whether the clip is digital silence."""
    return bool(max(samples.max(initial=0.0), -samples.min(initial=0.0)) < _NOTHING)


def bin_sums(spectrum: "Spectrum") -> npt.NDArray[np.float64]:
    """Sums of magnitude, of bin times it, of bin squared times it, (3, n_frames); an empty frame sums to 1."""
    from genreatlas.audio.kernels.shape import bin_sums as sums

    result = sums(spectrum.magnitude)
    result[0, result[0] < _TINY] = 1.0
    return result


def spectral_centroid(bin_sums: Array, sample_rate: int, silent: bool) -> Array:
    """Centre of mass of the magnitude spectrum, (n_frames,) Hz."""
    return undefined_if(silent, bin_sums[1] / bin_sums[0] * (sample_rate / N_FFT))


def spectral_bandwidth(bin_sums: Array, sample_rate: int, silent: bool) -> Array:
    """Spread around the centroid, (n_frames,) Hz: the root of mean square less squared mean, over bins."""
    centre = bin_sums[1] / bin_sums[0]
    spread = np.sqrt(np.maximum(bin_sums[2] / bin_sums[0] - centre * centre, 0.0))
    return undefined_if(silent, spread * (sample_rate / N_FFT))


def spectral_rolloff(spectrum: "Spectrum", sample_rate: int, silent: bool) -> Array:
    """Frequency below which 85 % of the magnitude lies, (n_frames,) Hz."""
    from genreatlas.audio.kernels.shape import rolloff_bins

    return undefined_if(silent, rolloff_bins(spectrum.magnitude, 0.85) * (sample_rate / N_FFT))


def spectral_contrast(spectrum: "Spectrum", sample_rate: int, silent: bool) -> Array:
    """Level of peaks over valleys in seven bands, (7, n_frames) dB."""
    return undefined_if(silent, _contrast(spectrum, sample_rate))


def nominal_contrast(spectrum: "Spectrum", silent: bool) -> Array:
    """Contrast with bands for 22,050 Hz, (7, n_frames) dB."""
    return undefined_if(silent, _contrast(spectrum, SAMPLE_RATE))


def spectral_flatness(spectrum: "Spectrum", silent: bool) -> Array:
    """Geometric over arithmetic mean of the power spectrum, (n_frames,)."""
    from genreatlas.audio.kernels.shape import flatness

    return undefined_if(silent, flatness(spectrum.magnitude, 1e-10))


def rms_spectral(spectrum: "Spectrum") -> Array:
    """Root mean square of the windowed frame by Parseval, (n_frames,)."""
    from genreatlas.audio.kernels.filters import wide_bands

    weights = np.full((N_FFT // 2 + 1, 1), 2.0 / N_FFT**2, dtype=np.float32)
    weights[[0, -1]] /= 2.0
    return np.sqrt(wide_bands(spectrum.magnitude, weights)[0])


def rms(samples: Array) -> Array:
    """Root of the mean square of each frame's samples, (n_frames,)."""
    librosa()
    from genreatlas.audio.kernels.waves import chunk_energy

    return np.sqrt(_over_frames(chunk_energy(samples, HOP_LENGTH), len(samples)) / N_FFT)


def zero_crossing_rate(samples: Array) -> Array:
    """Share of samples at which the sign changes, (n_frames,); none at a frame's first sample."""
    librosa()
    from genreatlas.audio.kernels.waves import chunk_crossings

    changes, at_first = chunk_crossings(samples, HOP_LENGTH)
    crossings = _over_frames(changes, len(samples))
    first = np.arange(len(crossings)) - _CHUNKS // 2
    there = first > 0
    crossings[there] -= at_first[first[there]]
    return crossings / N_FFT


def _over_frames(chunks: npt.NDArray, n_samples: int) -> Array:
    """Sums of the four chunks that lie in each centred frame."""
    n_frames = 1 + n_samples // HOP_LENGTH
    padded = np.zeros(n_frames + _CHUNKS - 1, dtype=np.float64)
    start = _CHUNKS // 2
    padded[start : start + len(chunks)] = chunks[: len(padded) - start]
    return np.sum([padded[i : i + n_frames] for i in range(_CHUNKS)], axis=0)


def decibels(power: Array) -> Array:
    """``librosa.power_to_db`` with its defaults: reference 1, floor 1e-10, at most 80 dB below the loudest."""
    level = np.log10(np.maximum(power, power.dtype.type(1e-10)))
    level *= power.dtype.type(10.0)
    return np.maximum(level, level.max() - power.dtype.type(80.0), out=level)


def _contrast(spectrum: "Spectrum", sample_rate: int) -> Array:
    from genreatlas.audio.kernels.shape import extremes

    peaks, valleys = extremes(spectrum.magnitude, *contrast_bands(sample_rate))
    return decibels(peaks) - decibels(valleys)


@functools.lru_cache(maxsize=8)
def contrast_bands(sample_rate: int) -> tuple[npt.NDArray[np.int64], ...]:
    """First bin, end and size of the 2 % of each contrast band, by librosa's rules.

    A band begins one bin before its lowest frequency and ends one bin early, except for the first and the last;
    the 2 % are counted before that bin is dropped.
    """
    frequencies = np.fft.rfftfreq(N_FFT, 1.0 / sample_rate)
    edges = np.concatenate([[0.0], 200.0 * 2.0 ** np.arange(7)])
    lows, highs, counts = [], [], []
    for band in range(7):
        inside = np.flatnonzero((frequencies >= edges[band]) & (frequencies <= edges[band + 1]))
        low = inside[0] - (band > 0)
        high = len(frequencies) if band == 6 else inside[-1] + 1
        lows.append(low)
        highs.append(high - (band < 6))
        counts.append(max(1, int(np.rint(0.02 * (high - low)))))
    return np.array(lows), np.array(highs), np.array(counts)
