"""A median over a sliding window of many signals at once, as fast as the window can be kept sorted.

Two such medians are 84 % of the time of plain librosa's harmonic/percussive separation. The kernel
keeps one sorted window per signal and steps all signals together, without a branch, so that the
compiler works on eight or sixteen of them in one instruction. Its results are scipy's to the bit: a median of an
odd number of values is one of them.

This module imports numba, which takes a second: import it late.
"""

import numba
import numpy as np
import numpy.typing as npt

#: Signals stepped together: a number that the compiler knows, large enough that it makes vectors of the loops
#: instead of unrolling them, and few enough for their sorted windows (8 kB) to stay in the first-level cache.
_LANES = 64


def sliding_median(values: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Median along the first axis, reflected at the ends (``scipy.ndimage.median_filter(mode="reflect")``).

    Parameters
    ----------
    values : (n, n_signals) float32 without NaN
    size : length of the window; odd

    Returns
    -------
    (n, n_signals) float32
    """
    if size % 2 == 0:
        raise ValueError(f"the median of {size} values is not one of them; size must be odd")
    n, signals = values.shape
    half = size // 2
    padded = np.zeros((n + 2 * half, -(-signals // _LANES) * _LANES), dtype=np.float32)
    padded[:, :signals] = np.pad(values, ((half, half), (0, 0)), mode="symmetric")
    medians = np.empty((n, padded.shape[1]), dtype=np.float32)
    _slide(padded, size, medians)
    return medians[:, :signals]


def sliding_median_plain(values: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """The same in numpy: every window is partitioned anew. For tests, which hold the kernel against it."""
    half = size // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=0)
    return np.partition(windows, half, axis=-1)[..., half]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _slide(padded: np.ndarray, size: int, medians: np.ndarray) -> None:
    """Fill ``medians`` (n, signals) from ``padded`` (n + size - 1, signals); signals in whole blocks of lanes."""
    steps, signals = padded.shape
    window = np.empty((size + 1, _LANES), dtype=np.float32)  # sorted; the row after the last stays infinite
    entering = np.empty(_LANES, dtype=np.float32)
    leaving = np.empty(_LANES, dtype=np.float32)
    for first in range(0, signals, _LANES):
        window[:] = np.inf
        for step in range(steps):
            for lane in range(_LANES):
                entering[lane] = padded[step, first + lane]
                leaving[lane] = padded[step - size, first + lane] if step >= size else np.inf
            for rank in range(size):
                here, after = window[rank], window[rank + 1]
                for lane in range(_LANES):
                    # what leaves is the first value that is not below it: from there on all move up by one,
                    # and what enters is carried down to where everything after it is larger
                    kept = after[lane] if here[lane] >= leaving[lane] else here[lane]
                    carried = entering[lane]
                    here[lane] = carried if carried < kept else kept
                    entering[lane] = kept if carried < kept else carried
            if step >= size - 1:
                for lane in range(_LANES):
                    medians[step - size + 1, first + lane] = window[size // 2, lane]
