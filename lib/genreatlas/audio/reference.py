"""The reference graph, complete: importing a family of features adds its functions to it."""

from genreatlas.audio import (
    beats,
    cepstral,
    chroma,
    constant_q,
    covariance,
    harmonic,
    levels,
    nominal,
    rhythm,
    spectra,
    spectral,
    statistics,
    tempogram,
    windows,
)
from genreatlas.audio.graph import LIBROSA

__all__ = [
    "LIBROSA",
    "beats",
    "cepstral",
    "chroma",
    "constant_q",
    "covariance",
    "harmonic",
    "levels",
    "nominal",
    "rhythm",
    "spectra",
    "spectral",
    "statistics",
    "tempogram",
    "windows",
]
