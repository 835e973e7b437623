"""Tuning, chroma, tonal centroids and key.

Chroma is computed from the spectrum or from the constant-Q transform (:mod:`genreatlas.audio.constant_q`). ``nominal_``
features assume a sample rate of 22,050 Hz, as FMA's table does: chroma is then an octave off (which leaves pitch
classes unchanged), with filters half as wide. Extraction uses the functions with the prefix ``fast_`` instead of
librosa's.

References: Ellis 2007 (chroma); Brown 1991; Schörkhuber & Klapuri 2010 (one octave at a time); Müller & Ewert 2011
(CENS); Harte, Sandler & Gasser 2006 (tonal centroids); Krumhansl 1990 (keys).
"""

import functools
import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genreatlas.audio.constant_q import CENS_STEPS, constant_q
from genreatlas.audio.frames import HOP_LENGTH, N_FFT, SAMPLE_RATE, Array
from genreatlas.audio.graph import REFERENCE_GRAPH, fast
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.spectral import undefined_if

if TYPE_CHECKING:
    from genreatlas.audio.kernels.transform import Spectrum

#: Rows of a chromagram, in librosa's order.
PITCH_CLASSES = ("c", "cs", "d", "ds", "e", "f", "fs", "g", "gs", "a", "as", "b")

BINS_PER_OCTAVE = 12
N_OCTAVES = 7

_TINY = float(np.finfo(np.float32).tiny)

#: Range of frequencies (Hz) for tuning, and threshold relative to a frame's loudest bin: librosa's defaults.
_LOWEST, _HIGHEST, _SHARE = 150.0, 4000.0, 0.1

#: Length of the smoothing window of CENS, in frames.
_SMOOTHED = 41

#: Key profiles: listeners' ratings of each scale degree, from the tonic upwards (Krumhansl & Kessler 1982).
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@REFERENCE_GRAPH.feature
def tuning(power: Array, sample_rate: int) -> float:
    """Deviation of the clip's tuning from A = 440 Hz in semitones, -0.5 to 0.5; 0 without pitched sound."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        return float(librosa().estimate_tuning(S=power, sr=sample_rate, bins_per_octave=12))


@fast
def fast_tuning(spectrum: "Spectrum", sample_rate: int) -> float:
    """Deviation of the clip's tuning from A = 440 Hz in semitones, from the power spectrum."""
    return _tuning(spectrum, sample_rate, squared=True)


@REFERENCE_GRAPH.feature
def nominal_tuning(power: Array) -> float:
    """Deviation from A = 440 Hz in semitones, assuming a sample rate of 22,050 Hz."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        return float(librosa().estimate_tuning(S=power, sr=SAMPLE_RATE, bins_per_octave=12))


@fast
def fast_nominal_tuning(spectrum: "Spectrum") -> float:
    """Deviation from A = 440 Hz in semitones, assuming a sample rate of 22,050 Hz."""
    return _tuning(spectrum, SAMPLE_RATE, squared=True)


@REFERENCE_GRAPH.feature
def magnitude_tuning(magnitude: Array, sample_rate: int) -> float:
    """Deviation from A = 440 Hz in semitones, from magnitudes instead of power, as used by the constant-Q transform."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        return float(librosa().estimate_tuning(S=magnitude, sr=sample_rate, bins_per_octave=BINS_PER_OCTAVE))


@fast
def fast_magnitude_tuning(spectrum: "Spectrum", sample_rate: int) -> float:
    """Deviation from A = 440 Hz in semitones, from magnitudes."""
    return _tuning(spectrum, sample_rate, squared=False)


def _tuning(spectrum: "Spectrum", sample_rate: int, squared: bool) -> float:
    """Most frequent deviation of the peaks above the median height, with a resolution of 0.01 semitones."""
    from genreatlas.audio.kernels.bins import peaks

    frequencies = np.fft.rfftfreq(N_FFT, 1.0 / sample_rate)
    inside = np.flatnonzero((frequencies >= _LOWEST) & (frequencies < min(_HIGHEST, sample_rate / 2)))
    pitches, heights = peaks(spectrum.magnitude, inside[0], inside[-1] + 1, _SHARE, squared, sample_rate / N_FFT)
    if len(pitches):
        pitches = pitches[heights >= np.median(heights)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        return float(librosa().pitch_tuning(pitches, resolution=0.01, bins_per_octave=12))


@REFERENCE_GRAPH.feature
def chroma_stft(power: Array, sample_rate: int, tuning: float, silent: bool) -> Array:
    """Power per pitch class, divided by the loudest class of the frame, (12, n_frames), 0..1; NaN for digital silence.

    References: Ellis 2007, "Chroma feature analysis and synthesis".
    """
    return undefined_if(silent, librosa().feature.chroma_stft(S=power, sr=sample_rate, tuning=tuning))


@fast
def fast_chroma_stft(spectrum: "Spectrum", sample_rate: int, tuning: float, silent: bool) -> Array:
    """Power per pitch class, divided by the loudest class of the frame, (12, n_frames)."""
    return undefined_if(silent, _chroma(spectrum, sample_rate, tuning))


@REFERENCE_GRAPH.feature
def nominal_chroma(power: Array, nominal_tuning: float, silent: bool) -> Array:
    """Power per pitch class with filters for 22,050 Hz, divided by the frame's loudest class, (12, n_frames), 0..1."""
    return undefined_if(silent, librosa().feature.chroma_stft(S=power, sr=SAMPLE_RATE, tuning=nominal_tuning))


@fast
def fast_nominal_chroma(spectrum: "Spectrum", nominal_tuning: float, silent: bool) -> Array:
    """Power per pitch class with filters for 22,050 Hz, divided by the frame's loudest class, (12, n_frames)."""
    return undefined_if(silent, _chroma(spectrum, SAMPLE_RATE, nominal_tuning))


@REFERENCE_GRAPH.feature
def chroma_cells(chroma_stft: Array) -> Array:
    """The flattened chromagram, (12 * n_frames,), for the GTZAN table, which has one mean over all pitch classes."""
    return chroma_stft.reshape(-1)


def _chroma(spectrum: "Spectrum", sample_rate: int, tuning: float) -> Array:
    from genreatlas.audio.kernels.bins import wide_bands

    power = wide_bands(spectrum.magnitude, _chroma_filters(sample_rate, round(tuning, 2)))
    return over(power, power.max(axis=0))


@functools.lru_cache(maxsize=256)
def _chroma_filters(sample_rate: int, tuning: float) -> npt.NDArray[np.float32]:
    """Chroma filters, (n_bins, 12). Cached: there are only 100 tunings."""
    filters = librosa().filters.chroma(sr=sample_rate, n_fft=N_FFT, tuning=tuning, n_chroma=12)
    return np.ascontiguousarray(filters.T, dtype=np.float32)


@REFERENCE_GRAPH.feature
def cqt(samples: Array, sample_rate: int, magnitude_tuning: float) -> Array:
    """Constant-Q magnitude over seven octaves from C1 (32.7 Hz), in the clip's tuning, (84, n_frames)."""
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


@fast
def fast_cqt(samples: Array, sample_rate: int, magnitude_tuning: float) -> Array:
    """Constant-Q magnitude over seven octaves from C1, (84, n_frames)."""
    return constant_q(samples, sample_rate, round(magnitude_tuning, 2))


@fast
def fast_octaves_together(cqt: Array) -> Array:
    """Constant-Q magnitude per pitch class, summed over octaves, (12, n_frames)."""
    return cqt.reshape(-1, 12, cqt.shape[1]).sum(axis=0)


@REFERENCE_GRAPH.feature
def chroma_cqt(cqt: Array, silent: bool) -> Array:
    """Constant-Q magnitude per pitch class, divided by the frame's loudest class, (12, n_frames), 0..1."""
    chroma = librosa().feature.chroma_cqt(C=cqt, bins_per_octave=BINS_PER_OCTAVE, n_octaves=N_OCTAVES)
    return undefined_if(silent, chroma)


@fast
def fast_chroma_cqt(octaves_together: Array, silent: bool) -> Array:
    """Constant-Q magnitude per pitch class, divided by the frame's loudest class, (12, n_frames)."""
    return undefined_if(silent, over(octaves_together, octaves_together.max(axis=0)))


@REFERENCE_GRAPH.feature
def chroma_cens(cqt: Array, silent: bool) -> Array:
    """CENS chroma, insensitive to dynamics: quantised, smoothed over 41 frames, of unit length, (12, n_frames)."""
    chroma = librosa().feature.chroma_cens(C=cqt, bins_per_octave=BINS_PER_OCTAVE, n_octaves=N_OCTAVES)
    return undefined_if(silent, chroma)


@fast
def fast_chroma_cens(octaves_together: Array, silent: bool) -> Array:
    """CENS chroma, (12, n_frames)."""
    # divided in float64 and rounded, as in librosa, because a share may equal a quantisation step
    shares = over(octaves_together, octaves_together.sum(axis=0, dtype=np.float64)).astype(np.float32)
    steps = np.sum([shares > step for step in CENS_STEPS], axis=0) / len(CENS_STEPS)
    window = np.hanning(_SMOOTHED + 2)
    window /= window.sum()
    n = steps.shape[1]
    middle = (len(window) - 1) // 2
    smooth = np.stack([np.convolve(row, window)[middle : middle + n] for row in steps])
    return undefined_if(silent, over(smooth, np.sqrt(np.square(smooth).sum(axis=0))))


@REFERENCE_GRAPH.feature
def tonnetz(chroma_cens: Array, silent: bool) -> Array:
    """Tonal centroid of the CENS chroma: x and y of fifths, minor thirds and major thirds, (6, n_frames)."""
    if silent:
        return undefined_if(silent, chroma_cens[:6])
    return librosa().feature.tonnetz(chroma=chroma_cens)


@fast
def fast_tonnetz(chroma_cens: Array) -> Array:
    """Tonal centroid of the CENS chroma, (6, n_frames)."""
    return _tonal_axes() @ over(chroma_cens, np.abs(chroma_cens).sum(axis=0))


@functools.cache
def _tonal_axes() -> npt.NDArray[np.float64]:
    """Sine and cosine of fifths, minor thirds and major thirds for each pitch class, (6, 12)."""
    steps = np.array([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3])[:, np.newaxis] * np.arange(12.0)
    steps[::2] -= 0.5
    return np.array([1, 1, 1, 1, 0.5, 0.5])[:, np.newaxis] * np.cos(np.pi * steps)


def over(values: Array, length: Array) -> Array:
    """Divide columns by their lengths; columns of length zero are unchanged."""
    return values / np.where(length < _TINY, np.asarray(1.0, dtype=length.dtype), length)


@REFERENCE_GRAPH.feature
def key_fits(chroma_stft: Array, silent: bool) -> Array:
    """Correlation with the profile of each key, C major to B major, then C minor to B minor, (24,); NaN in silence.

    Drums add equally to all pitch classes, so each frame's minimum is subtracted before the mean over frames. The
    square root reduces the influence of single loud notes.

    References: Krumhansl & Kessler 1982 (profiles); Krumhansl 1990, ch. 4 (correlation).
    """
    profile = np.sqrt(np.maximum(chroma_stft - chroma_stft.min(axis=0), 0.0)).mean(axis=1)
    return profile_fits(np.full(12, np.nan) if silent else profile)


@REFERENCE_GRAPH.feature
def key(key_fits: Array) -> Array:
    """Tonic 0 (C) to 11 (B), mode (0 major, 1 minor) and margin over the second best key, (3,); NaN where undefined."""
    if np.isnan(key_fits).any():
        return np.full(3, np.nan)
    best = int(np.argmax(key_fits))
    second = float(np.partition(key_fits, -2)[-2])
    return np.array([best % 12, best // 12, key_fits[best] - second])


def profile_fits(profile: Array) -> Array:
    """Correlation of twelve pitch classes with the 24 key profiles, (24,); NaN if the twelve values are equal."""
    if not profile.std() > 1e-6:
        return np.full(24, np.nan)
    keys = np.array([np.roll(mode, tonic) for mode in (_MAJOR, _MINOR) for tonic in range(12)])
    return np.array([np.corrcoef(profile, key)[0, 1] for key in keys])
