"""How a spectrogram lies in memory while the engine works on it."""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

#: Frames side by side. Loops over 16 or 32 are unrolled by LLVM before it looks for vectors, and run three to seven
#: times slower; 64 lanes of a bin fill four cache lines, and a block of 1,025 bins fits into the second-level cache.
LANES = 64
#: Bins that are transposed at a time.
_TILE = 128


class Lanes(NamedTuple):
    """A spectrogram in blocks of frames.

    Parameters
    ----------
    values : (n_blocks, n_bins, LANES) float32; frame ``i`` is lane ``i % LANES`` of block ``i // LANES``. Lanes after
        the last frame hold anything finite.
    n_frames : number of frames.
    """

    values: npt.NDArray[np.float32]
    n_frames: int


def to_lanes(frames: npt.NDArray[np.float32]) -> Lanes:
    """Bring (n_frames, n_bins) into lanes; the lanes left over are zero."""
    n_frames, n_bins = frames.shape
    blocks = -(-n_frames // LANES)
    padded = np.zeros((blocks * LANES, n_bins), dtype=np.float32)
    padded[:n_frames] = frames
    return Lanes(np.ascontiguousarray(padded.reshape(blocks, LANES, n_bins).transpose(0, 2, 1)), n_frames)


def to_frames(lanes: Lanes) -> npt.NDArray[np.float32]:
    """Bring lanes into (n_frames, n_bins)."""
    blocks, n_bins, _ = lanes.values.shape
    frames = np.empty((blocks * LANES, n_bins), dtype=np.float32)
    _transpose(lanes.values, frames)
    return frames[: lanes.n_frames]


def to_frames_plain(lanes: Lanes) -> npt.NDArray[np.float32]:
    """The same in numpy, for tests."""
    n_bins = lanes.values.shape[1]
    return lanes.values.transpose(0, 2, 1).reshape(-1, n_bins)[: lanes.n_frames]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _transpose(values: np.ndarray, frames: np.ndarray) -> None:
    """Tile by tile, so that both sides stay in the cache; with unsigned indices, see the transform."""
    blocks, n_bins, _ = values.shape
    for block in range(blocks):
        for first in range(0, n_bins, _TILE):
            bins = np.uint64(min(_TILE, n_bins - first))
            tile = values[block, first:]
            for lane in range(np.uint64(LANES)):
                row = frames[block * LANES + np.int64(lane), first:]
                for k in range(bins):
                    row[k] = tile[k, lane]
