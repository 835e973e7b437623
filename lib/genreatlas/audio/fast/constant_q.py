"""The constant-Q transform by octaves, each of them one matrix product.

An octave lower is the same transform on the signal at half its rate with half the hop, so one matrix of filters
serves all octaves (up to a factor), and 100 tunings make 100 matrices for a worker's life. The filters are librosa's
own, cut off where librosa cuts them, taken back from frequency to time: a product of (n_frames, 256) samples with
(256, 24) values instead of a transform and a sparse product. The signal is halved by the same soxr calls.
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.librosa_loading import librosa

_BINS, _OCTAVES = 12, 7
_SPARSITY = 0.01
#: Below this hop, frames are copied.
_SHORT_HOP = 64
#: Shares of a frame at which CENS steps; a product in float32 is within this of one in float64.
CENS_STEPS, _ROUNDING = (0.4, 0.2, 0.1, 0.05), 1e-5


class Plan(NamedTuple):
    """What a rate and a tuning need.

    Parameters
    ----------
    filters : (n_fft, 24) float32: real and imaginary parts of the octave's twelve filters in time.
    exact_filters : the same in float64.
    halvings : times that the signal is halved before the top octave.
    """

    filters: npt.NDArray[np.float32]
    exact_filters: npt.NDArray[np.float64]
    halvings: int


def constant_q(samples: Array, sample_rate: int, tuning: float) -> Array:
    """Magnitude of ``librosa.cqt(n_bins=84, bins_per_octave=12)``, (84, n_frames) float32.

    Parameters
    ----------
    samples : (n,) mono float32
    tuning : deviation from A = 440 Hz, in semitones.

    Raises
    ------
    ValueError : the signal is too short to be halved.
    """
    plan = constant_q_plan(sample_rate, tuning)
    signal, hop = np.asarray(samples, dtype=np.float32), HOP_LENGTH
    for _ in range(plan.halvings):
        signal, hop = _halved(signal), hop // 2
    levels = [(signal, hop)]
    for _ in range(_OCTAVES - 1):
        signal, hop = _halved(signal), hop // 2
        levels.append((signal, hop))
    n_frames = min(1 + len(signal) // hop for signal, hop in levels)
    transform = np.empty((_OCTAVES, _BINS, n_frames), dtype=np.float32)
    for octave, (signal, hop) in enumerate(levels):
        values = np.square(_filtered(signal, plan.filters, hop)[:n_frames])
        transform[-1 - octave] = np.sqrt(values[:, :_BINS] + values[:, _BINS:]).T
    close = _near_a_step(transform.sum(axis=0))
    for octave, (signal, hop) in enumerate(levels if len(close) else ()):
        frames = _frames(signal, len(plan.filters), hop)[close].astype(np.float64)
        values = np.square(frames @ plan.exact_filters)
        transform[-1 - octave][:, close] = np.sqrt(values[:, :_BINS] + values[:, _BINS:]).T
    return transform.reshape(_OCTAVES * _BINS, n_frames)


def _near_a_step(chroma: Array) -> npt.NDArray[np.intp]:
    """Frames of (12, n_frames) in which rounding could move a share over a step of CENS: few, computed in float64."""
    total = chroma.sum(axis=0)
    shares = chroma / np.where(total > 0, total, 1)
    near = [(np.abs(shares - step) < _ROUNDING).any(axis=0) for step in CENS_STEPS]
    return np.flatnonzero(np.any(near, axis=0))


@functools.lru_cache(maxsize=256)
def constant_q_plan(sample_rate: int, tuning: float) -> Plan:
    """Filters of the top octave at the rate at which it is computed.

    References: Schörkhuber & Klapuri 2010; the choices of rate, length and cut-off are librosa's.
    """
    module = librosa()
    lowest = module.note_to_hz("C1") * 2.0 ** (tuning / _BINS)
    frequencies = lowest * 2.0 ** (np.arange(_BINS * _OCTAVES) / _BINS)
    bandwidth = (2.0 ** (2 / _BINS) - 1) / (2.0 ** (2 / _BINS) + 1)
    _, cutoff = module.filters.wavelet_lengths(freqs=frequencies, sr=sample_rate, alpha=bandwidth)
    spare = max(0, int(np.ceil(np.log2(sample_rate / 2.0 / cutoff)) - 1) - 1)
    factors_of_two = (HOP_LENGTH & -HOP_LENGTH).bit_length() - 1
    halvings = min(spare, max(0, factors_of_two - _OCTAVES + 1))

    basis, lengths = module.filters.wavelet(
        freqs=frequencies[-_BINS:], sr=sample_rate / 2.0**halvings, norm=1, pad_fft=True, alpha=bandwidth
    )
    n_fft = basis.shape[1]
    basis = basis * lengths[:, np.newaxis] / n_fft
    half = np.fft.fft(basis, axis=1)[:, : n_fft // 2 + 1]
    kept = module.util.sparsify_rows(half, quantile=_SPARSITY, dtype=np.complex64)
    # sum over k of kept[k] * (sum over n of x[n] exp(-2 pi i k n / N)), as one sum over n
    in_time = np.fft.fft(kept.toarray(), n=n_fft, axis=1)
    in_time /= np.sqrt(lengths)[:, np.newaxis]
    filters = np.ascontiguousarray(np.concatenate([in_time.real, in_time.imag]).T)
    return Plan(filters.astype(np.float32), filters, halvings)


def _halved(signal: Array) -> Array:
    """Half the rate, by soxr at quality HQ as librosa does it; too few samples raise as there."""
    import soxr

    size = -(-len(signal) // 2)
    if size < 2:
        raise ValueError(f"{len(signal)} samples are too few for another octave")
    half = soxr.resample(signal, 2, 1, quality="HQ")
    half = half[:size] if len(half) >= size else np.pad(half, (0, size - len(half)))
    half /= np.float32(np.sqrt(0.5))  # as loud as before, over half as many samples
    return half


def _filtered(signal: Array, filters: Array, hop: int) -> Array:
    """Products of centred frames with the filters, (n_frames, 24).

    With long hops the frames are read where the signal lies, as rows of one hop each; with short ones too many
    products would be needed, and the frames are copied.
    """
    length = len(filters)
    if hop < _SHORT_HOP:
        return np.ascontiguousarray(_frames(signal, length, hop)) @ filters
    n_frames = 1 + len(signal) // hop
    hops = _hops(signal, length, hop)
    parts = (hops[i // hop : i // hop + n_frames, : length - i] @ filters[i : i + hop] for i in range(0, length, hop))
    return functools.reduce(np.add, parts)


def _frames(signal: Array, length: int, hop: int) -> Array:
    """Centred frames as librosa cuts them, zeros beyond the ends: a view, (n_frames, length)."""
    padded = _hops(signal, length, hop).reshape(-1)
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][: 1 + len(signal) // hop]


def _hops(signal: Array, length: int, hop: int) -> Array:
    """The signal after half a frame of zeros, as rows of one hop: frame i begins with row i."""
    rows = 1 + len(signal) // hop + -(-length // hop)
    padded = np.zeros(rows * hop, dtype=np.float32)
    padded[length // 2 : length // 2 + len(signal)] = signal[: len(padded) - length // 2]
    return padded.reshape(rows, hop)
