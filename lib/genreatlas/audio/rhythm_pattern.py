"""Loudness in critical bands, for statistical spectrum descriptors, and its modulation (rhythm patterns).

References: Lidy & Rauber 2005, "Evaluation of feature extractors and psycho-acoustic transformations for music
genre classification"; Pampalk, Rauber & Merkl 2002; Zwicker & Fastl 1999 (critical bands, loudness).
"""

import numpy as np

from genreatlas.audio.frames import Array
from genreatlas.audio.graph import REFERENCE_GRAPH

#: Sample rate, and window and hop of the transform: 23 ms windows that overlap by half.
RATE = 44_100
_N_FFT, _HOP = 1024, 512
#: Upper edges of the 24 critical bands, in Hz.
BARK_EDGES = (
    100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400,
    7700, 9500, 12000, 15500,
)  # fmt: skip
BANDS = len(BARK_EDGES)
#: Frames per segment (5.9 s), and number of modulation frequencies: 60 in steps of 0.168 Hz, up to 10 Hz.
_SEGMENT = 512
MODULATIONS = 60
MODULATION_HZ = RATE / _HOP / _SEGMENT
#: Assumed playback level of a full-scale sine, in dB SPL.
_PLAYBACK_DB = 96.0

#: Equal-loudness contours as tabulated in the Rhythm Patterns tools (Robinson & Dadson 1956, ISO 226:1987, coarsely
#: rounded): frequencies in Hz, loudness levels in phon, and the level in dB SPL of a tone per loudness level (row) and
#: frequency (column).
CONTOUR_HZ = np.array([
    31.62, 50, 70.7, 100, 141.4, 200, 316.2, 500, 707.1, 1000, 1414, 1682, 2000, 2515, 3162, 3976, 5000, 7071, 10000,
    11890, 14140, 15500,
])  # fmt: skip
CONTOUR_PHON = np.array([3.0, 20.0, 40.0, 60.0, 80.0, 100.0])
CONTOURS = np.array([
    [55, 40, 32, 24, 19, 14, 10, 6, 4, 3, 2, 2, 0, -2, -5, -4, 0, 5, 10, 14, 25, 35],
    [66, 52, 43, 37, 32, 27, 23, 21, 20, 20, 20, 20, 19, 16, 13, 13, 18, 22, 25, 30, 40, 50],
    [76, 64, 57, 51, 47, 43, 41, 41, 40, 40, 40, 39.5, 38, 35, 33, 33, 35, 41, 46, 50, 60, 70],
    [89, 79, 74, 70, 66, 63, 61, 60, 60, 60, 60, 59, 56, 53, 52, 53, 56, 61, 65, 70, 80, 90],
    [103, 96, 92, 88, 85, 83, 81, 80, 80, 80, 80, 79, 76, 72, 70, 70, 75, 79, 83, 87, 95, 105],
    [118, 110, 107, 105, 103, 102, 101, 100, 100, 100, 100, 99, 97, 94, 90, 90, 95, 100, 103, 105, 108, 115],
])  # fmt: skip


@REFERENCE_GRAPH.feature
def sonogram(samples: Array, sample_rate: int) -> Array:
    """Specific loudness in 24 critical bands, (24, n_frames) sone.

    Power in critical bands is spread over neighbouring bands (Schroeder, Atal & Hall 1979) and converted to dB SPL for
    a playback level of 96 dB, then to phon by equal-loudness contours, then to sone.
    """
    from scipy import fft

    padded = np.asarray(samples, dtype=np.float32)
    if len(padded) < _N_FFT:
        padded = np.pad(padded, (0, _N_FFT - len(padded)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
    taper = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
    edges = np.searchsorted(fft.rfftfreq(_N_FFT, 1 / sample_rate), (0, *BARK_EDGES), side="right")
    edges[0] = 0
    bands = np.empty((BANDS, len(frames)))
    for first in range(0, len(frames), 64):
        spectrum = fft.rfft(frames[first : first + 64] * taper, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        bands[:, first : first + 64] = np.add.reduceat(power, edges[:-1], axis=1)[:, :BANDS].T
    bands *= (2.0 / float(taper.sum())) ** 2  # a full-scale sine in one bin is 1
    level = 10.0 * np.log10(np.maximum(_spreading() @ bands, 1e-12)) + _PLAYBACK_DB
    return _sone(_phon(level))


@REFERENCE_GRAPH.feature
def rhythm_pattern(sonogram: Array) -> Array:
    """Fluctuation strength per critical band and modulation frequency, (24 * 60,), band-major.

    The magnitude of each band's modulation from 0.17 to 10.1 Hz in every whole segment of 5.9 s, weighted by its
    perceived strength (highest at 4 Hz), sharpened and smoothed; then the median over segments. NaN in a clip shorter
    than one segment.
    """
    from scipy import fft
    from scipy.ndimage import gaussian_filter1d

    count = sonogram.shape[1] // _SEGMENT
    if not count:
        return np.full(BANDS * MODULATIONS, np.nan)
    segments = sonogram[:, : count * _SEGMENT].reshape(BANDS, count, _SEGMENT)
    spectrum = np.abs(fft.rfft(segments, axis=2)[..., 1 : MODULATIONS + 1]) / _SEGMENT
    modulation = np.arange(1, MODULATIONS + 1) * MODULATION_HZ
    felt = spectrum / (modulation / 4.0 + 4.0 / modulation)
    # differences emphasise peaks, smoothing makes neighbouring tempi similar
    sharpened = np.abs(np.diff(felt, axis=2, prepend=0.0))
    smoothed = gaussian_filter1d(gaussian_filter1d(sharpened, 1.0, axis=0), 1.0, axis=2)
    return np.median(smoothed, axis=1).reshape(-1)


def _spreading() -> Array:
    """Spreading of each band's power over the other bands, (24, 24)."""
    apart = np.arange(BANDS)[:, np.newaxis] - np.arange(BANDS)
    decibel = 15.81 + 7.5 * (apart + 0.474) - 17.5 * np.sqrt(1.0 + (apart + 0.474) ** 2)
    return 10.0 ** (decibel / 10.0)


def _phon(level: Array) -> Array:
    """Loudness level in phon of levels in dB SPL, (24, n): 0 below the lowest contour, 100 above the highest.

    The contours are interpolated linearly at each band's upper edge, as in the Rhythm Patterns tools.
    """
    found = np.empty_like(level)
    for band, hertz in enumerate(BARK_EDGES):
        contour = [np.interp(hertz, CONTOUR_HZ, row) for row in CONTOURS]
        found[band] = np.interp(level[band], contour, CONTOUR_PHON, left=0.0)
    return found


def _sone(phon: Array) -> Array:
    """Loudness in sone: doubles every 10 phon from 40 phon, a power law below (Bladon & Lindblom 1981)."""
    return np.where(phon >= 40.0, 2.0 ** ((phon - 40.0) / 10.0), (phon / 40.0) ** 2.642)
