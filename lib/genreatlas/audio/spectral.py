"""The spectrum, its shape in each frame, and two measures of the wave itself.

All of them are (n_frames,) or (n_bands, n_frames), from librosa with its defaults; behind each stands its fast form,
which reads the one transform that all share. In a clip of digital silence a spectrum has no shape, and they are NaN; a
silent frame inside a clip keeps the value that librosa gives it (0, or 1 for flatness), as in the tables that others
published.

The ``nominal_`` features label frequencies as if the sample rate were 22,050 Hz. FMA's table was made so from signals
at 44.1 kHz: its extractor passes spectra without their rate, and librosa takes them for 22,050 Hz. "Hz" are then half
of what they say, and contrast bands lie twice as high.

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

#: Below this, samples vanish in float32 spectra.
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
    """The one short-time Fourier transform that all spectral nodes share; complex values only where phases matter."""
    librosa()  # before numba, which then finds its cache
    from genreatlas.audio.kernels.transform import spectrum as transform

    return transform(samples, with_parts="harmonic" in needed)


@REFERENCE_GRAPH.feature
def magnitude(stft: npt.NDArray[np.complexfloating]) -> Array:
    """Magnitude spectrum, (n_bins, n_frames)."""
    return np.abs(stft)


@fast
def fast_magnitude(spectrum: "Spectrum") -> Array:
    """Magnitude spectrum as the reference lays it out, (n_bins, n_frames); for nodes without a fast form."""
    from genreatlas.audio.kernels.transform import to_frames

    return to_frames(spectrum.magnitude).T


@REFERENCE_GRAPH.feature
def power(magnitude: Array) -> Array:
    """Power spectrum, (n_bins, n_frames). Squared exactly as librosa squares it, for equality to the bit."""
    return magnitude**2.0


@REFERENCE_GRAPH.feature
def silent(magnitude: Array) -> bool:
    """Whether every sample of the clip is zero: then no spectrum has a shape that could be described."""
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
    """Spread around the centroid, (n_frames,) Hz: the root of mean square less squared mean, over bins."""
    centre = bin_sums[1] / bin_sums[0]
    spread = np.sqrt(np.maximum(bin_sums[2] / bin_sums[0] - centre * centre, 0.0))
    return undefined_if(silent, spread * (sample_rate / N_FFT))


@fast
def fast_bin_sums(spectrum: "Spectrum") -> npt.NDArray[np.float64]:
    """Sums of magnitude, of bin times it, of bin squared times it, (3, n_frames); an empty frame sums to 1."""
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
    """Level of peaks over valleys in seven bands: below 200 Hz, then octaves up, (7, n_frames) dB."""
    return undefined_if(silent, librosa().feature.spectral_contrast(S=magnitude, sr=sample_rate))


@fast
def fast_spectral_contrast(spectrum: "Spectrum", sample_rate: int, silent: bool) -> Array:
    """Level of peaks over valleys in seven bands, (7, n_frames) dB."""
    return undefined_if(silent, _contrast(spectrum, sample_rate))


@REFERENCE_GRAPH.feature
def spectral_flatness(magnitude: Array, silent: bool) -> Array:
    """Geometric over arithmetic mean of the power spectrum, (n_frames,): 0 a tone, near 1 white noise."""
    return undefined_if(silent, librosa().feature.spectral_flatness(S=magnitude)[0])


@fast
def fast_spectral_flatness(spectrum: "Spectrum", silent: bool) -> Array:
    """Geometric over arithmetic mean of the power spectrum, (n_frames,)."""
    from genreatlas.audio.kernels.bins import flatness

    return undefined_if(silent, flatness(spectrum.magnitude, 1e-10))


@REFERENCE_GRAPH.feature
def rms(samples: Array) -> Array:
    """Root of the mean square of each frame's samples, (n_frames,), full scale is 1.

    From the samples, not from the spectrum: that one is windowed and would give other values.
    """
    return librosa().feature.rms(y=samples, frame_length=N_FFT, hop_length=HOP_LENGTH)[0]


@fast
def fast_rms(samples: Array) -> Array:
    """Root of the mean square of each frame's samples, (n_frames,)."""
    librosa()
    from genreatlas.audio.kernels.waves import chunk_energy

    return np.sqrt(_over_frames(chunk_energy(samples, HOP_LENGTH), len(samples)) / N_FFT)


@REFERENCE_GRAPH.feature
def zero_crossing_rate(samples: Array) -> Array:
    """Share of samples at which the sign changes, (n_frames,)."""
    return librosa().feature.zero_crossing_rate(samples, frame_length=N_FFT, hop_length=HOP_LENGTH)[0]


@fast
def fast_zero_crossing_rate(samples: Array) -> Array:
    """Share of samples at which the sign changes, (n_frames,); none at a frame's first sample."""
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
    """Root of the mean square of each frame after its Hann window, by Parseval from the spectrum, (n_frames,)."""
    return librosa().feature.rms(S=magnitude, frame_length=N_FFT)[0]


@fast
def fast_rms_spectral(spectrum: "Spectrum") -> Array:
    """Root mean square of the windowed frame by Parseval, (n_frames,)."""
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
    """Contrast in the bins that would be 0 to 200 Hz and octaves up at 22,050 Hz, (7, n_frames) dB."""
    return undefined_if(silent, librosa().feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE))


@fast
def fast_nominal_contrast(spectrum: "Spectrum", silent: bool) -> Array:
    """Contrast with bands for 22,050 Hz, (7, n_frames) dB."""
    return undefined_if(silent, _contrast(spectrum, SAMPLE_RATE))


def undefined_if(condition: bool, values: Any) -> Any:
    """The values, or NaN throughout where the condition makes them meaningless. NaN is stored as NULL."""
    return np.full_like(values, np.nan) if condition else values


def decibels(power: Array) -> Array:
    """``librosa.power_to_db`` with its defaults: reference 1, floor 1e-10, at most 80 dB below the loudest."""
    level = np.log10(np.maximum(power, power.dtype.type(1e-10)))
    level *= power.dtype.type(10.0)
    return np.maximum(level, level.max() - power.dtype.type(80.0), out=level)


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


def _over_frames(chunks: npt.NDArray, n_samples: int) -> Array:
    """Sums of the four chunks that lie in each centred frame."""
    n_frames = 1 + n_samples // HOP_LENGTH
    padded = np.zeros(n_frames + _CHUNKS - 1, dtype=np.float64)
    start = _CHUNKS // 2
    padded[start : start + len(chunks)] = chunks[: len(padded) - start]
    return np.sum([padded[i : i + n_frames] for i in range(_CHUNKS)], axis=0)


def _contrast(spectrum: "Spectrum", sample_rate: int) -> Array:
    from genreatlas.audio.kernels.bins import extremes

    peaks, valleys = extremes(spectrum.magnitude, *contrast_bands(sample_rate))
    return decibels(peaks) - decibels(valleys)
