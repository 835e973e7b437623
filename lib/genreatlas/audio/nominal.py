"""Spectral features with frequencies labelled as if the sample rate were 22,050 Hz.

FMA's table was made so from signals at 44.1 kHz: its extractor passes spectra without their rate, and
librosa takes them for 22,050 Hz. "Hz" are then half of what they say, contrast bands lie twice as high,
and chroma is an octave off (which changes no pitch class) with filters half as wide.
"""

import warnings

from genreatlas.audio.frames import N_FFT, SAMPLE_RATE, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.spectra import undefined_if


@LIBROSA.feature
def rms_spectral(magnitude: Array) -> Array:
    """Root of the mean square of each frame after its Hann window, by Parseval from the spectrum, (n_frames,)."""
    return librosa().feature.rms(S=magnitude, frame_length=N_FFT)[0]


@LIBROSA.feature
def nominal_centroid(spectral_centroid: Array, sample_rate: int) -> Array:
    """Centroid with bins labelled for 22,050 Hz, (n_frames,)."""
    return spectral_centroid * (SAMPLE_RATE / sample_rate)


@LIBROSA.feature
def nominal_bandwidth(spectral_bandwidth: Array, sample_rate: int) -> Array:
    """Bandwidth with bins labelled for 22,050 Hz, (n_frames,)."""
    return spectral_bandwidth * (SAMPLE_RATE / sample_rate)


@LIBROSA.feature
def nominal_rolloff(spectral_rolloff: Array, sample_rate: int) -> Array:
    """Roll-off with bins labelled for 22,050 Hz, (n_frames,)."""
    return spectral_rolloff * (SAMPLE_RATE / sample_rate)


@LIBROSA.feature
def nominal_contrast(magnitude: Array, silent: bool) -> Array:
    """Contrast in the bins that would be 0 to 200 Hz and octaves up at 22,050 Hz, (7, n_frames) dB."""
    return undefined_if(silent, librosa().feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE))


@LIBROSA.feature
def nominal_tuning(power: Array) -> float:
    """Deviation from A = 440 Hz in semitones, were the rate 22,050 Hz."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        return float(librosa().estimate_tuning(S=power, sr=SAMPLE_RATE, bins_per_octave=12))


@LIBROSA.feature
def nominal_chroma(power: Array, nominal_tuning: float, silent: bool) -> Array:
    """Pitch classes by filters for 22,050 Hz, over the loudest of their frame, (12, n_frames), 0..1."""
    return undefined_if(silent, librosa().feature.chroma_stft(S=power, sr=SAMPLE_RATE, tuning=nominal_tuning))
