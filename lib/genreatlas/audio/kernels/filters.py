"""Filter banks on the power spectrum, and the local peaks that tuning is estimated from."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from genreatlas.audio.kernels.lanes import LANES, Lanes, to_frames_plain

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def narrow_bands(lanes: Lanes, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Power in bands that cover few bins each, such as mel bands.

    Parameters
    ----------
    weights : (n_bands, n_bins) float32; only from the first to the last weight of a band is anything added.

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
    """Power in few bands that cover all bins, such as pitch classes: (n_bands, n_frames) float32.

    Parameters
    ----------
    weights : (n_bins, n_bands) float32
    """
    out = np.empty((weights.shape[1], len(lanes.values) * LANES), dtype=np.float32)
    _wide_bands(lanes.values, weights, out)
    return out[:, : lanes.n_frames]


def bands_plain(lanes: Lanes, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """What both compute, in numpy: (n_bands, n_bins) weights, (n_bands, n_frames) float64."""
    return weights.astype(np.float64) @ (to_frames_plain(lanes).astype(np.float64) ** 2).T


def peaks(
    lanes: Lanes, first: int, end: int, threshold: float, squared: bool, bin_hz: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Local peaks of each frame with interpolated place and height, as ``librosa.piptrack`` finds them.

    Parameters
    ----------
    first, end : bins to look at, neither the first nor the last of the spectrum.
    threshold : share of the frame's largest value that a peak must exceed.
    squared : look at the power instead of the magnitude.
    bin_hz : distance of bins. [Hz]

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
    """The same in numpy; peaks come frame by frame, the kernel's block by block."""
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


@numba.njit(**_OPTIONS)
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


@numba.njit(**_OPTIONS)
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
    near = np.empty((3, LANES), dtype=np.float32)  # the bin before, the bin, the bin after, in turn
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
                if eights[eight]:  # peaks are rare, so what is found of them is found one by one
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
