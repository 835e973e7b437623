"""The graph used by extraction: the reference graph with nodes replaced by faster implementations.

Importing a module of features registers its functions in the graphs. A replacement computes the same quantity as the
node that it replaces; nodes without a fast implementation keep librosa's and read the same intermediates. Permitted
differences are listed in ``docs/performance.md``.
"""

from genreatlas.audio import (  # noqa: F401  (imported to register their functions)
    beats,
    cepstral,
    embeddings,
    fingerprint,
    groove,
    harmonic,
    levels,
    notes,
    pitch,
    rhythm,
    rhythm_pattern,
    spectral,
    statistics,
    windows,
)
from genreatlas.audio.graph import FAST, REFERENCE_GRAPH

__all__ = ["FAST_GRAPH", "REFERENCE_GRAPH"]

FAST_GRAPH = REFERENCE_GRAPH.extended(*FAST)
