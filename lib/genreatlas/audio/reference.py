"""The reference graph, complete: importing a family of features adds its functions to it."""

from genreatlas.audio import cepstral, chroma, constant_q, harmonic, nominal, rhythm, spectra, spectral, statistics
from genreatlas.audio.graph import LIBROSA

__all__ = [
    "LIBROSA", "cepstral", "chroma", "constant_q", "harmonic", "nominal", "rhythm", "spectra", "spectral", "statistics",
]  # fmt: skip
