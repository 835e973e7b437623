"""Segments between onsets, each with its loudness, timbre and pitch: in the shape of the closed audio analysis.

Spotify's audio analysis gave for every segment its start, duration, confidence, three loudness values, twelve
timbre coefficients and twelve pitch values. These rows have the same shape, by open definitions. Their timbre
has another basis: never mix the two in one model.
"""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.chroma import PITCH_CLASSES
from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import LIBROSA

#: Coefficients whose mean over the segment is its timbre, and those whose course is: (coefficient, half periods).
_MEANS = tuple(range(9))
_COURSES = ((0, 1), (1, 1), (0, 2))
TIMBRES = len(_MEANS) + len(_COURSES)

#: What each row of the segments holds.
COLUMNS = (
    "start", "duration", "confidence", "loudness", "loudness_start", "loudness_max", "loudness_max_time",
    *(f"timbre_{n + 1}" for n in range(TIMBRES)), *(f"pitch_{name}" for name in PITCH_CLASSES),
)  # fmt: skip


@LIBROSA.feature
def segments(
    mfcc: Array,
    chroma_stft: Array,
    rms: Array,
    onset_strength: Array,
    onset_frames: npt.NDArray[np.integer],
    samples: Array,
    sample_rate: int,
) -> Array:
    """Rows of :data:`COLUMNS`, (31, n_segments): from onset to onset, the first from the start, the last to the end.

    - ``start``, ``duration``: s. ``confidence``: onset strength over the clip's highest; 1 at the clip's start.
    - ``loudness`` (mean power), ``loudness_start``, ``loudness_max``: dBFS of 93 ms frames, NaN in digital silence;
      ``loudness_max_time``: s from the segment's start.
    - ``timbre_1`` … ``timbre_9``: means of the first nine MFCC (the first is the level, the second the slope of the
      spectrum). ``timbre_10`` … ``timbre_12``: cosine transform over the segment's time of MFCC 1 (attack or
      decay), MFCC 2 (brightening or darkening), and MFCC 1 again, two half periods (swell). dB.
    - ``pitch_c`` … ``pitch_b``: chroma over its loudest class, 0..1; NaN in digital silence.

    References: Jehan 2005, "Creating music by listening" (segments and their use).
    """
    n_frames = mfcc.shape[1]
    starts = np.unique(np.concatenate([[0], np.asarray(onset_frames, dtype=np.int64)]))
    ends = np.append(starts[1:], n_frames)
    power = np.square(rms, dtype=np.float64)
    rows = np.empty((len(COLUMNS), len(starts)))
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


def _timbre(mfcc: Array, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Array:
    """Means and courses of each segment, (12, n_segments)."""
    lengths = ends - starts
    means = np.add.reduceat(mfcc[list(_MEANS)], starts, axis=1, dtype=np.float64) / lengths
    within = np.arange(mfcc.shape[1]) - np.repeat(starts, lengths)
    angle = np.pi * (within + 0.5) / np.repeat(lengths, lengths)
    courses = [
        np.add.reduceat(mfcc[row] * np.cos(halves * angle), starts, dtype=np.float64) / lengths
        for row, halves in _COURSES
    ]
    return np.concatenate([means, courses])
