"""Local autocorrelation of an envelope, and the best path of beats through an activation.

The local autocorrelation uses a sliding Hann window. The product of the window and itself shifted by ``l`` frames is a
sum of cosines in time,

    w(n) w(n + l) = 1/4 + cos(a l)/8 - cos(a l/2)/2 cos(a (n + l/2)) + cos(2 a (n + l/2))/8,   a = 2 pi / length,

so each lag needs five running sums of x(n) x(n + l). From one frame to the next each sum loses one product and gains
one (a sliding transform at three frequencies: Jacobsen & Lyons 2003, "The sliding DFT"). Lags are adjacent in memory.

The path of beats is found by dynamic programming, in steps of about one period.
"""

import numba
import numpy as np
import numpy.typing as npt

#: Windows with less than this share of the highest energy are computed by transforms: in the running sums the rounding
#: errors of earlier windows would dominate.
_QUIET = 1e-7

#: Padding of arrays. Arrays whose distance is a multiple of the page size share cache sets, which takes two to four
#: times as long.
_APART = 40


def local_autocorrelation(
    envelope: npt.NDArray[np.floating], length: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Autocorrelation of each window divided by its value at lag 0, and the mean over windows.

    Parameters
    ----------
    envelope : (n_frames + length - 1,) in any unit; the window of frame i begins at i.
    length : length of the periodic Hann window in frames, as in ``librosa.feature.tempogram``.

    Returns
    -------
    (n_frames, length) by frame and lag, 1 at lag 0, and the mean, (length,). 0 for windows of zeros.
    """
    envelope = np.ascontiguousarray(envelope, dtype=np.float64)
    n_frames = len(envelope) - length + 1
    windows = np.lib.stride_tricks.sliding_window_view(envelope, length)
    energy = np.square(windows) @ np.square(_hann(length))
    quiet = energy < _QUIET * energy.max(initial=0.0)
    over = np.where(quiet | (energy == 0.0), 0.0, 1.0 / np.where(energy > 0.0, energy, 1.0))
    rows, mean = np.empty((n_frames, length), dtype=np.float32), np.zeros(length)
    _slide(envelope, _turns(length, 1), _turns(length, 2), over, rows, mean)
    if quiet.any():
        rows[quiet] = _transformed(windows[quiet])
        mean += rows[quiet].sum(axis=0, dtype=np.float64)
    return rows, mean / n_frames


def local_autocorrelation_plain(
    envelope: npt.NDArray[np.floating], length: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Numpy version of :func:`local_autocorrelation`, by a Fourier transform of each window."""
    rows = _transformed(np.lib.stride_tricks.sliding_window_view(np.asarray(envelope, dtype=np.float64), length))
    return rows.astype(np.float32), rows.mean(axis=0)


def beat_path(activation: npt.NDArray[np.float64], period: float, tightness: float) -> npt.NDArray[np.int64]:
    """Positions at intervals of about one period that maximise the sum of activation minus costs.

    An interval of ``k`` costs ``tightness * log(k / period)**2``. Intervals are within 10 % of the period.

    Parameters
    ----------
    activation : (n,) evidence for a beat at each position.
    period : positions per beat, at least 2; need not be a whole number.
    tightness : weight of the cost.

    Returns
    -------
    (n_beats,) ascending positions. The last is within the last period.

    References: Ellis 2007, "Beat tracking by dynamic programming".
    """
    scores, links = _search(np.ascontiguousarray(activation, dtype=np.float64), period, tightness)
    return _follow(scores, links, period)


def beat_path_plain(activation: npt.NDArray[np.float64], period: float, tightness: float) -> npt.NDArray[np.int64]:
    """Numpy version of :func:`beat_path`."""
    steps = np.arange(int(period * 0.9), int(np.ceil(period * 1.1)) + 1)
    costs = tightness * np.log(steps / period) ** 2
    scores, links = np.zeros(len(activation)), np.full(len(activation), -1)
    for place in range(len(activation)):
        reached = steps[steps <= place]
        if len(reached):
            totals = scores[place - reached] - costs[: len(reached)]
            best = int(np.argmax(totals))
            if totals[best] > 0.0:
                scores[place], links[place] = totals[best], place - reached[best]
        scores[place] += activation[place]
    return _follow(scores, links, period)


def _transformed(windows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    size = 2 * windows.shape[1]
    power = np.square(np.abs(np.fft.rfft(windows * _hann(windows.shape[1]), size, axis=1)))
    rows = np.fft.irfft(power, size, axis=1)[:, : windows.shape[1]]
    energy = rows[:, :1]
    return rows / np.where(energy > np.finfo(np.float32).tiny, energy, 1.0)


def _turns(length: int, frequency: int) -> npt.NDArray[np.float64]:
    """Table of cosine and sine at every half frame, (2, 4 * length + 40)."""
    angle = np.pi / length * frequency * np.arange(4 * length + _APART)
    return np.stack([np.cos(angle), np.sin(angle)])


def _hann(length: int) -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2.0 * np.pi / length * np.arange(length))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _slide(x, once, twice, over, rows, mean):  # type: ignore[no-untyped-def]
    """Fill ``rows`` and ``mean``. ``once``, ``twice``: tables of both frequencies; ``over``: inverse energies, or 0."""
    length = rows.shape[1]
    turn = 2 * length
    level, c1, s1, c2, s2 = np.zeros((5, length + _APART))
    # Reversed, so that values and tables are read in ascending order of the lag.
    x_back, once_back, twice_back = x[::-1].copy(), once[:, ::-1].copy(), twice[:, ::-1].copy()
    for last in range(len(x)):
        # Added products: values at last - lag and last, centred at last - lag / 2.
        newest, earlier = x[last], x_back[len(x) - 1 - last :]
        at = once.shape[1] - 1 - (2 * last) % turn - turn
        in_c1, in_s1, in_c2, in_s2 = once_back[0, at:], once_back[1, at:], twice_back[0, at:], twice_back[1, at:]
        first = last - length + 1
        if first <= 0:
            for lag in range(np.uint64(last + 1)):
                product = newest * earlier[lag]
                level[lag] += product
                c1[lag] += product * in_c1[lag]
                s1[lag] += product * in_s1[lag]
                c2[lag] += product * in_c2[lag]
                s2[lag] += product * in_s2[lag]
        else:
            # Removed products: values at first - 1 and first - 1 + lag, centred between them.
            oldest, later = x[first - 1], x[first - 1 :]
            at = (2 * first - 2) % turn
            out_c1, out_s1, out_c2, out_s2 = once[0, at:], once[1, at:], twice[0, at:], twice[1, at:]
            for lag in range(np.uint64(length)):
                comes, goes = newest * earlier[lag], oldest * later[lag]
                level[lag] += comes - goes
                c1[lag] += comes * in_c1[lag] - goes * out_c1[lag]
                s1[lag] += comes * in_s1[lag] - goes * out_s1[lag]
                c2[lag] += comes * in_c2[lag] - goes * out_c2[lag]
                s2[lag] += comes * in_s2[lag] - goes * out_s2[lag]
        if first >= 0:
            at = (2 * first) % turn
            k1, z1, k2, z2 = once[0, at], once[1, at], twice[0, at], twice[1, at]
            row, share = rows[first], over[first]
            for lag in range(np.uint64(length)):
                value = share * (
                    (0.25 + 0.125 * twice[0, lag]) * level[lag]
                    - 0.5 * once[0, lag] * (k1 * c1[lag] + z1 * s1[lag])
                    + 0.125 * (k2 * c2[lag] + z2 * s2[lag])
                )
                row[lag] = np.float32(value)
                mean[lag] += value


def _follow(scores: npt.NDArray, links: npt.NDArray, period: float) -> npt.NDArray[np.int64]:
    if not len(scores):
        return np.zeros(0, dtype=np.int64)
    last = max(len(scores) - 1 - int(period), 0)
    place = last + int(np.argmax(scores[last:]))
    path = []
    while place >= 0:
        path.append(place)
        place = int(links[place])
    return np.array(path[::-1], dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def _search(activation: np.ndarray, period: float, tightness: float) -> tuple[np.ndarray, np.ndarray]:
    first, last = int(period * 0.9), int(np.ceil(period * 1.1))
    costs = tightness * np.log(np.arange(first, last + 1) / period) ** 2
    scores, links = np.zeros(len(activation)), np.full(len(activation), -1)
    for place in range(len(activation)):
        best, link = 0.0, -1
        for step in range(first, min(last, place) + 1):
            total = scores[place - step] - costs[step - first]
            if total > best:
                best, link = total, place - step
        scores[place], links[place] = activation[place] + best, link
    return scores, links
