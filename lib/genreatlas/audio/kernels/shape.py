"""The shape of each frame's spectrum: sums over bins, in lanes."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from genreatlas.audio.kernels.lanes import LANES, Lanes, to_frames_plain

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
#: Bits of a float64: exponent field, mantissa, and the exponent of values in [1, 2).
_SHIFT, _MANTISSA, _ONE = 52, 0x000FFFFFFFFFFFFF, 0x3FF0000000000000
_BIAS = 1023


def bin_sums(lanes: Lanes) -> npt.NDArray[np.float64]:
    """Sums of m, k m and k^2 m over bins k of magnitude m: (3, n_frames) float64."""
    out = np.empty((3, len(lanes.values) * LANES))
    _bin_sums(lanes.values, out)
    return out[:, : lanes.n_frames]


def bin_sums_plain(lanes: Lanes) -> npt.NDArray[np.float64]:
    """The same in numpy."""
    frames = to_frames_plain(lanes).astype(np.float64)
    k = np.arange(frames.shape[1])
    return np.stack([frames.sum(axis=1), frames @ k, frames @ k**2])


def rolloff_bins(lanes: Lanes, share: float) -> npt.NDArray[np.int32]:
    """First bin up to which a share of the magnitude lies, (n_frames,); sums run in float32 as librosa's do."""
    out = np.empty(len(lanes.values) * LANES, dtype=np.int32)
    _rolloff_bins(lanes.values, np.float32(share), out)
    return out[: lanes.n_frames]


def rolloff_bins_plain(lanes: Lanes, share: float) -> npt.NDArray[np.int32]:
    """The same in numpy."""
    total = np.cumsum(to_frames_plain(lanes), axis=1, dtype=np.float32)
    return np.count_nonzero(total < np.float32(share) * total[:, -1:], axis=1).astype(np.int32)


def flatness(lanes: Lanes, floor: float) -> npt.NDArray[np.float64]:
    """Geometric over arithmetic mean of the power, at least ``floor`` in each bin, (n_frames,).

    The product of a thousand powers is kept as mantissas and exponents, so a frame takes one logarithm.
    """
    out = np.empty(len(lanes.values) * LANES)
    _flatness(lanes.values, floor, out)
    return out[: lanes.n_frames]


def flatness_plain(lanes: Lanes, floor: float) -> npt.NDArray[np.float64]:
    """The same in numpy."""
    power = np.maximum(to_frames_plain(lanes).astype(np.float64) ** 2, floor)
    return np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)


def extremes(
    lanes: Lanes, lows: npt.NDArray[np.int64], highs: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Means of the largest and of the smallest magnitudes of each band of bins.

    Parameters
    ----------
    lows, highs : bins of the bands, the last not included.
    counts : how many of the largest and smallest values are averaged.

    Returns
    -------
    (n_bands, n_frames) peaks and valleys, float64
    """
    peaks = np.empty((len(lows), len(lanes.values) * LANES))
    valleys = np.empty_like(peaks)
    _extremes(lanes.values, lows, highs, counts, peaks, valleys)
    return peaks[:, : lanes.n_frames], valleys[:, : lanes.n_frames]


def extremes_plain(
    lanes: Lanes, lows: npt.NDArray[np.int64], highs: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The same in numpy: every band is sorted."""
    frames = to_frames_plain(lanes).astype(np.float64)
    bands = [np.sort(frames[:, low:high], axis=1) for low, high in zip(lows, highs, strict=True)]
    peaks = [band[:, -count:].mean(axis=1) for band, count in zip(bands, counts, strict=True)]
    valleys = [band[:, :count].mean(axis=1) for band, count in zip(bands, counts, strict=True)]
    return np.array(peaks), np.array(valleys)


@numba.njit(**_OPTIONS)
def _bin_sums(values: np.ndarray, out: np.ndarray) -> None:
    blocks, n_bins, _ = values.shape
    sums = np.empty((3, LANES), dtype=np.float64)
    for block in range(blocks):
        sums[:] = 0.0
        for k in range(n_bins):
            f = np.float64(k)
            for lane in range(LANES):
                m = np.float64(values[block, k, lane])
                sums[0, lane] += m
                sums[1, lane] += f * m
                sums[2, lane] += f * f * m
        out[:, block * LANES : (block + 1) * LANES] = sums


@numba.njit(**_OPTIONS)
def _rolloff_bins(values: np.ndarray, share: np.float32, out: np.ndarray) -> None:
    blocks, n_bins, _ = values.shape
    total = np.empty(LANES, dtype=np.float32)
    threshold = np.empty(LANES, dtype=np.float32)
    below = np.empty(LANES, dtype=np.int32)
    for block in range(blocks):
        total[:] = np.float32(0)
        for k in range(n_bins):
            for lane in range(LANES):
                total[lane] += values[block, k, lane]
        for lane in range(LANES):
            threshold[lane] = share * total[lane]
        total[:] = np.float32(0)
        below[:] = 0
        for k in range(n_bins):
            for lane in range(LANES):
                total[lane] += values[block, k, lane]
                below[lane] += np.int32(total[lane] < threshold[lane])
        out[block * LANES : (block + 1) * LANES] = below


@numba.njit(**_OPTIONS)
def _flatness(values: np.ndarray, floor: float, out: np.ndarray) -> None:
    blocks, n_bins, _ = values.shape
    total = np.empty(LANES, dtype=np.float64)
    product = np.empty(LANES, dtype=np.float64)
    exponent = np.empty(LANES, dtype=np.int64)
    power = np.empty(LANES, dtype=np.float64)
    bits = power.view(np.int64)
    for block in range(blocks):
        total[:] = 0.0
        product[:] = 1.0
        exponent[:] = 0
        for k in range(n_bins):
            for lane in range(LANES):
                m = np.float64(values[block, k, lane])
                power[lane] = max(m * m, floor)
                total[lane] += power[lane]
            for lane in range(LANES):
                exponent[lane] += (bits[lane] >> _SHIFT) - _BIAS
                bits[lane] = (bits[lane] & _MANTISSA) | _ONE
            for lane in range(LANES):
                product[lane] *= power[lane]
            if k % 512 == 511:  # 512 mantissas below 2 stay below 2^512
                power[:] = product
                for lane in range(LANES):
                    exponent[lane] += (bits[lane] >> _SHIFT) - _BIAS
                    bits[lane] = (bits[lane] & _MANTISSA) | _ONE
                product[:] = power
        for lane in range(LANES):
            log_mean = (np.log(product[lane]) + exponent[lane] * np.log(2.0)) / n_bins
            out[block * LANES + lane] = np.exp(log_mean) / (total[lane] / n_bins)


@numba.njit(**_OPTIONS)
def _extremes(values, lows, highs, counts, peaks, valleys):  # type: ignore[no-untyped-def]
    """Keep the largest and smallest values sorted, and let each value sink to its place: nothing branches."""
    blocks = values.shape[0]
    top = np.empty((counts.max(), LANES), dtype=np.float32)
    bottom = np.empty((counts.max(), LANES), dtype=np.float32)
    rising = np.empty(LANES, dtype=np.float32)
    falling = np.empty(LANES, dtype=np.float32)
    for block in range(blocks):
        for band in range(len(lows)):
            count = counts[band]
            top[:] = -np.inf
            bottom[:] = np.inf
            for k in range(lows[band], highs[band]):
                for lane in range(LANES):
                    rising[lane] = values[block, k, lane]
                    falling[lane] = values[block, k, lane]
                for rank in range(count):
                    for lane in range(LANES):
                        new, old = rising[lane], top[rank, lane]
                        top[rank, lane] = max(new, old)
                        rising[lane] = min(new, old)
                    for lane in range(LANES):
                        new, old = falling[lane], bottom[rank, lane]
                        bottom[rank, lane] = min(new, old)
                        falling[lane] = max(new, old)
            for lane in range(LANES):
                high, low = 0.0, 0.0
                for rank in range(count):
                    high += top[rank, lane]
                    low += bottom[rank, lane]
                peaks[band, block * LANES + lane] = high / count
                valleys[band, block * LANES + lane] = low / count
