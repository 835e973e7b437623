"""Spectral features per frame, root mean square and zero crossings.

Features are (n_frames,) or (n_bands, n_frames), computed by librosa with its defaults. Each is followed by its fast
implementation, which reads one shared transform. The shape of the spectrum is NaN for a clip of digital silence; a
silent frame within a clip keeps librosa's value (0, or 1 for flatness), as in published tables.

The ``nominal_`` features label frequencies as if the sample rate were 22,050 Hz. FMA's table was made like this from
signals at 44.1 kHz: its extractor passes spectra without their rate, and librosa assumes 22,050 Hz. Values in Hz are
then half of the true ones, and contrast bands are twice as high.

References: Klapuri & Davy 2006, ch. 5; Jiang et al. 2002 (contrast).
"""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, SAMPLE_RATE, Array
from genreatlas.audio.graph import REFERENCE_GRAPH, fast
from genreatlas.audio.librosa_loading import librosa

if TYPE_CHECKING:
    from genreatlas.audio.kernels.transform import Spectrum

#: Amplitude below which samples underflow in float32 spectra.
_NOTHING = 1e-25
_TINY = float(np.finfo(np.float32).tiny)
_CHUNKS = N_FFT // HOP_LENGTH


@REFERENCE_GRAPH.feature
def stft(samples: Array) -> npt.NDArray[np.complexfloating]:
    """Short-time Fourier transform: periodic Hann window, centred frames, zeros beyond the ends.

    Parameters
    ----------
    samples : (n,) mono, full scale is 1

    Returns
    -------
    (1 + N_FFT / 2, n_frames) complex64; n_frames = 1 + n // HOP_LENGTH
    """
    return librosa().stft(samples, n_fft=N_FFT, hop_length=HOP_LENGTH)


@fast
def fast_spectrum(samples: Array, needed: frozenset[str]) -> "Spectrum":
    """The short-time Fourier transform shared by all spectral nodes, complex only if phases are needed."""
    librosa()  # loaded before numba, so that numba finds its cache
    from genreatlas.audio.kernels.transform import spectrum as transform

    return transform(samples, with_parts="harmonic" in needed)


@REFERENCE_GRAPH.feature
def magnitude(stft: npt.NDArray[np.complexfloating]) -> Array:
    """Magnitude spectrum, (n_bins, n_frames)."""
    return np.abs(stft)


@fast
def fast_magnitude(spectrum: "Spectrum") -> Array:
    """Magnitude spectrum in the reference's layout, (n_bins, n_frames), for nodes without a fast implementation."""
    from genreatlas.audio.kernels.transform import to_frames

    return to_frames(spectrum.magnitude).T


@REFERENCE_GRAPH.feature
def power(magnitude: Array) -> Array:
    """Power spectrum, (n_bins, n_frames). Squared as librosa does, so that results are bit-identical."""
    return magnitude**2.0


@REFERENCE_GRAPH.feature
def silent(magnitude: Array) -> bool:
    """Whether the clip is digital silence; its spectral shape is then undefined."""
    return not magnitude.any()


@fast
def fast_silent(samples: Array) -> bool:
    """Whether the clip is digital silence."""
    return bool(max(samples.max(initial=0.0), -samples.min(initial=0.0)) < _NOTHING)


@REFERENCE_GRAPH.feature
def spectral_centroid(magnitude: Array, sample_rate: int, silent: bool) -> Array:
    """Centre of mass of the magnitude spectrum, (n_frames,) Hz."""
    return undefined_if(silent, librosa().feature.spectral_centroid(S=magnitude, sr=sample_rate)[0])


@fast
def fast_spectral_centroid(bin_sums: Array, sample_rate: int, silent: bool) -> Array:
    """Centre of mass of the magnitude spectrum, (n_frames,) Hz."""
    return undefined_if(silent, bin_sums[1] / bin_sums[0] * (sample_rate / N_FFT))


@REFERENCE_GRAPH.feature
def spectral_bandwidth(magnitude: Array, sample_rate: int, silent: bool) -> Array:
    """Standard deviation of frequency around the centroid, weighted by magnitude, (n_frames,) Hz."""
    return undefined_if(silent, librosa().feature.spectral_bandwidth(S=magnitude, sr=sample_rate)[0])


@fast
def fast_spectral_bandwidth(bin_sums: Array, sample_rate: int, silent: bool) -> Array:
    """Standard deviation of frequency, (n_frames,) Hz, computed as the root of E[f^2] - E[f]^2 over bins."""
    centre = bin_sums[1] / bin_sums[0]
    spread = np.sqrt(np.maximum(bin_sums[2] / bin_sums[0] - centre * centre, 0.0))
    return undefined_if(silent, spread * (sample_rate / N_FFT))


@fast
def fast_bin_sums(spectrum: "Spectrum") -> npt.NDArray[np.float64]:
    """Sums of m, k m and k^2 m over bins k of magnitude m, (3, n_frames). A silent frame's first sum is 1."""
    from genreatlas.audio.kernels.bins import bin_sums as sums

    result = sums(spectrum.magnitude)
    result[0, result[0] < _TINY] = 1.0
    return result


@REFERENCE_GRAPH.feature
def spectral_rolloff(magnitude: Array, sample_rate: int, silent: bool) -> Array:
    """Frequency below which 85 % of the magnitude lies, (n_frames,) Hz."""
    return undefined_if(silent, librosa().feature.spectral_rolloff(S=magnitude, sr=sample_rate)[0])


@fast
def fast_spectral_rolloff(spectrum: "Spectrum", sample_rate: int, silent: bool) -> Array:
    """Frequency below which 85 % of the magnitude lies, (n_frames,) Hz."""
    from genreatlas.audio.kernels.bins import rolloff_bins

    return undefined_if(silent, rolloff_bins(spectrum.magnitude, 0.85) * (sample_rate / N_FFT))


@REFERENCE_GRAPH.feature
def spectral_contrast(magnitude: Array, sample_rate: int, silent: bool) -> Array:
    """Peaks minus valleys in dB in seven bands: below 200 Hz, then octaves upwards, (7, n_frames) dB."""
    return undefined_if(silent, librosa().feature.spectral_contrast(S=magnitude, sr=sample_rate))


@fast
def fast_spectral_contrast(spectrum: "Spectrum", sample_rate: int, silent: bool) -> Array:
    """Peaks minus valleys in dB in seven bands, (7, n_frames) dB."""
    return undefined_if(silent, _contrast(spectrum, sample_rate))


@REFERENCE_GRAPH.feature
def spectral_flatness(magnitude: Array, silent: bool) -> Array:
    """Geometric over arithmetic mean of the power spectrum, (n_frames,): 0 for a tone, near 1 for white noise."""
    return undefined_if(silent, librosa().feature.spectral_flatness(S=magnitude)[0])


@fast
def fast_spectral_flatness(spectrum: "Spectrum", silent: bool) -> Array:
    """Geometric over arithmetic mean of the power spectrum, (n_frames,)."""
    from genreatlas.audio.kernels.bins import flatness

    return undefined_if(silent, flatness(spectrum.magnitude, 1e-10))


@REFERENCE_GRAPH.feature
def rms(samples: Array) -> Array:
    """Root mean square of each frame's samples, (n_frames,), full scale is 1.

    Computed from the samples, because the spectrum is windowed and gives other values.
    """
    return librosa().feature.rms(y=samples, frame_length=N_FFT, hop_length=HOP_LENGTH)[0]


@fast
def fast_rms(samples: Array) -> Array:
    """Root mean square of each frame's samples, (n_frames,)."""
    librosa()
    from genreatlas.audio.kernels.waves import chunk_energy

    return np.sqrt(_over_frames(chunk_energy(samples, HOP_LENGTH), len(samples)) / N_FFT)


@REFERENCE_GRAPH.feature
def zero_crossing_rate(samples: Array) -> Array:
    """Share of samples at which the sign changes, (n_frames,)."""
    return librosa().feature.zero_crossing_rate(samples, frame_length=N_FFT, hop_length=HOP_LENGTH)[0]


@fast
def fast_zero_crossing_rate(samples: Array) -> Array:
    """Share of samples at which the sign changes, (n_frames,). A change at a frame's first sample is not counted."""
    librosa()
    from genreatlas.audio.kernels.waves import chunk_crossings

    changes, at_first = chunk_crossings(samples, HOP_LENGTH)
    crossings = _over_frames(changes, len(samples))
    first = np.arange(len(crossings)) - _CHUNKS // 2
    there = first > 0
    crossings[there] -= at_first[first[there]]
    return crossings / N_FFT


@REFERENCE_GRAPH.feature
def rms_spectral(magnitude: Array) -> Array:
    """Root mean square of each Hann-windowed frame, computed from the spectrum by Parseval's theorem, (n_frames,)."""
    return librosa().feature.rms(S=magnitude, frame_length=N_FFT)[0]


@fast
def fast_rms_spectral(spectrum: "Spectrum") -> Array:
    """Root mean square of each Hann-windowed frame, computed from the spectrum by Parseval's theorem, (n_frames,)."""
    from genreatlas.audio.kernels.bins import wide_bands

    weights = np.full((N_FFT // 2 + 1, 1), 2.0 / N_FFT**2, dtype=np.float32)
    weights[[0, -1]] /= 2.0
    return np.sqrt(wide_bands(spectrum.magnitude, weights)[0])


@REFERENCE_GRAPH.feature
def nominal_centroid(spectral_centroid: Array, sample_rate: int) -> Array:
    """Centroid with bins labelled for 22,050 Hz, (n_frames,)."""
    return spectral_centroid * (SAMPLE_RATE / sample_rate)


@REFERENCE_GRAPH.feature
def nominal_bandwidth(spectral_bandwidth: Array, sample_rate: int) -> Array:
    """Bandwidth with bins labelled for 22,050 Hz, (n_frames,)."""
    return spectral_bandwidth * (SAMPLE_RATE / sample_rate)


@REFERENCE_GRAPH.feature
def nominal_rolloff(spectral_rolloff: Array, sample_rate: int) -> Array:
    """Roll-off with bins labelled for 22,050 Hz, (n_frames,)."""
    return spectral_rolloff * (SAMPLE_RATE / sample_rate)


@REFERENCE_GRAPH.feature
def nominal_contrast(magnitude: Array, silent: bool) -> Array:
    """Contrast with bands for a sample rate of 22,050 Hz, (7, n_frames) dB."""
    return undefined_if(silent, librosa().feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE))


@fast
def fast_nominal_contrast(spectrum: "Spectrum", silent: bool) -> Array:
    """Contrast with bands for a sample rate of 22,050 Hz, (7, n_frames) dB."""
    return undefined_if(silent, _contrast(spectrum, SAMPLE_RATE))


def undefined_if(condition: bool, values: Any) -> Any:
    """Return the values, or NaN in their shape if the condition holds. NaN is stored as NULL."""
    return np.full_like(values, np.nan) if condition else values


def decibels(power: Array) -> Array:
    """``librosa.power_to_db`` with its defaults: reference 1, floor 1e-10, clipped at 80 dB below the maximum."""
    level = np.log10(np.maximum(power, power.dtype.type(1e-10)))
    level *= power.dtype.type(10.0)
    return np.maximum(level, level.max() - power.dtype.type(80.0), out=level)


@functools.lru_cache(maxsize=8)
def contrast_bands(sample_rate: int) -> tuple[npt.NDArray[np.int64], ...]:
    """First bin, end bin and number of bins in the 2 % quantile of each contrast band, by librosa's rules.

    Each band but the first begins one bin below its lowest frequency, and each but the last ends one bin early. The
    2 % are taken of the size before that last bin is dropped.
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


def _over_frames(chunks: npt.NDArray, n_samples: int) -> Array:
    """Sums of the four chunks in each centred frame."""
    n_frames = 1 + n_samples // HOP_LENGTH
    padded = np.zeros(n_frames + _CHUNKS - 1, dtype=np.float64)
    start = _CHUNKS // 2
    padded[start : start + len(chunks)] = chunks[: len(padded) - start]
    return np.sum([padded[i : i + n_frames] for i in range(_CHUNKS)], axis=0)


def _contrast(spectrum: "Spectrum", sample_rate: int) -> Array:
    from genreatlas.audio.kernels.bins import extremes

    peaks, valleys = extremes(spectrum.magnitude, *contrast_bands(sample_rate))
    return decibels(peaks) - decibels(valleys)
