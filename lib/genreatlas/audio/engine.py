"""The engine that extraction uses: the reference graph with what can be done faster at equal values."""

import numpy as np
import numpy.typing as npt

from genreatlas.audio import tempogram
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.reference import LIBROSA

#: Width of both medians, in frames and in bins: librosa's default.
_KERNEL = 31


def hpss(stft: npt.NDArray[np.complexfloating]) -> tuple[npt.NDArray, npt.NDArray]:
    """Harmonic and percussive parts: ``librosa.decompose.hpss`` to the bit, with medians that slide.

    Parameters
    ----------
    stft : (n_bins, n_frames) complex64

    References: Fitzgerald 2010.
    """
    module = librosa()  # before numba, which then finds its cache
    from genreatlas.audio.sliding_median import sliding_median

    magnitude, phase = (part.T for part in module.magphase(stft))  # frame-major, as the transform lies in memory
    harmonic = sliding_median(magnitude, _KERNEL)
    percussive = np.ascontiguousarray(sliding_median(magnitude.T, _KERNEL).T)
    # librosa.util.softmask(power=2, split_zeros=True) in both directions, sharing what they share
    larger = np.maximum(harmonic, percussive)
    empty = larger < np.finfo(np.float32).tiny
    larger[empty] = 1.0
    harmonic = np.square(harmonic / larger)
    percussive = np.square(percussive / larger)
    both = harmonic + percussive
    harmonic[empty] = percussive[empty] = 0.5
    both[empty] = 1.0
    return ((magnitude * (harmonic / both)) * phase).T, ((magnitude * (percussive / both)) * phase).T


#: What the sets hold equals the reference's to the bit, or, where it comes from the tempogram, to 1e-6.
ENGINE = LIBROSA.extended(hpss, *tempogram.FASTER)
