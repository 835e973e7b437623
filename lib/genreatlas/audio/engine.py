"""The engine that extraction uses: the reference graph with what can be done faster in its place.

Importing a family of features adds its functions to the graphs. A node is replaced by a function of the same meaning;
nodes without a fast form stay librosa's and read the same intermediates. What may differ, and by how much, is in
``docs/performance.md``.
"""

from genreatlas.audio import (  # noqa: F401  (imported for what they add)
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
