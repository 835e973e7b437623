"""Energy and zero crossings of samples, central moments, and the energy of a filtered signal."""

import itertools
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

_SUMS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
}

#: Magnitude below which a filter's state is set to zero: in silence it would decay to slow subnormal numbers.
_FAINT = 1e-60


def chunk_energy(samples: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float64]:
    """Sum of squares of each chunk of ``size`` samples, (ceil(n / size),); the last chunk may be shorter."""
    out = np.empty(-(-len(samples) // size))
    _chunk_energy(samples, size, out)
    return out


def chunk_energy_plain(samples: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float64]:
    """Numpy version of :func:`chunk_energy`."""
    return np.add.reduceat(samples.astype(np.float64) ** 2, np.arange(0, len(samples), size))


def chunk_crossings(samples: npt.NDArray[np.float32], size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number of sign changes at the samples of each chunk, and at each chunk's first sample.

    A sample within 1e-10 of 0 counts as positive, as in ``librosa.zero_crossings``.
    """
    count = -(-len(samples) // size)
    total, at_first = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    _chunk_crossings(samples, size, total, at_first)
    return total, at_first


def chunk_crossings_plain(
    samples: npt.NDArray[np.float32], size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numpy version of :func:`chunk_crossings`."""
    negative = samples < np.float32(-1e-10)
    change = np.concatenate([[0], negative[1:] != negative[:-1]]).astype(np.int64)
    starts = np.arange(0, len(samples), size)
    return np.add.reduceat(change, starts), change[starts]


def central_moments(rows: npt.NDArray[np.floating], order: int) -> npt.NDArray[np.float64]:
    """Mean, minimum, maximum and, up to ``order``, the central moments 2, 3 and 4 of each row: (n_rows, 6)."""
    out = np.zeros((len(rows), 6))
    _central_moments(rows, order, out)
    return out


def central_moments_plain(rows: npt.NDArray[np.floating], order: int) -> npt.NDArray[np.float64]:
    """Numpy version of :func:`central_moments`."""
    values = rows.astype(np.float64)
    mean = values.mean(axis=1, keepdims=True)
    moments = [((values - mean) ** k).mean(axis=1) if k <= order else np.zeros(len(rows)) for k in (2, 3, 4)]
    return np.stack([mean[:, 0], values.min(axis=1), values.max(axis=1), *moments], axis=1)


def filtered_energy(
    signal: npt.NDArray[np.floating], sections: npt.NDArray[np.float64], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Energy of a signal filtered by two second-order sections, between consecutive places, (n_places - 1,).

    Parameters
    ----------
    signal : (n,) float32 or float64.
    sections : (2, 6) in scipy's layout; ``a0`` is 1.
    places : indices of samples, ascending.
    """
    energy = np.zeros(len(places) - 1)
    _filtered_energy(np.ascontiguousarray(signal), sections, places, energy)
    return energy


def filtered_energy_plain(
    signal: npt.NDArray[np.floating], sections: npt.NDArray[np.float64], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Scipy version of :func:`filtered_energy`."""
    from scipy.signal import sosfilt

    power = np.square(sosfilt(sections, signal.astype(np.float64)))
    return np.array([power[a:b].sum() for a, b in itertools.pairwise(places)])


@numba.njit(**_SUMS)
def _chunk_energy(samples: np.ndarray, size: int, out: np.ndarray) -> None:
    for chunk in range(len(out)):
        total = 0.0
        for i in range(chunk * size, min((chunk + 1) * size, len(samples))):
            total += np.float64(samples[i]) * np.float64(samples[i])
        out[chunk] = total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _chunk_crossings(samples, size, total, at_first):  # type: ignore[no-untyped-def]
    low = np.float32(-1e-10)
    for chunk in range(len(total)):
        start, end = chunk * size, min((chunk + 1) * size, len(samples))
        part = samples[start:end]
        changes = np.int32(0)
        for i in range(np.uint64(1), np.uint64(end - start)):  # unsigned, otherwise the compiler does not vectorise
            changes += np.int32((part[i] < low) != (part[i - np.uint64(1)] < low))
        if chunk:
            at_first[chunk] = np.int64((samples[start] < low) != (samples[start - 1] < low))
        total[chunk] = changes + at_first[chunk]


@numba.njit(**_SUMS)
def _central_moments(rows: np.ndarray, order: int, out: np.ndarray) -> None:
    """Two passes, the mean first, to avoid cancellation."""
    n = rows.shape[1]
    for row in range(len(rows)):
        total = 0.0
        low = high = np.float64(rows[row, 0])
        for i in range(n):
            x = np.float64(rows[row, i])
            total += x
            low = min(low, x)
            high = max(high, x)
        mean = total / n
        m2 = m3 = m4 = 0.0
        if order > 2:
            for i in range(n):
                d = np.float64(rows[row, i]) - mean
                m2 += d * d
                m3 += d * d * d
                m4 += d * d * d * d
        elif order == 2:
            for i in range(n):
                d = np.float64(rows[row, i]) - mean
                m2 += d * d
        out[row, 0], out[row, 1], out[row, 2] = mean, low, high
        out[row, 3], out[row, 4], out[row, 5] = m2 / n, m3 / n, m4 / n


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _filtered_energy(signal, sections, places, energy):  # type: ignore[no-untyped-def]
    """Transposed direct form II, both sections in one pass."""
    b0, b1, b2, _, a1, a2 = sections[0]
    d0, d1, d2, _, c1, c2 = sections[1]
    s1 = s2 = t1 = t2 = 0.0
    start = 0
    for part in range(len(places)):
        total = 0.0
        for i in range(start, places[part]):
            x = np.float64(signal[i])
            y = b0 * x + s1
            s1 = b1 * x - a1 * y + s2
            s2 = b2 * x - a2 * y
            z = d0 * y + t1
            t1 = d1 * y - c1 * z + t2
            t2 = d2 * y - c2 * z
            total += z * z
        if abs(s1) + abs(s2) + abs(t1) + abs(t2) < _FAINT:
            s1 = s2 = t1 = t2 = 0.0
        if part:
            energy[part - 1] = total
        start = places[part]
