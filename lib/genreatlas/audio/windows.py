"""Level, timbre and spectrum of windows of one second, for sequence models.

A window is longer than a frame and shorter than a clip, about a bar or a phrase. Window ``i`` begins at
``i * WINDOW_HOP_S``. Incomplete windows are dropped; a clip shorter than one window is a single window.
"""

import numpy as np

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import REFERENCE_GRAPH

#: Length of a window and distance between the starts of windows, in s.
WINDOW_S = 1.0
WINDOW_HOP_S = 0.5

#: Edges in Hz of the critical bands (Zwicker 1961); the last band is cut at 11,025 Hz.
BARK_EDGES = (
    0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400,
    7700, 9500, 11025,
)  # fmt: skip

#: Number of windows transformed at once.
_AT_ONCE = 8


@REFERENCE_GRAPH.feature
def window_energy(samples: Array, sample_rate: int) -> Array:
    """Sum of the squares of each window's samples, (n_windows,)."""
    return np.array([np.dot(w, w) for w in _windows(samples, sample_rate)])


@REFERENCE_GRAPH.feature
def window_rms(samples: Array, sample_rate: int) -> Array:
    """Root mean square of each window's samples, (n_windows,), full scale is 1."""
    return np.sqrt([np.dot(w, w) / max(len(w), 1) for w in _windows(samples, sample_rate)])


@REFERENCE_GRAPH.feature
def window_mfcc(mfcc: Array, samples: Array, sample_rate: int) -> Array:
    """Mean MFCC over the frames centred in each window, (20, n_windows)."""
    n_frames = mfcc.shape[1]
    bounds = window_bounds(len(samples), sample_rate)
    first = np.array([min(-(-start // HOP_LENGTH), n_frames - 1) for start, _ in bounds])
    last = np.array([min(-(-end // HOP_LENGTH), n_frames) for _, end in bounds])
    last = np.maximum(last, first + 1)
    totals = np.pad(np.cumsum(mfcc, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    return (totals[:, last] - totals[:, first]) / (last - first)


@REFERENCE_GRAPH.feature
def window_spectrum(samples: Array, sample_rate: int) -> Array:
    """Mean magnitude of each window's spectrum in critical bands, (23, n_windows).

    One transform over the whole window with a Hann taper, scaled so that a full-scale sine at the centre of a bin has
    magnitude 1. A band without bins, in a clip of a few milliseconds, is 0.
    """
    from scipy import fft

    bounds = window_bounds(len(samples), sample_rate)
    length = bounds[0][1]  # all windows have the same length
    taper = np.hanning(length + 1)[:-1]
    taper = (taper * (2.0 / max(float(taper.sum()), 1.0))).astype(np.float32)
    edges = np.searchsorted(fft.rfftfreq(length, 1 / sample_rate), BARK_EDGES)
    columns = []
    for first in range(0, len(bounds), _AT_ONCE):
        windows = np.stack([samples[start:end] for start, end in bounds[first : first + _AT_ONCE]])
        spectrum = fft.rfft(windows * taper, axis=1)
        totals = np.pad(np.cumsum(np.abs(spectrum), axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        columns.append(np.diff(totals[:, edges], axis=1) / np.maximum(np.diff(edges), 1))
    return np.concatenate(columns).T


def window_bounds(n_samples: int, sample_rate: int) -> list[tuple[int, int]]:
    """First and end sample of every window."""
    length, hop = round(WINDOW_S * sample_rate), round(WINDOW_HOP_S * sample_rate)
    if n_samples <= length:
        return [(0, n_samples)]
    return [(start, start + length) for start in range(0, n_samples - length + 1, hop)]


def _windows(samples: Array, sample_rate: int) -> list[Array]:
    exact = np.asarray(samples, dtype=np.float64)
    return [exact[start:end] for start, end in window_bounds(len(samples), sample_rate)]
