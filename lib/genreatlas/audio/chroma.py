"""How strongly each of the twelve pitch classes sounds."""

import warnings

from genreatlas.audio.frames import Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.spectra import undefined_if

#: Rows of a chromagram, in librosa's order.
PITCH_CLASSES = ("c", "cs", "d", "ds", "e", "f", "fs", "g", "gs", "a", "as", "b")


@LIBROSA.feature
def tuning(power: Array, sample_rate: int) -> float:
    """Deviation of the clip's pitches from A = 440 Hz, in semitones, -0.5 to 0.5; 0 where nothing has a pitch."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        return float(librosa().estimate_tuning(S=power, sr=sample_rate, bins_per_octave=12))


@LIBROSA.feature
def chroma_stft(power: Array, sample_rate: int, tuning: float, silent: bool) -> Array:
    """Power per pitch class over the loudest class of its frame, (12, n_frames), 0..1; NaN for digital silence.

    References: Ellis 2007, "Chroma feature analysis and synthesis".
    """
    return undefined_if(silent, librosa().feature.chroma_stft(S=power, sr=sample_rate, tuning=tuning))


@LIBROSA.feature
def chroma_cells(chroma_stft: Array) -> Array:
    """All cells of the chromagram in one row, (12 * n_frames,): the GTZAN table has one mean over all of them."""
    return chroma_stft.reshape(-1)
