"""The shape of the spectrum in each frame, and two measures of the wave itself.

All of them are (n_frames,) or (n_bands, n_frames), from librosa with its defaults. In a clip of
digital silence a spectrum has no shape, and they are NaN; a silent frame inside a clip keeps the
value that librosa gives it (0, or 1 for flatness), as in the tables that others published.

References: Klapuri & Davy 2006, ch. 5; Jiang et al. 2002 (contrast).
"""

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.spectra import undefined_if


@LIBROSA.feature
def spectral_centroid(magnitude: Array, sample_rate: int, silent: bool) -> Array:
    """Centre of mass of the magnitude spectrum, (n_frames,) Hz."""
    return undefined_if(silent, librosa().feature.spectral_centroid(S=magnitude, sr=sample_rate)[0])


@LIBROSA.feature
def spectral_bandwidth(magnitude: Array, sample_rate: int, silent: bool) -> Array:
    """Standard deviation of frequency around the centroid, weighted by magnitude, (n_frames,) Hz."""
    return undefined_if(silent, librosa().feature.spectral_bandwidth(S=magnitude, sr=sample_rate)[0])


@LIBROSA.feature
def spectral_rolloff(magnitude: Array, sample_rate: int, silent: bool) -> Array:
    """Frequency below which 85 % of the magnitude lies, (n_frames,) Hz."""
    return undefined_if(silent, librosa().feature.spectral_rolloff(S=magnitude, sr=sample_rate)[0])


@LIBROSA.feature
def spectral_contrast(magnitude: Array, sample_rate: int, silent: bool) -> Array:
    """Level of peaks over valleys in seven bands: below 200 Hz, then octaves up, (7, n_frames) dB."""
    return undefined_if(silent, librosa().feature.spectral_contrast(S=magnitude, sr=sample_rate))


@LIBROSA.feature
def spectral_flatness(magnitude: Array, silent: bool) -> Array:
    """Geometric over arithmetic mean of the power spectrum, (n_frames,): 0 a tone, near 1 white noise."""
    return undefined_if(silent, librosa().feature.spectral_flatness(S=magnitude)[0])


@LIBROSA.feature
def rms(samples: Array) -> Array:
    """Root of the mean square of each frame's samples, (n_frames,), full scale is 1.

    From the samples, not from the spectrum: that one is windowed and would give other values.
    """
    return librosa().feature.rms(y=samples, frame_length=N_FFT, hop_length=HOP_LENGTH)[0]


@LIBROSA.feature
def zero_crossing_rate(samples: Array) -> Array:
    """Share of samples at which the sign changes, (n_frames,)."""
    return librosa().feature.zero_crossing_rate(samples, frame_length=N_FFT, hop_length=HOP_LENGTH)[0]
