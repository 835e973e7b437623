"""The key of a clip, by how well its pitch classes fit the profile of each key."""

import numpy as np

from genreatlas.audio.frames import Array
from genreatlas.audio.graph import LIBROSA

#: How well each degree fits a major and a minor key, from the tonic up, as listeners judged it.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@LIBROSA.feature
def key_fits(chroma_stft: Array, silent: bool) -> Array:
    """Correlation with the profile of each key, C major to B major, then C minor to B minor, (24,); NaN in silence.

    Drums sound in all pitch classes alike, so each frame's weakest class is taken off it before the mean over
    frames; the square root keeps one loud note from deciding.

    References: Krumhansl & Kessler 1982 (profiles); Krumhansl 1990, ch. 4 (correlation).
    """
    profile = np.sqrt(np.maximum(chroma_stft - chroma_stft.min(axis=0), 0.0)).mean(axis=1)
    return profile_fits(np.full(12, np.nan) if silent else profile)


@LIBROSA.feature
def key(key_fits: Array) -> Array:
    """Tonic 0 (C) to 11 (B), 1 for minor and 0 for major, and how far it fits better than the next, (3,); or NaN."""
    if np.isnan(key_fits).any():
        return np.full(3, np.nan)
    best = int(np.argmax(key_fits))
    second = float(np.partition(key_fits, -2)[-2])
    return np.array([best % 12, best // 12, key_fits[best] - second])


def profile_fits(profile: Array) -> Array:
    """Correlation of twelve pitch classes with each of the 24 keys' profiles, (24,); NaN where all are alike."""
    if not profile.std() > 1e-6:
        return np.full(24, np.nan)
    keys = np.array([np.roll(mode, tonic) for mode in (_MAJOR, _MINOR) for tonic in range(12)])
    return np.array([np.corrcoef(profile, key)[0, 1] for key in keys])
