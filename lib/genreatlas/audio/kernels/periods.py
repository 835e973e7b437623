"""What repeats in an envelope: its autocorrelation around every frame, and the best path of beats through it.

The autocorrelation slides from frame to frame in a Hann window. The window times itself ``l`` frames later is a sum of
three cosines in time,

    w(n) w(n + l) = 1/4 + cos(a l)/8 - cos(a l/2)/2 cos(a (n + l/2)) + cos(2 a (n + l/2))/8,   a = 2 pi / length,

so each lag needs five running sums of x(n) x(n + l), which lose one product and gain one from a frame to the next
(a sliding transform at three frequencies: Jacobsen & Lyons 2003, "The sliding DFT"). All lags stand side by side.

The path goes in steps of nearly one period, by dynamic programming.
"""

import numba
import numpy as np
import numpy.typing as npt

#: What is quieter than the clip's loudest window by this factor in power would be rounding of what went before.
_QUIET = 1e-7

#: Arrays that are whole pages apart fight for the same place in the cache, and take two to four times as long.
_APART = 40


def local_autocorrelation(
    envelope: npt.NDArray[np.floating], length: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Autocorrelation of each window over its value at lag 0, and its mean over the windows.

    Parameters
    ----------
    envelope : (n_frames + length - 1,) values of any unit, so that frame i's window begins at i.
    length : of the window, in frames: periodic Hann, as ``librosa.feature.tempogram`` takes it.

    Returns
    -------
    (n_frames, length) by lag, 1 at lag 0, and (length,). Windows of nothing but zeros are zeros.
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
    """The same by transforms of each window."""
    rows = _transformed(np.lib.stride_tricks.sliding_window_view(np.asarray(envelope, dtype=np.float64), length))
    return rows.astype(np.float32), rows.mean(axis=0)


def beat_path(activation: npt.NDArray[np.float64], period: float, tightness: float) -> npt.NDArray[np.int64]:
    """Positions, one about every period, that together collect the most activation.

    A step of ``k`` costs ``tightness * log(k / period)**2``; steps lie within a tenth of the period.

    Parameters
    ----------
    activation : (n,) how likely a beat falls on each position.
    period : positions from beat to beat, at least 2; need not be whole.

    Returns
    -------
    (n_beats,) ascending positions. The last lies within the last period.

    References: Ellis 2007, "Beat tracking by dynamic programming".
    """
    scores, links = _search(np.ascontiguousarray(activation, dtype=np.float64), period, tightness)
    return _follow(scores, links, period)


def beat_path_plain(activation: npt.NDArray[np.float64], period: float, tightness: float) -> npt.NDArray[np.int64]:
    """The same in numpy, for tests, which hold the kernel against it."""
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
    """Cosine and sine at every half frame of four windows and a little: (2, 4 * length + 40)."""
    angle = np.pi / length * frequency * np.arange(4 * length + _APART)
    return np.stack([np.cos(angle), np.sin(angle)])


def _hann(length: int) -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2.0 * np.pi / length * np.arange(length))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _slide(x, once, twice, over, rows, mean):  # type: ignore[no-untyped-def]
    """``once`` and ``twice`` are the tables of both frequencies; ``over`` is 1 over each window's energy, or 0."""
    length = rows.shape[1]
    turn = 2 * length
    level, c1, s1, c2, s2 = np.zeros((5, length + _APART))
    # Back to front, so that values and tables are read upwards with the lag.
    x_back, once_back, twice_back = x[::-1].copy(), once[:, ::-1].copy(), twice[:, ::-1].copy()
    for last in range(len(x)):
        # What comes: products of the values at last - lag and last, which lie around last - lag / 2.
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
            # What goes: products of the values at gone and gone + lag, around gone + lag / 2.
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
