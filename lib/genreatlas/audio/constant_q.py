"""The constant-Q transform, computed as one matrix product per octave.

The next lower octave is the same transform of the signal at half the rate with half the hop, so one filter matrix
serves all octaves (up to a factor). Matrices are cached by sample rate and tuning. The filters are librosa's, with the
same sparsification, transformed back to time: a product of (n_frames, 256) samples with (256, 24) values replaces a
Fourier transform and a sparse product. The signal is downsampled by the same soxr calls as in librosa.

The products round differently from librosa's, by 1e-7 of a frame's sum in music and up to 5e-6 in frames that contain
only rounding noise. This matters only for a share close to a quantisation step of CENS. Such frames are computed by
librosa's operations, bit-identical (:func:`octave_of_frames`): a transform in float64, stored as complex64, and one
sparse product per octave with the octave's own filters.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.librosa_loading import librosa

_BINS, _OCTAVES = 12, 7

#: Hop in samples below which frames are copied before the product.
_SHORT_HOP = 64

#: Quantisation steps of CENS, and an upper bound of the rounding error of a share within the limits below.
CENS_STEPS, _ROUNDING = (0.4, 0.2, 0.1, 0.05), 1e-5

#: Limits of products in float32: a frame whose bins sum to less than ``_HEARD`` times its peak sample, or whose peak is
#: below ``_FAINT`` (the residue of resampling), is computed by librosa's operations. The error of a share is up to 6e-7
#: divided by the quotient of sum and peak.
_HEARD, _FAINT = 0.3, 1e-9

#: Share of a filter's total magnitude that is set to zero, as in librosa.
_SPARSITY = 0.01


class Plan(NamedTuple):
    """Filters for one sample rate and tuning.

    Parameters
    ----------
    filters : (n_fft, 24) float32: real and imaginary parts of the octave's twelve filters in time.
    halvings : number of times that the signal is downsampled by 2 before the top octave.
    """

    filters: npt.NDArray[np.float32]
    halvings: int


def constant_q(samples: Array, sample_rate: int, tuning: float) -> Array:
    """Magnitude of ``librosa.cqt(n_bins=84, bins_per_octave=12)``, (84, n_frames) float32.

    Parameters
    ----------
    samples : (n,) mono float32
    sample_rate : in Hz
    tuning : deviation from A = 440 Hz, in semitones.

    Raises
    ------
    ValueError : the signal is too short to be downsampled to the lowest octave.
    """
    plan = constant_q_plan(sample_rate, tuning)
    signal, hop = np.asarray(samples, dtype=np.float32), HOP_LENGTH
    if plan.halvings:
        signal, hop = _lowered(signal, 2**plan.halvings), hop // 2**plan.halvings
    levels = [(signal, hop)]
    for _ in range(_OCTAVES - 1):
        signal, hop = _lowered(signal, 2), hop // 2
        levels.append((signal, hop))
    n_frames = min(1 + len(signal) // hop for signal, hop in levels)
    transform = np.empty((_OCTAVES, _BINS, n_frames), dtype=np.float32)
    for octave, (signal, hop) in enumerate(levels):
        values = np.square(_filtered(signal, plan.filters, hop)[:n_frames])
        transform[-1 - octave] = np.sqrt(values[:, :_BINS] + values[:, _BINS:]).T
    chroma = transform.sum(axis=0)
    drowned = _drowned(chroma.sum(axis=0), levels[0], len(plan.filters))
    delicate = np.flatnonzero(_near_a_step(chroma) | drowned)
    if len(delicate):
        steps = octaves(sample_rate / 2.0**plan.halvings, tuning, _OCTAVES)
        for octave, (signal, hop) in enumerate(levels):
            frames = _some_frames(signal, len(plan.filters), hop, delicate)
            transform[-1 - octave][:, delicate] = octave_of_frames(frames.T, steps[octave])
    return transform.reshape(_OCTAVES * _BINS, n_frames)


def _near_a_step(chroma: Array) -> npt.NDArray[np.bool_]:
    """Whether rounding could move a share of chroma (12, n_frames) across a step of CENS, (n_frames,)."""
    total = chroma.sum(axis=0)
    shares = chroma / np.where(total > 0, total, 1)
    near = [(np.abs(shares - step) < _ROUNDING).any(axis=0) for step in CENS_STEPS]
    return np.any(near, axis=0)


def _drowned(total: Array, level: tuple[Array, int], length: int) -> npt.NDArray[np.bool_]:
    """Whether the bins are weak compared with content outside the filters, such as an offset or hiss, (n_frames,).

    The rounding error of a float32 product grows with the peak sample of its frame. Peaks are taken over the frames of
    the lowest octave, which are the longest.

    Parameters
    ----------
    total : (n_frames,) sum over all bins.
    level : the signal of the top octave and its hop.
    length : samples per frame, the same in every octave.
    """
    from scipy.ndimage import maximum_filter1d

    signal, hop = level
    starts = np.arange(0, len(signal), hop)
    peaks = np.zeros(max(len(total), len(starts)), dtype=np.float32)
    peaks[: len(starts)] = np.maximum(np.maximum.reduceat(signal, starts), -np.minimum.reduceat(signal, starts))
    reach = length // 2 * 2 ** (_OCTAVES - 1) // hop + 1
    peaks = maximum_filter1d(peaks, 2 * reach + 1, mode="nearest")[: len(total)]
    return ((peaks > 0) | (total > 0)) & ((total < _HEARD * peaks) | (peaks < _FAINT))


@functools.lru_cache(maxsize=256)
def constant_q_plan(sample_rate: int, tuning: float) -> Plan:
    """Filters of the top octave, for the sample rate at which that octave is computed.

    Rate, length and sparsification follow librosa. References: Schörkhuber & Klapuri 2010.
    """
    frequencies = constant_q_frequencies(tuning, _OCTAVES)
    bandwidths = relative_bandwidths(frequencies)
    _, cutoff = librosa().filters.wavelet_lengths(freqs=frequencies, sr=sample_rate, gamma=0, alpha=bandwidths)
    spare = max(0, int(np.ceil(np.log2(sample_rate / 2.0 / cutoff)) - 1) - 1)
    factors_of_two = (HOP_LENGTH & -HOP_LENGTH).bit_length() - 1
    halvings = min(spare, max(0, factors_of_two - _OCTAVES + 1))

    top = octaves(sample_rate / 2.0**halvings, tuning, _OCTAVES)[0]
    kept = top.filters.toarray()
    n_fft = 2 * (kept.shape[1] - 1)
    # sum over k of kept[k] * (sum over n of x[n] exp(-2 pi i k n / N)), as one sum over n
    in_time = np.fft.fft(kept, n=n_fft, axis=1) / top.roots
    filters = np.ascontiguousarray(np.concatenate([in_time.real, in_time.imag]).T)
    return Plan(filters.astype(np.float32), halvings)


def _lowered(signal: Array, factor: int) -> Array:
    """Downsample by a factor with soxr at quality HQ, as librosa does. Raises ValueError if too few samples remain."""
    import soxr

    size = -(-len(signal) // factor)
    if size < 2:
        raise ValueError(f"{len(signal)} samples are too few for another octave")
    lower = soxr.resample(signal, factor, 1, quality="HQ")
    lower = lower[:size] if len(lower) >= size else np.pad(lower, (0, size - len(lower)))
    # keeps the energy over fewer samples; divided in float64 as in librosa, otherwise results are not bit-identical
    lower /= np.sqrt(1.0 / factor)
    return lower


def _filtered(signal: Array, filters: Array, hop: int) -> Array:
    """Products of centred frames with the filters, (n_frames, 24).

    With long hops, frames are read from the signal without a copy, as rows of one hop each. With short hops this would
    need too many products, so the frames are copied.
    """
    length = len(filters)
    if hop < _SHORT_HOP:
        return np.ascontiguousarray(_frames(signal, length, hop)) @ filters
    n_frames = 1 + len(signal) // hop
    hops = _hops(signal, length, hop)
    parts = (hops[i // hop : i // hop + n_frames, : length - i] @ filters[i : i + hop] for i in range(0, length, hop))
    return functools.reduce(np.add, parts)


def _frames(signal: Array, length: int, hop: int) -> Array:
    """Centred frames as in librosa, padded with zeros; a view, (n_frames, length)."""
    padded = _hops(signal, length, hop).reshape(-1)
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][: 1 + len(signal) // hop]


def _some_frames(signal: Array, length: int, hop: int, which: npt.NDArray[np.intp]) -> Array:
    """The frames with indices ``which``, (n, length), without a copy of the signal."""
    places = (which * hop - length // 2)[:, np.newaxis] + np.arange(length)
    inside = (places >= 0) & (places < len(signal))
    return np.where(inside, signal.take(places, mode="clip"), np.float32(0))


def _hops(signal: Array, length: int, hop: int) -> Array:
    """The signal padded with half a frame of zeros, as rows of one hop each. Frame i begins at row i."""
    rows = 1 + len(signal) // hop + -(-length // hop)
    padded = np.zeros(rows * hop, dtype=np.float32)
    padded[length // 2 : length // 2 + len(signal)] = signal[: len(padded) - length // 2]
    return padded.reshape(rows, hop)


class Octave(NamedTuple):
    """The twelve filters of an octave and the divisors of their products.

    Parameters
    ----------
    filters : (12, n_bins) sparse complex64, for the octave's sample rate.
    roots : (12, 1) square roots of the filters' lengths at the rate of the top octave.
    """

    filters: Any
    roots: npt.NDArray[np.float64]


def octave_of_frames(frames: Array, octave: Octave) -> npt.NDArray[np.float32]:
    """Magnitudes of the octave's twelve bins, (12, n).

    Parameters
    ----------
    frames : (n_fft, n) float32, one frame per column.
    """
    import scipy.fft

    spectrum = scipy.fft.rfft(frames.astype(np.float64), axis=0).astype(np.complex64)
    product = octave.filters.dot(spectrum)
    product /= octave.roots
    return np.abs(product)


@functools.lru_cache(maxsize=256)
def octaves(sample_rate: float, tuning: float, count: int) -> tuple[Octave, ...]:
    """Filters from the highest octave to the lowest, as in ``librosa.vqt``.

    Parameters
    ----------
    sample_rate : of the signal for the top octave, in Hz; each lower octave has half the rate.
    tuning : deviation from A = 440 Hz in semitones.
    count : number of octaves.
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
    """Centre frequencies of the bins from C1 upwards, (12 * count,) Hz."""
    lowest = librosa().note_to_hz("C1") * 2.0 ** (tuning / _BINS)
    return librosa().interval_frequencies(
        _BINS * count, fmin=lowest, intervals="equal", bins_per_octave=_BINS, sort=True
    )


def relative_bandwidths(frequencies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bandwidth divided by frequency, from the distances to both neighbours. Constant except for rounding."""
    octaves_up = np.log2(frequencies)
    apart = np.empty_like(frequencies)
    apart[0], apart[-1] = 1 / (octaves_up[1] - octaves_up[0]), 1 / (octaves_up[-1] - octaves_up[-2])
    apart[1:-1] = 2 / (octaves_up[2:] - octaves_up[:-2])
    return (2.0 ** (2 / apart) - 1) / (2.0 ** (2 / apart) + 1)


def filters_of_octave(frequencies: Array, bandwidths: Array, sample_rate: float) -> Any:
    """Sparsified wavelets in the frequency domain, (12, 1 + n_fft / 2) sparse complex64."""
    import scipy.fft

    basis, lengths = librosa().filters.wavelet(
        freqs=frequencies, sr=sample_rate, norm=1, pad_fft=True, gamma=0, alpha=bandwidths
    )
    n_fft = basis.shape[1]
    basis *= lengths[:, np.newaxis] / float(n_fft)
    half = scipy.fft.fft(basis, n=n_fft, axis=1)[:, : n_fft // 2 + 1]
    return librosa().util.sparsify_rows(half, quantile=_SPARSITY, dtype=np.complex64)
