"""Mel-frequency cepstral coefficients (Davis & Mermelstein 1980): the coarse shape of the spectrum."""

from genreatlas.audio.frames import Array
from genreatlas.audio.graph import LIBROSA
from genreatlas.audio.librosa_loading import librosa


@LIBROSA.feature
def mfcc(mel_db: Array) -> Array:
    """Twenty coefficients, (20, n_frames); the first n are what librosa gives for ``n_mfcc=n``.

    Orthonormal DCT-II of the mel bands in dB. Defined in silence too: the bands stop at a floor of -100 dB.
    """
    return librosa().feature.mfcc(S=mel_db, n_mfcc=20)
