"""The harmonic part of a spectrum: a soft mask from two medians, applied and laid out frame by frame."""

import numba
import numpy as np
import numpy.typing as npt

from genreatlas.audio.kernels.lanes import LANES

_TILE = 128


def masked(
    parts: npt.NDArray[np.float32], harmonic: npt.NDArray[np.float32], percussive: npt.NDArray[np.float32]
) -> npt.NDArray[np.complex64]:
    """Spectrum times ``h^2 / (h^2 + p^2)``, a half where both are zero (``librosa.util.softmask(power=2)``).

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
    """The same in numpy."""
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
    """In tiles: the harmonic magnitude is turned into lanes, and the result back into frames, in the cache."""
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
