"""The harmonic part of a spectrum: sliding medians over 31 values, and the soft mask computed from two of them.

The two medians take 84 % of the time of librosa's harmonic/percussive separation. Eight windows at consecutive
positions share 24 values. These are sorted once; only their middle eight can be a median, whatever the other seven
values are. The eight windows are then divided: each four share four more values, which leaves four candidates, each two
share two more, and finally each window adds its own last value. Every step is a branch-free network of minima and
maxima, the same for all signals, so that one instruction processes sixteen signals: 25 operations per median, where
keeping a window sorted takes 150. Results equal scipy's exactly, because the median of an odd number of values is one
of them.

References: Batcher 1968 (bitonic networks); Adams 2021, "Fast median filters using separable sorting networks".
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from genreatlas.audio.kernels.transform import LANES

#: Length of a window, and number of windows computed together.
WINDOW = 31
_TOGETHER = 8
_ROWS = WINDOW + _TOGETHER - 1
_TILE = 128

#: Offsets of rows in the working array. Unsigned, otherwise the compiler does not vectorise.
_R = tuple(np.uint64(row * LANES) for row in range(_ROWS + _TOGETHER))
_R1, _R2, _R3, _R4, _R5, _R6, _R7, _R8 = _R[1:9]
_R15, _R23, _R31, _R33, _R35, _R37 = _R[15], _R[23], _R[31], _R[33], _R[35], _R[37]
_M0, _M1, _M2, _M3, _M4, _M5, _M6, _M7 = _R[_ROWS:]
_KERNEL: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_STEP: dict[str, Any] = {"forceinline": True, "error_model": "numpy"}


def sliding_median(
    values: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """Median of 31 along the first axis, reflected at the ends (``scipy.ndimage.median_filter(mode="reflect")``).

    Parameters
    ----------
    values : (n, n_signals) float32 without NaN
    out : output array, C-contiguous, of the same shape; None: a new array.

    Returns
    -------
    (n, n_signals) float32
    """
    if out is None:
        out = np.empty(values.shape, dtype=np.float32)
    _slide(np.ascontiguousarray(values), out)
    return out


def sliding_median_plain(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Numpy version of :func:`sliding_median`; partitions every window."""
    half = WINDOW // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0)
    return np.partition(windows, half, axis=-1)[..., half]


def masked(
    parts: npt.NDArray[np.float32], harmonic: npt.NDArray[np.float32], percussive: npt.NDArray[np.float32]
) -> npt.NDArray[np.complex64]:
    """Spectrum times ``h^2 / (h^2 + p^2)``, times 0.5 where both are zero (``librosa.util.softmask(power=2)``).

    Parameters
    ----------
    parts : (n_blocks, 2, n_bins, LANES) real and imaginary parts.
    harmonic : (n_frames, n_bins) magnitude after the median over time.
    percussive : (n_blocks, n_bins, LANES) magnitude after the median over bins.

    Returns
    -------
    (n_frames, n_bins) complex64
    """
    out = np.empty((*harmonic.shape, 2), dtype=np.float32)
    _masked(parts, harmonic, percussive, out)
    return out.view(np.complex64)[..., 0]


def masked_plain(
    parts: npt.NDArray[np.float32], harmonic: npt.NDArray[np.float32], percussive: npt.NDArray[np.float32]
) -> npt.NDArray[np.complex64]:
    """Numpy version of :func:`masked`."""
    n_frames, n_bins = harmonic.shape
    re, im, p = (
        lanes.transpose(0, 2, 1).reshape(-1, n_bins)[:n_frames] for lanes in (parts[:, 0], parts[:, 1], percussive)
    )
    h2, p2 = harmonic.astype(np.float64) ** 2, p.astype(np.float64) ** 2
    empty = h2 + p2 == 0
    mask = np.where(empty, 0.5, h2 / np.where(empty, 1.0, h2 + p2))
    return ((re + 1j * im) * mask).astype(np.complex64)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _masked(parts, harmonic, percussive, out):  # type: ignore[no-untyped-def]
    """Works in tiles that fit the cache: the harmonic magnitude is transposed to lanes, the result back to frames."""
    n_frames, n_bins = harmonic.shape
    h = np.empty((_TILE, LANES), dtype=np.float32)
    re = np.empty((_TILE, LANES), dtype=np.float32)
    im = np.empty((_TILE, LANES), dtype=np.float32)
    for block in range(len(parts)):
        start = block * LANES
        frames = min(LANES, n_frames - start)
        for first in range(0, n_bins, _TILE):
            bins = np.uint64(min(_TILE, n_bins - first))
            h[:] = np.float32(0)
            for lane in range(np.uint64(frames)):
                row = harmonic[start + lane, first:]
                for k in range(bins):
                    h[k, lane] = row[k]
            for k in range(bins):
                p, r, i = percussive[block, first + k], parts[block, 0, first + k], parts[block, 1, first + k]
                for lane in range(np.uint64(LANES)):
                    h2 = np.float64(h[k, lane]) * np.float64(h[k, lane])
                    p2 = np.float64(p[lane]) * np.float64(p[lane])
                    both = h2 + p2
                    empty = 1.0 if both == 0.0 else 0.0
                    mask = (h2 + 0.5 * empty) / (both + empty)
                    re[k, lane] = np.float32(r[lane] * mask)
                    im[k, lane] = np.float32(i[lane] * mask)
            for lane in range(np.uint64(frames)):
                row = out[start + lane, first:]
                for k in range(bins):
                    row[k, 0] = re[k, lane]
                    row[k, 1] = im[k, lane]


@numba.njit(**_KERNEL)
def _slide(values: np.ndarray, medians: np.ndarray) -> None:
    """Gather the values of eight windows, 64 signals at a time, and compute their medians."""
    n, signals = values.shape
    x = np.zeros((_ROWS + _TOGETHER) * LANES, dtype=np.float32)
    shared = (_ROWS - _TOGETHER) * LANES
    for first in range(0, signals, LANES):
        for row in range(_TOGETHER, _ROWS):
            _copy(values[_reflected(row - _TOGETHER - WINDOW // 2, n)], first, x, row * LANES, signals - first)
        for start in range(0, n, _TOGETHER):
            for i in range(np.uint64(0), np.uint64(shared)):
                x[i] = x[i + _R8]
            for row in range(_ROWS - _TOGETHER, _ROWS):
                _copy(values[_reflected(start + row - WINDOW // 2, n)], first, x, row * LANES, signals - first)
            _eight_medians(x)
            for row in range(min(_TOGETHER, n - start)):
                _copy(x, (_ROWS + row) * LANES, medians[start + row], first, signals - first)


@numba.njit(**_STEP)
def _reflected(row, n):  # type: ignore[no-untyped-def]
    while row < 0 or row >= n:
        row = -1 - row if row < 0 else 2 * n - 1 - row
    return row


@numba.njit(**_STEP)
def _copy(source, at, to, place, left):  # type: ignore[no-untyped-def]
    """Copy a row of 64 lanes, or the remaining ``left`` lanes."""
    i, j = np.uint64(at), np.uint64(place)
    if left >= LANES:
        for lane in range(np.uint64(0), np.uint64(LANES)):
            to[j + lane] = source[i + lane]
    else:
        for lane in range(np.uint64(0), np.uint64(left)):
            to[j + lane] = source[i + lane]


@numba.njit(**_KERNEL)
def _eight_medians(x):  # type: ignore[no-untyped-def]
    """Medians of the windows that begin at rows 0 to 7 of 38 rows, written to the eight rows after them."""
    for i in range(np.uint64(0), np.uint64(LANES)):
        core = _middle_of_24(_merge8(_eight(x, i + _R7), _eight(x, i + _R15)), _eight(x, i + _R23))
        half = _middle_of_12(core, _four(x, i + _R3))
        two = _middle_of_6(half, _two(x, i + _R1))
        x[i + _M0], x[i + _M1] = _middle_of_3(two, x[i]), _middle_of_3(two, x[i + _R31])
        two = _middle_of_6(half, _two(x, i + _R31))
        x[i + _M2], x[i + _M3] = _middle_of_3(two, x[i + _R2]), _middle_of_3(two, x[i + _R33])
        half = _middle_of_12(core, _four(x, i + _R31))
        two = _middle_of_6(half, _two(x, i + _R5))
        x[i + _M4], x[i + _M5] = _middle_of_3(two, x[i + _R4]), _middle_of_3(two, x[i + _R35])
        two = _middle_of_6(half, _two(x, i + _R35))
        x[i + _M6], x[i + _M7] = _middle_of_3(two, x[i + _R6]), _middle_of_3(two, x[i + _R37])


@numba.njit(**_STEP)
def _two(x, i):  # type: ignore[no-untyped-def]
    """Values of two rows, sorted."""
    return _sort2((x[i], x[i + _R1]))


@numba.njit(**_STEP)
def _four(x, i):  # type: ignore[no-untyped-def]
    """Values of four rows, sorted."""
    a, b = _two(x, i), _two(x, i + _R2)
    return _sort4((a[0], a[1], b[1], b[0]))


@numba.njit(**_STEP)
def _eight(x, i):  # type: ignore[no-untyped-def]
    """Values of eight rows, sorted."""
    a, b = _four(x, i), _four(x, i + _R4)
    return _sort8((a[0], a[1], a[2], a[3], b[3], b[2], b[1], b[0]))


@numba.njit(**_STEP)
def _merge8(a, b):  # type: ignore[no-untyped-def]
    """Merge two sorted lists of eight values."""
    c, d = (a[0], a[1], a[2], a[3]), (a[4], a[5], a[6], a[7])
    e, f = (b[7], b[6], b[5], b[4]), (b[3], b[2], b[1], b[0])
    low, high = _lower4(c, e) + _lower4(d, f), _upper4(c, e) + _upper4(d, f)
    return _sort8(low) + _sort8(high)


@numba.njit(**_STEP)
def _middle_of_24(a, b):  # type: ignore[no-untyped-def]
    """Middle eight of sixteen and eight sorted values: the upper half of the lower sixteen."""
    low = _lower4((a[8], a[9], a[10], a[11]), (b[7], b[6], b[5], b[4]))
    high = _lower4((a[12], a[13], a[14], a[15]), (b[3], b[2], b[1], b[0]))
    return _sort8(_upper4((a[0], a[1], a[2], a[3]), low) + _upper4((a[4], a[5], a[6], a[7]), high))


@numba.njit(**_STEP)
def _middle_of_12(a, b):  # type: ignore[no-untyped-def]
    """Middle four of eight and four sorted values."""
    return _sort4(_upper4((a[0], a[1], a[2], a[3]), _lower4((a[4], a[5], a[6], a[7]), (b[3], b[2], b[1], b[0]))))


@numba.njit(**_STEP)
def _middle_of_6(a, b):  # type: ignore[no-untyped-def]
    """Middle two of four and two sorted values."""
    return _sort2((max(a[0], min(a[2], b[1])), max(a[1], min(a[3], b[0]))))


@numba.njit(**_STEP)
def _middle_of_3(a, b):  # type: ignore[no-untyped-def]
    """Middle one of two sorted values and one other."""
    return max(a[0], min(a[1], b))


@numba.njit(**_STEP)
def _sort2(a):  # type: ignore[no-untyped-def]
    return min(a[0], a[1]), max(a[0], a[1])


@numba.njit(**_STEP)
def _sort4(a):  # type: ignore[no-untyped-def]
    """Sort a bitonic sequence of four values."""
    low, high = (min(a[0], a[2]), min(a[1], a[3])), (max(a[0], a[2]), max(a[1], a[3]))
    return _sort2(low) + _sort2(high)


@numba.njit(**_STEP)
def _sort8(a):  # type: ignore[no-untyped-def]
    """Sort a bitonic sequence of eight values."""
    low, high = (a[0], a[1], a[2], a[3]), (a[4], a[5], a[6], a[7])
    return _sort4(_lower4(low, high)) + _sort4(_upper4(low, high))


@numba.njit(**_STEP)
def _lower4(a, b):  # type: ignore[no-untyped-def]
    return min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


@numba.njit(**_STEP)
def _upper4(a, b):  # type: ignore[no-untyped-def]
    return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
