"""How a clip's cepstral frames lie together: their mean and full covariance, as one Gaussian of timbre."""

import numpy as np

from genreatlas.audio.frames import Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa

#: Coefficients that are used, each with its slope.
COEFFICIENTS = 13
#: Frames that a slope is fitted to, librosa's default; a shorter clip has none.
_SLOPE_FRAMES = 9


@LIBROSA.feature
def mfcc_with_deltas(mfcc: Array) -> Array:
    """13 coefficients and their slopes over nine frames, (26, n_frames); slopes are NaN below nine frames.

    The slope is of a parabola fitted around each frame (Savitzky & Golay 1964), as ``librosa.feature.delta`` has it.
    """
    used = np.asarray(mfcc[:COEFFICIENTS], dtype=np.float64)
    if used.shape[1] < _SLOPE_FRAMES:
        return np.concatenate([used, np.full_like(used, np.nan)])
    return np.concatenate([used, librosa().feature.delta(used, width=_SLOPE_FRAMES)])


@LIBROSA.feature
def mfcc_mean_and_covariance(mfcc_with_deltas: Array) -> Array:
    """Means, then the upper triangle of the covariance row by row, (26 + 351,); covariance divides by n.

    References: Mandel & Ellis 2005, "Song-level features and support vector machines for music classification".
    """
    means = mfcc_with_deltas.mean(axis=1)
    centred = mfcc_with_deltas - means[:, np.newaxis]
    covariance = centred @ centred.T / mfcc_with_deltas.shape[1]
    return np.concatenate([means, covariance[np.triu_indices(len(means))]])
