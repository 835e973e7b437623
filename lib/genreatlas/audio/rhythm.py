"""Onsets and tempo."""

import numpy as np

from genreatlas.audio.frames import HOP_LENGTH, Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa

#: A rise of the median mel band of less than this is no onset. [dB]
FAINTEST_ONSET_DB = 0.1


@LIBROSA.feature
def onset_envelope(mel_db: Array, sample_rate: int) -> Array:
    """Median rise of the mel bands since the frame before, (n_frames,) dB: the envelope of ``beat_track``."""
    return librosa().onset.onset_strength(S=mel_db, sr=sample_rate, hop_length=HOP_LENGTH, aggregate=np.median)


@LIBROSA.feature
def tempo(onset_envelope: Array, sample_rate: int) -> float:
    """Tempo as ``librosa.beat.beat_track`` estimates it, beats per minute; NaN without two onsets.

    The peak of the envelope's autocorrelation, weighted towards 120 (Ellis 2007, "Beat tracking by
    dynamic programming"). librosa answers with its prior where nothing happens at all.
    """
    module = librosa()
    if onset_envelope.max(initial=0.0) < FAINTEST_ONSET_DB:
        return np.nan
    onsets = module.onset.onset_detect(onset_envelope=onset_envelope, sr=sample_rate, hop_length=HOP_LENGTH)
    if len(onsets) < 2:
        return np.nan
    return float(module.feature.tempo(onset_envelope=onset_envelope, sr=sample_rate, hop_length=HOP_LENGTH)[0])
