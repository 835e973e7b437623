"""Onset strength, onsets, tempo, beats and the tempogram, computed with librosa from shared intermediates.

Extraction uses the functions with the prefix ``fast_`` instead of librosa's.
"""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, N_FFT, Array
from genreatlas.audio.graph import REFERENCE_GRAPH, fast
from genreatlas.audio.librosa_loading import librosa

#: Minimum rise of the median mel band for a tempo, in dB.
FAINTEST_ONSET_DB = 0.1

#: Window length of the tempogram in frames, librosa's default: 8.9 s.
TEMPOGRAM_FRAMES = 384

#: Tempi at which the mean tempogram is stored as columns: six per octave from 30 to 427 bpm.
TEMPI_BPM = tuple(30.0 * 2.0 ** (step / 6) for step in range(24))

#: Multiples of the tempo at which the mean tempogram is stored as columns, as (numerator, denominator).
#: Prockup et al. 2015.
TEMPO_RATIOS = (
    (4, 1), (8, 3), (3, 1), (2, 1), (4, 3), (3, 2), (1, 1), (2, 3), (3, 4), (1, 2), (1, 3), (3, 8), (1, 4)
)  # fmt: skip

_WINDOW_S, _USUAL_BPM, _HIGHEST_BPM = 8.0, 120.0, 320.0


@REFERENCE_GRAPH.feature
def onset_strength(mel_db: Array, sample_rate: int) -> Array:
    """Mean rise of the mel bands since the previous frame, (n_frames,) dB: librosa's default envelope."""
    return librosa().onset.onset_strength(S=mel_db, sr=sample_rate, hop_length=HOP_LENGTH)


@REFERENCE_GRAPH.feature
def onset_envelope(mel_db: Array, sample_rate: int) -> Array:
    """Median rise of the mel bands since the previous frame, (n_frames,) dB: the envelope of ``beat_track``."""
    return librosa().onset.onset_strength(S=mel_db, sr=sample_rate, hop_length=HOP_LENGTH, aggregate=np.median)


@fast
def fast_onset_envelope(mel_db: Array) -> Array:
    """Median rise of the mel bands since the previous frame, (n_frames,) dB, shifted to the middle of the frame."""
    shift = 1 + N_FFT // (2 * HOP_LENGTH)
    rise = np.ascontiguousarray(np.maximum(np.diff(mel_db), 0.0).T)
    half = rise.shape[1] // 2
    ordered = np.sort(rise, axis=1)  # vectorised: 0.2 ms; a partition around the two middle values takes 1.7 ms
    envelope = np.zeros(shift + len(rise), dtype=mel_db.dtype)
    envelope[shift:] = 0.5 * (ordered[:, half - 1] + ordered[:, half])
    return envelope[: mel_db.shape[1]]


@REFERENCE_GRAPH.feature
def onset_frames(onset_strength: Array, sample_rate: int) -> npt.NDArray[np.integer]:
    """Frames of the onsets detected by ``librosa.onset.onset_detect``, (n_onsets,), ascending."""
    return librosa().onset.onset_detect(onset_envelope=onset_strength, sr=sample_rate, hop_length=HOP_LENGTH)


@REFERENCE_GRAPH.feature
def tempo(onset_envelope: Array, sample_rate: int) -> float:
    """Tempo as ``librosa.beat.beat_track`` estimates it, beats per minute; NaN without two onsets.

    The peak of the envelope's autocorrelation, weighted towards 120 (Ellis 2007, "Beat tracking by
    dynamic programming"). Without onsets librosa would return the mode of its prior.
    """
    module = librosa()
    if onset_envelope.max(initial=0.0) < FAINTEST_ONSET_DB:
        return np.nan
    onsets = module.onset.onset_detect(onset_envelope=onset_envelope, sr=sample_rate, hop_length=HOP_LENGTH)
    if len(onsets) < 2:
        return np.nan
    return float(module.feature.tempo(onset_envelope=onset_envelope, sr=sample_rate, hop_length=HOP_LENGTH)[0])


@fast
def fast_tempo(onset_envelope: Array, mean_autocorrelation: Array, sample_rate: int) -> float:
    """Tempo as ``librosa.beat.beat_track`` estimates it, beats per minute; NaN without two onsets."""
    module = librosa()
    if onset_envelope.max(initial=0.0) < FAINTEST_ONSET_DB:
        return np.nan
    if len(module.onset.onset_detect(onset_envelope=onset_envelope, sr=sample_rate, hop_length=HOP_LENGTH)) < 2:
        return np.nan
    bpm = np.empty(len(mean_autocorrelation))
    bpm[0] = np.inf
    bpm[1:] = 60.0 * sample_rate / (HOP_LENGTH * np.arange(1, len(bpm)))
    prior = -0.5 * np.square(np.log2(bpm) - np.log2(_USUAL_BPM))
    prior[: int(np.argmax(bpm < _HIGHEST_BPM))] = -np.inf
    return float(bpm[np.argmax(np.log1p(1e6 * mean_autocorrelation) + prior)])


@fast
def fast_mean_autocorrelation(onset_envelope: Array, sample_rate: int) -> npt.NDArray[np.float64]:
    """Mean over frames of the envelope's local autocorrelation, (n_lags,).

    The window is eight seconds around the frame; each autocorrelation is divided by its value at lag 0. Equals the mean
    of ``librosa.feature.tempogram``.
    """
    return _autocorrelation_around(onset_envelope, int(_WINDOW_S * sample_rate / HOP_LENGTH))[1]


@REFERENCE_GRAPH.feature
def beat_frames(onset_envelope: Array, tempo: float, sample_rate: int) -> npt.NDArray[np.integer]:
    """Frames of the beats of ``librosa.beat.beat_track``, (n_beats,), ascending; empty where the tempo is undefined.

    References: Ellis 2007, "Beat tracking by dynamic programming".
    """
    if np.isnan(tempo):
        return np.zeros(0, dtype=np.int64)
    tracked = librosa().beat.beat_track(
        onset_envelope=onset_envelope, bpm=tempo, sr=sample_rate, hop_length=HOP_LENGTH, units="frames"
    )
    return tracked[1]


@REFERENCE_GRAPH.feature
def tempogram(onset_strength: Array, sample_rate: int) -> Array:
    """Local autocorrelation of the onset strength, (384, n_frames); row = lag in frames, 1 at lag 0.

    References: Grosche, Müller & Kurth 2010, "Cyclic tempogram".
    """
    return librosa().feature.tempogram(
        onset_envelope=onset_strength, sr=sample_rate, hop_length=HOP_LENGTH, win_length=TEMPOGRAM_FRAMES
    )


@fast
def fast_tempogram(sliding_tempogram: tuple[Array, Array]) -> Array:
    """Local autocorrelation of the onset strength, (384, n_frames)."""
    return sliding_tempogram[0].T


@fast
def fast_sliding_tempogram(onset_strength: Array) -> tuple[Array, npt.NDArray[np.float64]]:
    """The tempogram by frame and lag, (n_frames, 384), and its mean over time, (384,)."""
    return _autocorrelation_around(onset_strength, TEMPOGRAM_FRAMES)


@REFERENCE_GRAPH.feature
def tempogram_mean(tempogram: Array) -> Array:
    """Mean of the tempogram over time, (384,)."""
    return tempogram.mean(axis=1)


@fast
def fast_tempogram_mean(sliding_tempogram: tuple[Array, Array]) -> Array:
    """Mean of the tempogram over time, (384,)."""
    return sliding_tempogram[1]


@REFERENCE_GRAPH.feature
def tempogram_at_tempi(tempogram_mean: Array, sample_rate: int, silent: bool) -> Array:
    """The mean tempogram at :data:`TEMPI_BPM`, (24,), interpolated over lags; NaN in a silent clip."""
    lags = 60.0 * sample_rate / HOP_LENGTH / np.array(TEMPI_BPM)
    values = np.interp(lags, np.arange(len(tempogram_mean)), tempogram_mean)
    return np.full(len(lags), np.nan) if silent else values


@REFERENCE_GRAPH.feature
def tempo_ratios(tempogram_mean: Array, tempo: float, sample_rate: int) -> Array:
    """The mean tempogram at :data:`TEMPO_RATIOS` times the tempo, (13,); NaN where the tempo is undefined.

    As ``librosa.feature.tempogram_ratio`` of the mean tempogram: interpolated over tempo, 0 outside its range.

    References: Peeters 2005; Prockup et al. 2015.
    """
    wanted = tempo * np.array([over / under for over, under in TEMPO_RATIOS])
    if np.isnan(tempo):
        return wanted
    lags = np.arange(len(tempogram_mean) - 1, 0, -1)  # descending, so that tempo ascends; lag 0 has no tempo
    bpm = 60.0 * sample_rate / HOP_LENGTH / lags
    return np.interp(wanted, bpm, tempogram_mean[lags], left=0.0, right=0.0)


def _autocorrelation_around(envelope: Array, length: int) -> tuple[Array, npt.NDArray[np.float64]]:
    from genreatlas.audio.kernels.periods import local_autocorrelation

    padded = np.pad(np.asarray(envelope, np.float32), length // 2, mode="linear_ramp", end_values=0)
    return local_autocorrelation(padded[: len(envelope) + length - 1], length)
