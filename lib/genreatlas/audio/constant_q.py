"""The constant-Q transform and the chroma features that are taken from it.

References: Brown 1991; Schörkhuber & Klapuri 2010 (one octave at a time); Müller & Ewert 2011 (CENS);
Harte, Sandler & Gasser 2006 (tonal centroids).
"""

import warnings

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.spectra import undefined_if

BINS_PER_OCTAVE = 12
N_OCTAVES = 7


@LIBROSA.feature
def magnitude_tuning(magnitude: Array, sample_rate: int) -> float:
    """Deviation from A = 440 Hz in semitones as the constant-Q transform estimates it: from magnitudes, not power."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        return float(librosa().estimate_tuning(S=magnitude, sr=sample_rate, bins_per_octave=BINS_PER_OCTAVE))


@LIBROSA.feature
def cqt(samples: Array, sample_rate: int, magnitude_tuning: float) -> Array:
    """Magnitude of seven octaves in semitones from C1 (32.7 Hz), tuned as the clip is, (84, n_frames)."""
    import numpy as np

    transform = librosa().cqt(
        samples,
        sr=sample_rate,
        hop_length=HOP_LENGTH,
        n_bins=N_OCTAVES * BINS_PER_OCTAVE,
        bins_per_octave=BINS_PER_OCTAVE,
        tuning=magnitude_tuning,
    )
    return np.abs(transform)


@LIBROSA.feature
def chroma_cqt(cqt: Array, silent: bool) -> Array:
    """Constant-Q magnitude per pitch class over the loudest class of its frame, (12, n_frames), 0..1."""
    chroma = librosa().feature.chroma_cqt(C=cqt, bins_per_octave=BINS_PER_OCTAVE, n_octaves=N_OCTAVES)
    return undefined_if(silent, chroma)


@LIBROSA.feature
def chroma_cens(cqt: Array, silent: bool) -> Array:
    """Chroma without dynamics and articulation: quantised, smoothed over 41 frames, of length 1, (12, n_frames)."""
    chroma = librosa().feature.chroma_cens(C=cqt, bins_per_octave=BINS_PER_OCTAVE, n_octaves=N_OCTAVES)
    return undefined_if(silent, chroma)


@LIBROSA.feature
def tonnetz(chroma_cens: Array, silent: bool) -> Array:
    """Tonal centroid of the CENS chroma: x and y of fifths, minor thirds and major thirds, (6, n_frames)."""
    if silent:
        return undefined_if(silent, chroma_cens[:6])
    return librosa().feature.tonnetz(chroma=chroma_cens)
