"""Onset strength, onsets, beats and the tempogram: librosa's, with what can be shared shared."""

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa

#: Frames that a tempogram looks at around each frame, librosa's default: 8.9 s.
TEMPOGRAM_FRAMES = 384

#: Tempi at which the mean tempogram becomes columns: six an octave from 30 to 427.
TEMPI_BPM = tuple(30.0 * 2.0 ** (step / 6) for step in range(24))

#: Multiples of the tempo at which it becomes columns (Prockup et al. 2015), as (over, under).
TEMPO_RATIOS = (
    (4, 1), (8, 3), (3, 1), (2, 1), (4, 3), (3, 2), (1, 1), (2, 3), (3, 4), (1, 2), (1, 3), (3, 8), (1, 4)
)  # fmt: skip


@LIBROSA.feature
def onset_strength(mel_db: Array, sample_rate: int) -> Array:
    """Mean rise of the mel bands since the frame before, (n_frames,) dB: librosa's default envelope."""
    return librosa().onset.onset_strength(S=mel_db, sr=sample_rate, hop_length=HOP_LENGTH)


@LIBROSA.feature
def onset_frames(onset_strength: Array, sample_rate: int) -> npt.NDArray[np.integer]:
    """Frames in which ``librosa.onset.onset_detect`` hears an onset, (n_onsets,), ascending."""
    return librosa().onset.onset_detect(onset_envelope=onset_strength, sr=sample_rate, hop_length=HOP_LENGTH)


@LIBROSA.feature
def beat_frames(onset_envelope: Array, tempo: float, sample_rate: int) -> npt.NDArray[np.integer]:
    """Frames of ``librosa.beat.beat_track``'s beats, (n_beats,), ascending; none where the tempo is undefined.

    References: Ellis 2007, "Beat tracking by dynamic programming".
    """
    if np.isnan(tempo):
        return np.zeros(0, dtype=np.int64)
    tracked = librosa().beat.beat_track(
        onset_envelope=onset_envelope, bpm=tempo, sr=sample_rate, hop_length=HOP_LENGTH, units="frames"
    )
    return tracked[1]


@LIBROSA.feature
def tempogram(onset_strength: Array, sample_rate: int) -> Array:
    """Local autocorrelation of the onset strength, (384, n_frames): row = lag in frames, 1 at lag 0.

    References: Grosche, Müller & Kurth 2010, "Cyclic tempogram".
    """
    return librosa().feature.tempogram(
        onset_envelope=onset_strength, sr=sample_rate, hop_length=HOP_LENGTH, win_length=TEMPOGRAM_FRAMES
    )


@LIBROSA.feature
def tempogram_mean(tempogram: Array) -> Array:
    """The tempogram's mean over time, (384,)."""
    return tempogram.mean(axis=1)


@LIBROSA.feature
def tempogram_at_tempi(tempogram_mean: Array, sample_rate: int, silent: bool) -> Array:
    """The mean tempogram at :data:`TEMPI_BPM`, (24,), interpolated over lags; NaN in a silent clip."""
    lags = 60.0 * sample_rate / HOP_LENGTH / np.array(TEMPI_BPM)
    values = np.interp(lags, np.arange(len(tempogram_mean)), tempogram_mean)
    return np.full(len(lags), np.nan) if silent else values


@LIBROSA.feature
def tempo_ratios(tempogram_mean: Array, tempo: float, sample_rate: int) -> Array:
    """The mean tempogram at :data:`TEMPO_RATIOS` times the tempo, (13,); NaN where the tempo is undefined.

    ``librosa.feature.tempogram_ratio`` of the mean tempogram: interpolated over tempo, 0 beyond its ends.

    References: Peeters 2005; Prockup et al. 2015.
    """
    wanted = tempo * np.array([over / under for over, under in TEMPO_RATIOS])
    if np.isnan(tempo):
        return wanted
    lags = np.arange(len(tempogram_mean) - 1, 0, -1)  # tempo rises as the lag falls; lag 0 has none
    bpm = 60.0 * sample_rate / HOP_LENGTH / lags
    return np.interp(wanted, bpm, tempogram_mean[lags], left=0.0, right=0.0)
