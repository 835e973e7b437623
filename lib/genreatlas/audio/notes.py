"""Event sequences: note onsets, and the segments between onsets.

A note is a peak in the rise of one band, with its time, band and pitch class. Simultaneous peaks in two bands, such as
a kick and a hi-hat, are two notes. The sequence is an input for recurrent networks on groove, not a transcription.

A segment extends from one onset to the next and has loudness, timbre and pitch, with the same columns as Spotify's
discontinued audio analysis: start, duration, confidence, three loudness values, twelve timbre coefficients and twelve
pitch values. The definitions here are open, and the timbre has another basis: do not mix both in one model.
"""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.beats import BeatGrid
from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import REFERENCE_GRAPH
from genreatlas.audio.pitch import PITCH_CLASSES

#: A peak is the maximum within ``_PEAK`` frames (23 ms each) to either side and exceeds the mean within ``_AROUND``
#: frames to either side by ``_ABOVE`` standard deviations of its band. 0.8 to 1.1 find onsets best on composed songs.
_PEAK, _AROUND = 1, 5
_ABOVE = 0.9

#: Minimum of a band's largest rise for the band to have notes, in dB.
_FAINTEST_DB = 0.5

#: Frames after an onset from which its pitch class is taken, and the minimum ratio of the loudest class to the mean of
#: all twelve. Noise has 1.5.
_HEARD = 4
_PITCHED = 2.2

#: Names of the rows of :func:`notes`.
NOTE_COLUMNS = ("time", "beat_phase", "strength", "band", "pitch_class")

#: Timbre: coefficients averaged over the segment, and cosine transforms over its time as (coefficient, half periods).
_MEANS = tuple(range(9))
_COURSES = ((0, 1), (1, 1), (0, 2))
TIMBRES = len(_MEANS) + len(_COURSES)

#: Names of the rows of :func:`segments`.
SEGMENT_COLUMNS = (
    "start", "duration", "confidence", "loudness", "loudness_start", "loudness_max", "loudness_max_time",
    *(f"timbre_{n + 1}" for n in range(TIMBRES)), *(f"pitch_{name}" for name in PITCH_CLASSES),
)  # fmt: skip


@REFERENCE_GRAPH.feature
def notes(band_onsets: Array, beat_grid: BeatGrid, chroma_stft: Array, sample_rate: int) -> Array:
    """Note onsets, rows :data:`NOTE_COLUMNS`, (5, n_notes), sorted by time, then band.

    ``time`` s; ``beat_phase`` 0 … 1 from one tracked beat to the next, NaN before the first, after the last
    and without beats; ``strength`` divided by the band's strongest; ``band`` 0 low, 1 mid, 2 high;
    ``pitch_class`` 0 (C) … 11, the loudest class after the onset, NaN in the high band and where no class is prominent.
    """
    found = []
    for band, envelope in enumerate(band_onsets):
        frames = _peaks(envelope)
        times = (frames + _shift(envelope, frames)) * (HOP_LENGTH / sample_rate)
        strength = envelope[frames] / max(float(envelope.max(initial=0.0)), 1e-9)
        pitch = np.full(len(frames), np.nan) if band == len(band_onsets) - 1 else _pitch_classes(chroma_stft, frames)
        found.append(
            np.stack([times, _beat_phases(times, beat_grid.times), strength, np.full(len(frames), float(band)), pitch])
        )
    rows = np.concatenate(found, axis=1)
    return rows[:, np.lexsort((rows[3], rows[0]))]


@REFERENCE_GRAPH.feature
def segments(
    mfcc: Array,
    chroma_stft: Array,
    rms: Array,
    onset_strength: Array,
    onset_frames: npt.NDArray[np.integer],
    samples: Array,
    sample_rate: int,
) -> Array:
    """Segments from onset to onset, rows :data:`SEGMENT_COLUMNS`, (31, n_segments); they cover the whole clip.

    - ``start``, ``duration``: s. ``confidence``: onset strength divided by the clip's highest; 1 at the clip's start.
    - ``loudness`` (mean power), ``loudness_start``, ``loudness_max``: dBFS of 93 ms frames, NaN in digital silence;
      ``loudness_max_time``: s from the segment's start.
    - ``timbre_1`` … ``timbre_9``: means of the first nine MFCC (the first is the level, the second the slope of the
      spectrum). ``timbre_10`` … ``timbre_12``: cosine transform over the segment's time of MFCC 1 (attack or
      decay), MFCC 2 (brightening or darkening), and MFCC 1 again, two half periods (swell). dB.
    - ``pitch_c`` … ``pitch_b``: chroma divided by its loudest class, 0..1; NaN in digital silence.

    References: Jehan 2005, "Creating music by listening".
    """
    n_frames = mfcc.shape[1]
    starts = np.unique(np.concatenate([[0], np.asarray(onset_frames, dtype=np.int64)]))
    ends = np.append(starts[1:], n_frames)
    power = np.square(rms, dtype=np.float64)
    rows = np.empty((len(SEGMENT_COLUMNS), len(starts)))
    hop = HOP_LENGTH / sample_rate
    rows[0] = starts * hop
    rows[1] = np.append(rows[0, 1:], max(len(samples) / sample_rate, rows[0, -1])) - rows[0]
    rows[2] = np.where(starts == 0, 1.0, onset_strength[starts] / max(float(onset_strength.max()), 1e-9))
    with np.errstate(divide="ignore"):
        level = 10.0 * np.log10(power)
        rows[3] = 10.0 * np.log10(np.add.reduceat(power, starts) / (ends - starts))
    level[np.isinf(level)] = np.nan
    rows[3, np.isinf(rows[3])] = np.nan
    rows[4] = level[starts]
    loudest = np.array([start + int(np.argmax(power[start:end])) for start, end in zip(starts, ends, strict=True)])
    rows[5] = level[loudest]
    rows[6] = (loudest - starts) * hop
    rows[7 : 7 + TIMBRES] = _timbre(mfcc, starts, ends)
    pitch = np.add.reduceat(chroma_stft, starts, axis=1, dtype=np.float64)
    strongest = pitch.max(axis=0)
    rows[7 + TIMBRES :] = pitch / np.where(strongest > 0.0, strongest, 1.0)
    return rows


def _peaks(envelope: Array) -> npt.NDArray[np.int64]:
    """Frames of an envelope's prominent peaks, ascending."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    spread = float(envelope.std(dtype=np.float64))
    if float(envelope.max(initial=0.0)) < _FAINTEST_DB:
        return np.zeros(0, dtype=np.int64)
    highest = maximum_filter1d(envelope, 2 * _PEAK + 1, mode="nearest")
    usual = uniform_filter1d(envelope.astype(np.float64), 2 * _AROUND + 1, mode="nearest")
    peaks = np.flatnonzero((envelope == highest) & (envelope > usual + _ABOVE * spread))
    return peaks[np.diff(peaks, prepend=-_PEAK - 1) > _PEAK]  # keeps the first of equal neighbours


def _shift(envelope: Array, frames: npt.NDArray[np.int64]) -> Array:
    """Sub-frame offset of each peak, -0.5 … 0.5 frames, by parabolic interpolation."""
    padded = np.pad(envelope.astype(np.float64), 1, mode="edge")
    left, here, right = padded[frames], padded[frames + 1], padded[frames + 2]
    bent = left - 2 * here + right
    return np.where(bent < 0.0, 0.5 * (left - right) / np.where(bent < 0.0, bent, -1.0), 0.0)


def _beat_phases(times: Array, beats: Array) -> Array:
    if len(beats) < 2:
        return np.full(len(times), np.nan)
    places = np.interp(times, beats, np.arange(len(beats)), left=np.nan, right=np.nan)
    return places % 1.0


def _pitch_classes(chroma: Array, frames: npt.NDArray[np.int64]) -> Array:
    """The loudest pitch class of the frames after each onset, NaN where none is prominent."""
    totals = np.pad(np.cumsum(np.nan_to_num(chroma), axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    last = chroma.shape[1]
    heard = totals[:, np.minimum(frames + 1 + _HEARD, last)] - totals[:, np.minimum(frames + 1, last)]
    if not heard.shape[1]:
        return np.zeros(0)
    stands_out = heard.max(axis=0) > _PITCHED * heard.mean(axis=0)
    return np.where(stands_out, heard.argmax(axis=0), np.nan)


def _timbre(mfcc: Array, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Array:
    """Timbre coefficients of each segment, (12, n_segments)."""
    lengths = ends - starts
    means = np.add.reduceat(mfcc[list(_MEANS)], starts, axis=1, dtype=np.float64) / lengths
    within = np.arange(mfcc.shape[1]) - np.repeat(starts, lengths)
    angle = np.pi * (within + 0.5) / np.repeat(lengths, lengths)
    courses = [
        np.add.reduceat(mfcc[row] * np.cos(halves * angle), starts, dtype=np.float64) / lengths
        for row, halves in _COURSES
    ]
    return np.concatenate([means, courses])
