"""Spectra that the features share: one short-time Fourier transform per clip."""

from typing import Any

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa


@LIBROSA.feature
def stft(samples: Array) -> npt.NDArray[np.complexfloating]:
    """Short-time Fourier transform: periodic Hann window, centred frames, zeros beyond the ends.

    Parameters
    ----------
    samples : (n,) mono, full scale is 1

    Returns
    -------
    (1 + N_FFT / 2, n_frames) complex64; n_frames = 1 + n // HOP_LENGTH
    """
    return librosa().stft(samples, n_fft=N_FFT, hop_length=HOP_LENGTH)


@LIBROSA.feature
def magnitude(stft: npt.NDArray[np.complexfloating]) -> Array:
    """Magnitude spectrum, (n_bins, n_frames)."""
    return np.abs(stft)


@LIBROSA.feature
def power(magnitude: Array) -> Array:
    """Power spectrum, (n_bins, n_frames). Squared exactly as librosa squares it, for equality to the bit."""
    return magnitude**2.0


@LIBROSA.feature
def silent(magnitude: Array) -> bool:
    """Whether every sample of the clip is zero: then no spectrum has a shape that could be described."""
    return not magnitude.any()


@LIBROSA.feature
def mel_power(power: Array, sample_rate: int) -> Array:
    """Power in 128 mel bands (Slaney's scale, area-normalised), (128, n_frames)."""
    return librosa().feature.melspectrogram(S=power, sr=sample_rate)


@LIBROSA.feature
def mel_db(mel_power: Array) -> Array:
    """The mel bands in decibels, at most 80 dB below the loudest, (128, n_frames) dB."""
    return librosa().power_to_db(mel_power)


def undefined_if(condition: bool, values: Any) -> Any:
    """The values, or NaN throughout where the condition makes them meaningless. NaN is stored as NULL."""
    return np.full_like(values, np.nan) if condition else values
