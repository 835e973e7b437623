"""Notes as a sequence: what starts, when, in which band, and at which pitch class.

A note is a peak of the rise of one band. Two bands that rise together are two notes of (nearly) one time,
as a kick and a hi-hat are. This is what a recurrent network on groove eats; it is no transcription.
"""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.beats import BeatGrid
from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import LIBROSA

#: A peak is higher than the frame (23 ms) to either side, and stands above the mean of five to either side by
#: this many standard deviations of its band. On composed songs 0.8 to 1.1 finds onsets best.
_PEAK, _AROUND = 1, 5
_ABOVE = 0.9
#: Bands that never rise by more hold no notes. [dB]
_FAINTEST_DB = 0.5
#: Frames after an onset in which its pitch is heard, and how far its pitch class must stand out: the loudest
#: over the mean of all twelve. Noise has 1.5.
_HEARD = 4
_PITCHED = 2.2

#: What each row of the notes holds.
COLUMNS = ("time", "beat_phase", "strength", "band", "pitch_class")


@LIBROSA.feature
def notes(band_onsets: Array, beat_grid: BeatGrid, chroma_stft: Array, sample_rate: int) -> Array:
    """Rows of :data:`COLUMNS`, (5, n_notes), by time and then band.

    ``time`` s; ``beat_phase`` 0 … 1 from one tracked beat to the next, NaN before the first, after the last
    and without beats; ``strength`` over the band's strongest; ``band`` 0 low, 1 mid, 2 high;
    ``pitch_class`` 0 (C) … 11 of what sounds after the onset, NaN in the high band and where none stands out.
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


def _peaks(envelope: Array) -> npt.NDArray[np.int64]:
    """Frames at which an envelope has a peak that stands out, ascending."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    spread = float(envelope.std(dtype=np.float64))
    if float(envelope.max(initial=0.0)) < _FAINTEST_DB:
        return np.zeros(0, dtype=np.int64)
    highest = maximum_filter1d(envelope, 2 * _PEAK + 1, mode="nearest")
    usual = uniform_filter1d(envelope.astype(np.float64), 2 * _AROUND + 1, mode="nearest")
    peaks = np.flatnonzero((envelope == highest) & (envelope > usual + _ABOVE * spread))
    return peaks[np.diff(peaks, prepend=-_PEAK - 1) > _PEAK]  # of equal neighbours the first


def _shift(envelope: Array, frames: npt.NDArray[np.int64]) -> Array:
    """Where between its neighbours a peak lies, -0.5 … 0.5 frames: the vertex of a parabola through the three."""
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
    """The loudest pitch class of the frames after each onset, NaN where none stands out."""
    totals = np.pad(np.cumsum(np.nan_to_num(chroma), axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    last = chroma.shape[1]
    heard = totals[:, np.minimum(frames + 1 + _HEARD, last)] - totals[:, np.minimum(frames + 1, last)]
    if not heard.shape[1]:
        return np.zeros(0)
    stands_out = heard.max(axis=0) > _PITCHED * heard.mean(axis=0)
    return np.where(stands_out, heard.argmax(axis=0), np.nan)
