"""Computations over the bins of each frame, in lanes: spectral shape, filter banks, and the peaks used for tuning."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from genreatlas.audio.kernels.transform import LANES, Lanes, to_frames_plain

_EXACT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

_CONTRACTED: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}

#: Bits of a float64: exponent field, mantissa, and the exponent of values in [1, 2).
_SHIFT, _MANTISSA, _ONE = 52, 0x000FFFFFFFFFFFFF, 0x3FF0000000000000
_BIAS = 1023


def bin_sums(lanes: Lanes) -> npt.NDArray[np.float64]:
    """Sums of m, k m and k^2 m over bins k of magnitude m, (3, n_frames) float64."""
    out = np.empty((3, len(lanes.values) * LANES))
    _bin_sums(lanes.values, out)
    return out[:, : lanes.n_frames]


def bin_sums_plain(lanes: Lanes) -> npt.NDArray[np.float64]:
    """Numpy version of :func:`bin_sums`."""
    frames = to_frames_plain(lanes).astype(np.float64)
    k = np.arange(frames.shape[1])
    return np.stack([frames.sum(axis=1), frames @ k, frames @ k**2])


def rolloff_bins(lanes: Lanes, share: float) -> npt.NDArray[np.int32]:
    """First bin at which the cumulative magnitude, in float32 as in librosa, reaches a share, (n_frames,)."""
    out = np.empty(len(lanes.values) * LANES, dtype=np.int32)
    _rolloff_bins(lanes.values, np.float32(share), out)
    return out[: lanes.n_frames]


def rolloff_bins_plain(lanes: Lanes, share: float) -> npt.NDArray[np.int32]:
    """Numpy version of :func:`rolloff_bins`."""
    total = np.cumsum(to_frames_plain(lanes), axis=1, dtype=np.float32)
    return np.count_nonzero(total < np.float32(share) * total[:, -1:], axis=1).astype(np.int32)


def flatness(lanes: Lanes, floor: float) -> npt.NDArray[np.float64]:
    """Geometric over arithmetic mean of the power, with a minimum of ``floor`` in each bin, (n_frames,).

    The product of the bins is accumulated as mantissa and exponent, so that each frame needs only one logarithm.
    """
    out = np.empty(len(lanes.values) * LANES)
    _flatness(lanes.values, floor, out)
    return out[: lanes.n_frames]


def flatness_plain(lanes: Lanes, floor: float) -> npt.NDArray[np.float64]:
    """Numpy version of :func:`flatness`."""
    power = np.maximum(to_frames_plain(lanes).astype(np.float64) ** 2, floor)
    return np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)


def extremes(
    lanes: Lanes, lows: npt.NDArray[np.int64], highs: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Means of the largest and of the smallest magnitudes of each band of bins.

    Parameters
    ----------
    lows, highs : first and end bin of each band; the end is excluded.
    counts : number of largest and of smallest values to average, per band.

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
    """Numpy version of :func:`extremes`; sorts every band."""
    frames = to_frames_plain(lanes).astype(np.float64)
    bands = [np.sort(frames[:, low:high], axis=1) for low, high in zip(lows, highs, strict=True)]
    peaks = [band[:, -count:].mean(axis=1) for band, count in zip(bands, counts, strict=True)]
    valleys = [band[:, :count].mean(axis=1) for band, count in zip(bands, counts, strict=True)]
    return np.array(peaks), np.array(valleys)


def narrow_bands(lanes: Lanes, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Power in bands that cover few bins each, such as mel bands.

    Parameters
    ----------
    weights : (n_bands, n_bins) float32; only bins from the first to the last nonzero weight of a band are summed.

    Returns
    -------
    (n_bands, n_frames) float32
    """
    used = weights != 0
    firsts = np.where(used.any(axis=1), used.argmax(axis=1), 0)
    ends = np.where(used.any(axis=1), weights.shape[1] - used[:, ::-1].argmax(axis=1), 0)
    out = np.empty((len(weights), len(lanes.values) * LANES), dtype=np.float32)
    _narrow_bands(lanes.values, weights, firsts, ends, out)
    return out[:, : lanes.n_frames]


def wide_bands(lanes: Lanes, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Power in a few bands that cover all bins, such as pitch classes, (n_bands, n_frames) float32.

    Parameters
    ----------
    weights : (n_bins, n_bands) float32
    """
    out = np.empty((weights.shape[1], len(lanes.values) * LANES), dtype=np.float32)
    _wide_bands(lanes.values, weights, out)
    return out[:, : lanes.n_frames]


def bands_plain(lanes: Lanes, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Numpy version of both, with weights (n_bands, n_bins): (n_bands, n_frames) float64."""
    return weights.astype(np.float64) @ (to_frames_plain(lanes).astype(np.float64) ** 2).T


def peaks(
    lanes: Lanes, first: int, end: int, threshold: float, squared: bool, bin_hz: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Local peaks of each frame with interpolated frequency and height, as in ``librosa.piptrack``.

    Parameters
    ----------
    first, end : range of bins, without the first and the last of the spectrum; the end is excluded.
    threshold : minimum height of a peak, as a share of the frame's largest value.
    squared : use power instead of magnitude.
    bin_hz : distance between bins, in Hz.

    Returns
    -------
    (n_peaks,) float32 frequencies in Hz, and heights. References: Smith 2011 (parabolic interpolation).
    """
    places = np.empty(len(lanes.values) * LANES * (end - first) + 1, dtype=np.float32)
    heights = np.empty_like(places)
    count = _peaks(lanes.values, lanes.n_frames, first, end, np.float32(threshold), squared, bin_hz, places, heights)
    return places[:count], heights[:count]


def peaks_plain(
    lanes: Lanes, first: int, end: int, threshold: float, squared: bool, bin_hz: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Numpy version of :func:`peaks`. Its peaks are ordered by frame, the kernel's by block."""
    frames = to_frames_plain(lanes)
    x = frames**2 if squared else frames
    before, here, after = x[:, first - 1 : end - 1], x[:, first:end], x[:, first + 1 : end + 1]
    limit = np.float32(threshold) * x.max(axis=1, keepdims=True)
    rows, columns = np.nonzero((here > limit) & (here > before) & (here >= after))
    left, middle, right = (part[rows, columns].astype(np.float64) for part in (before, here, after))
    curve, slope = left + right - 2 * middle, (right - left) / 2
    flat = np.abs(slope) >= np.abs(curve)
    shift = np.where(flat, 0.0, -slope / np.where(flat, 1.0, curve)).astype(np.float32)
    frequencies = (first + columns + shift.astype(np.float64)) * bin_hz
    return frequencies.astype(np.float32), (middle + 0.5 * slope * shift).astype(np.float32)


@numba.njit(**_EXACT)
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


@numba.njit(**_EXACT)
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


@numba.njit(**_EXACT)
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
            if k % 512 == 511:  # the product of 512 mantissas below 2 is below 2^512
                power[:] = product
                for lane in range(LANES):
                    exponent[lane] += (bits[lane] >> _SHIFT) - _BIAS
                    bits[lane] = (bits[lane] & _MANTISSA) | _ONE
                product[:] = power
        for lane in range(LANES):
            log_mean = (np.log(product[lane]) + exponent[lane] * np.log(2.0)) / n_bins
            out[block * LANES + lane] = np.exp(log_mean) / (total[lane] / n_bins)


@numba.njit(**_EXACT)
def _extremes(values, lows, highs, counts, peaks, valleys):  # type: ignore[no-untyped-def]
    """Insert each value into sorted lists of the largest and smallest values, without branches."""
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


@numba.njit(**_CONTRACTED)
def _narrow_bands(values, weights, firsts, ends, out):  # type: ignore[no-untyped-def]
    total = np.empty(LANES, dtype=np.float32)
    for block in range(len(values)):
        for band in range(len(weights)):
            total[:] = np.float32(0)
            for k in range(firsts[band], ends[band]):
                w = weights[band, k]
                for lane in range(LANES):
                    m = values[block, k, lane]
                    total[lane] += w * (m * m)
            out[band, block * LANES : (block + 1) * LANES] = total


@numba.njit(**_CONTRACTED)
def _wide_bands(values, weights, out):  # type: ignore[no-untyped-def]
    n_bands = weights.shape[1]
    total = np.empty((n_bands, LANES), dtype=np.float32)
    power = np.empty(LANES, dtype=np.float32)
    for block in range(len(values)):
        total[:] = np.float32(0)
        for k in range(len(weights)):
            for lane in range(LANES):
                power[lane] = values[block, k, lane] * values[block, k, lane]
            for band in range(n_bands):
                w = weights[k, band]
                for lane in range(LANES):
                    total[band, lane] += w * power[lane]
        out[:, block * LANES : (block + 1) * LANES] = total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _peaks(values, n_frames, first, end, threshold, squared, bin_hz, places, heights):  # type: ignore[no-untyped-def]
    blocks, n_bins, _ = values.shape
    limit = np.empty(LANES, dtype=np.float32)
    found = np.empty(LANES, dtype=np.uint8)
    eights = found.view(np.uint64)
    near = np.empty((3, LANES), dtype=np.float32)  # three consecutive bins, as a ring buffer
    count = np.uint64(0)
    for block in range(blocks):
        frames = np.uint64(min(LANES, n_frames - block * LANES))
        limit[:] = np.float32(0)
        for k in range(n_bins):
            row = values[block, k]
            for lane in range(np.uint64(LANES)):
                limit[lane] = max(limit[lane], row[lane])
        for lane in range(np.uint64(LANES)):
            limit[lane] = threshold * (limit[lane] * limit[lane] if squared else limit[lane])
        for k in range(first - 1, end + 1):
            row, to = values[block, k], near[k % 3]
            for lane in range(np.uint64(LANES)):
                to[lane] = row[lane] * row[lane] if squared else row[lane]
            if k <= first:
                continue
            before, here, after = near[(k - 2) % 3], near[(k - 1) % 3], near[k % 3]
            for lane in range(np.uint64(LANES)):
                higher = (here[lane] > limit[lane]) & (here[lane] > before[lane])
                found[lane] = higher & (here[lane] >= after[lane])
            for eight in range(np.uint64(LANES // 8)):
                if eights[eight]:  # peaks are rare, so they are processed one by one
                    for lane in range(np.uint64(8) * eight, min(np.uint64(8) * eight + np.uint64(8), frames)):
                        if found[lane]:
                            left, middle, right = before[lane], here[lane], after[lane]
                            curve = np.float64(left + right) - 2.0 * np.float64(middle)
                            slope = np.float64(right - left) / 2.0
                            shift = np.float32(0.0) if abs(slope) >= abs(curve) else np.float32(-slope / curve)
                            # rounded once, as librosa does
                            places[count] = np.float32((np.float64(k - 1) + np.float64(shift)) * bin_hz)
                            heights[count] = middle + np.float32(0.5 * slope * shift)
                            count += np.uint64(1)
    return count
