"""Tuning, and how strongly each pitch class sounds, from the spectrum and from the constant-Q transform."""

import functools
import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genreatlas.audio.fast.constant_q import CENS_STEPS, constant_q
from genreatlas.audio.frames import N_FFT, SAMPLE_RATE, Array
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.spectra import undefined_if

if TYPE_CHECKING:
    from genreatlas.audio.kernels.transform import Spectrum

_TINY = float(np.finfo(np.float32).tiny)
#: Where tuning is looked for, and how far below a frame's loudest bin: librosa's defaults. [Hz]
_LOWEST, _HIGHEST, _SHARE = 150.0, 4000.0, 0.1
#: Frames that CENS is smoothed over.
_SMOOTHED = 41


def tuning(spectrum: "Spectrum", sample_rate: int) -> float:
    """Deviation from A = 440 Hz in semitones, from the power spectrum."""
    return _tuning(spectrum, sample_rate, squared=True)


def nominal_tuning(spectrum: "Spectrum") -> float:
    """The same, were the rate 22,050 Hz."""
    return _tuning(spectrum, SAMPLE_RATE, squared=True)


def magnitude_tuning(spectrum: "Spectrum", sample_rate: int) -> float:
    """Deviation from A = 440 Hz in semitones, from magnitudes."""
    return _tuning(spectrum, sample_rate, squared=False)


def chroma_stft(spectrum: "Spectrum", sample_rate: int, tuning: float, silent: bool) -> Array:
    """Power per pitch class over the loudest class of its frame, (12, n_frames)."""
    return undefined_if(silent, _chroma(spectrum, sample_rate, tuning))


def nominal_chroma(spectrum: "Spectrum", nominal_tuning: float, silent: bool) -> Array:
    """The same with filters for 22,050 Hz, (12, n_frames)."""
    return undefined_if(silent, _chroma(spectrum, SAMPLE_RATE, nominal_tuning))


def cqt(samples: Array, sample_rate: int, magnitude_tuning: float) -> Array:
    """Magnitude of seven octaves in semitones from C1, (84, n_frames)."""
    return constant_q(samples, sample_rate, round(magnitude_tuning, 2))


def octaves_together(cqt: Array) -> Array:
    """Constant-Q magnitude per pitch class, all octaves added, (12, n_frames)."""
    return cqt.reshape(-1, 12, cqt.shape[1]).sum(axis=0)


def chroma_cqt(octaves_together: Array, silent: bool) -> Array:
    """Pitch classes over the loudest of their frame, (12, n_frames)."""
    return undefined_if(silent, over(octaves_together, octaves_together.max(axis=0)))


def chroma_cens(octaves_together: Array, silent: bool) -> Array:
    """Quantised, smoothed pitch classes of unit length, (12, n_frames)."""
    # divided in float64 and rounded, as in librosa: a share may lie on a step
    shares = over(octaves_together, octaves_together.sum(axis=0, dtype=np.float64)).astype(np.float32)
    steps = np.sum([shares > step for step in CENS_STEPS], axis=0) / len(CENS_STEPS)
    window = np.hanning(_SMOOTHED + 2)
    window /= window.sum()
    n = steps.shape[1]
    middle = (len(window) - 1) // 2
    smooth = np.stack([np.convolve(row, window)[middle : middle + n] for row in steps])
    return undefined_if(silent, over(smooth, np.sqrt(np.square(smooth).sum(axis=0))))


def tonnetz(chroma_cens: Array) -> Array:
    """Tonal centroid of the CENS chroma, (6, n_frames)."""
    return _tonal_axes() @ over(chroma_cens, np.abs(chroma_cens).sum(axis=0))


def over(values: Array, length: Array) -> Array:
    """Columns over their length; those of no length as they are."""
    return values / np.where(length < _TINY, np.asarray(1.0, dtype=length.dtype), length)


def _tuning(spectrum: "Spectrum", sample_rate: int, squared: bool) -> float:
    """Most frequent deviation of the peaks above the median height, in hundredths of a semitone."""
    from genreatlas.audio.kernels.filters import peaks

    frequencies = np.fft.rfftfreq(N_FFT, 1.0 / sample_rate)
    inside = np.flatnonzero((frequencies >= _LOWEST) & (frequencies < min(_HIGHEST, sample_rate / 2)))
    pitches, heights = peaks(spectrum.magnitude, inside[0], inside[-1] + 1, _SHARE, squared, sample_rate / N_FFT)
    if len(pitches):
        pitches = pitches[heights >= np.median(heights)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        return float(librosa().pitch_tuning(pitches, resolution=0.01, bins_per_octave=12))


def _chroma(spectrum: "Spectrum", sample_rate: int, tuning: float) -> Array:
    from genreatlas.audio.kernels.filters import wide_bands

    power = wide_bands(spectrum.magnitude, _chroma_filters(sample_rate, round(tuning, 2)))
    return over(power, power.max(axis=0))


@functools.lru_cache(maxsize=256)
def _chroma_filters(sample_rate: int, tuning: float) -> npt.NDArray[np.float32]:
    """(n_bins, 12); there are 100 tunings, so the filters are soon all there."""
    filters = librosa().filters.chroma(sr=sample_rate, n_fft=N_FFT, tuning=tuning, n_chroma=12)
    return np.ascontiguousarray(filters.T, dtype=np.float32)


@functools.cache
def _tonal_axes() -> npt.NDArray[np.float64]:
    """Sine and cosine of fifths, minor and major thirds for each pitch class, (6, 12)."""
    steps = np.array([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3])[:, np.newaxis] * np.arange(12.0)
    steps[::2] -= 0.5
    return np.array([1, 1, 1, 1, 0.5, 0.5])[:, np.newaxis] * np.cos(np.pi * steps)
