"""Harmonic/percussive separation by median filtering (Fitzgerald 2010; Driedger et al. 2014).

This is the reference; :mod:`genreatlas.audio.engine` does the same with faster medians.
"""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa


@LIBROSA.feature
def hpss(stft: npt.NDArray[np.complexfloating]) -> tuple[npt.NDArray, npt.NDArray]:
    """The transform's harmonic and percussive parts: soft masks from 31-wide medians in time and in frequency."""
    return librosa().decompose.hpss(stft)


@LIBROSA.feature
def harmonic(hpss: tuple[npt.NDArray, npt.NDArray], samples: Array) -> Array:
    """The harmonic part as a wave, (n,), full scale is 1: what ``librosa.effects.hpss`` returns first."""
    return _wave(hpss[0], samples)


@LIBROSA.feature
def percussive(hpss: tuple[npt.NDArray, npt.NDArray], samples: Array) -> Array:
    """The percussive part as a wave, (n,), full scale is 1: what ``librosa.effects.hpss`` returns second."""
    return _wave(hpss[1], samples)


def _wave(spectrum: npt.NDArray, samples: Array) -> Array:
    return librosa().istft(spectrum, dtype=samples.dtype, n_fft=N_FFT, hop_length=HOP_LENGTH, length=samples.shape[-1])
