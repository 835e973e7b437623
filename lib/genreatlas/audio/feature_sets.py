"""The registry of feature sets: names, order, units and versions of all extracted features.

The sets are defined in :mod:`genreatlas.audio.sets`, one module per family, and registered here. A set is a list of
features; a feature names a node of the graph and the statistic that summarises it. The same value has the same name in
every set (``mfcc1_mean`` is in ``summary9`` and in ``gtzan57``). A computed NaN means undefined and is stored as NULL.

Increase a set's ``version`` whenever one of its values may change: its rows are then recomputed, and the old rows are
kept.
"""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreatlas.audio.embeddings import EmbeddingSet, sets_of
from genreatlas.audio.engine import REFERENCE_GRAPH
from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.graph import Graph
from genreatlas.audio.layouts import LAYOUTS, Layout, get_layout
from genreatlas.audio.layouts import register as register_layout
from genreatlas.audio.sets.cepstra import MEL128, MFCC_COV
from genreatlas.audio.sets.definition import Feature, FeatureSet
from genreatlas.audio.sets.events import RHYTHM_NOTES, TIMBRE_PITCH
from genreatlas.audio.sets.fingerprint import FINGERPRINT
from genreatlas.audio.sets.fma import FMA518_22K, FMA518_44K
from genreatlas.audio.sets.groove import GROOVE, GROOVE_BARS
from genreatlas.audio.sets.gtzan import GTZAN57
from genreatlas.audio.sets.level import LOUDNESS, QUALITY
from genreatlas.audio.sets.means import MFCC12_FRAMES, SUMMARY9
from genreatlas.audio.sets.rhythm_pattern import SSD_RP
from genreatlas.audio.sets.tonality import TONALITY
from genreatlas.audio.sets.windows import WINDOWS
from genreatlas.config import EmbeddingEntry
from genreatlas.errors import ConfigError
from genreatlas.tables import Table

__all__ = [
    "ALWAYS",
    "FEATURE_SETS",
    "HOP_LENGTH",
    "SAMPLE_RATE",
    "Feature",
    "FeatureSet",
    "Registered",
    "adopt_embeddings",
    "compute_sets",
    "current_version",
    "get_feature_set",
    "register",
    "registered",
    "table_of",
]

_SETS = (
    MFCC12_FRAMES,
    SUMMARY9,
    GTZAN57,
    FMA518_44K,
    FMA518_22K,
    LOUDNESS,
    QUALITY,
    WINDOWS,
    MFCC_COV,
    MEL128,
    SSD_RP,
    GROOVE,
    TONALITY,
    TIMBRE_PITCH,
    RHYTHM_NOTES,
    GROOVE_BARS,
    FINGERPRINT,
)
FEATURE_SETS: dict[str, FeatureSet] = {feature_set.name: feature_set for feature_set in _SETS}
_OWN_LAYOUTS = tuple(LAYOUTS.values())

#: Always extracted, so that models can be compared with a model of loudness alone.
ALWAYS = ("loudness",)


def compute_sets(
    feature_sets: Iterable[FeatureSet],
    samples: npt.NDArray[np.float32],
    graph: Graph = REFERENCE_GRAPH,
    **given: object,
) -> dict[str, npt.NDArray[np.floating]]:
    """Compute sets of one sample rate together, sharing all intermediates.

    Parameters
    ----------
    feature_sets : sets whose ``sample_rate`` equals the sample rate of the samples.
    samples : (n,) mono float32, full scale is 1
    graph : the graph that computes the nodes; the default is plain librosa.
    given : further inputs of the graph, such as the loudness measured before normalisation.

    Returns
    -------
    Result of :meth:`FeatureSet.compute` by name of the set, and arrays, each (n,), by ``<set>.<array>``.

    Raises
    ------
    ValueError : the sets have different sample rates.
    """
    feature_sets = list(feature_sets)
    rates = {s.sample_rate for s in feature_sets}
    if len(rates) > 1:
        raise ValueError(f"sets of different sample rates cannot be computed from one signal: {rates}")
    wanted = {node for s in feature_sets for node in s.needs}
    nodes = graph.compute(sorted(wanted), samples=samples, sample_rate=next(iter(rates), None), **given)
    arrays = {f"{s.name}.{a.name}": np.asarray(nodes[a.node], np.float64) for s in feature_sets for a in s.arrays}
    return {s.name: s.compute(nodes) for s in feature_sets} | arrays


def get_feature_set(name: str) -> FeatureSet:
    """Return the feature set with this name.

    Raises
    ------
    ConfigError : no set has this name; the message suggests the most similar name.
    """
    if name not in FEATURE_SETS:
        near = difflib.get_close_matches(name, FEATURE_SETS, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(FEATURE_SETS)}."
        raise ConfigError(f"no feature set is called {name!r}. {hint}")
    return FEATURE_SETS[name]


def current_version(name: str, stored: Collection[str], sources: Collection[str]) -> str:
    """Current version of a stored set: the registry's if extracted, the latest stored if imported.

    Parameters
    ----------
    name : the set's name.
    stored : its versions in the store.
    sources : sources of its rows; ``registry`` marks an extracted set.
    """
    if "registry" in sources and name in FEATURE_SETS:
        return FEATURE_SETS[name].version
    return max(stored, key=lambda version: (len(version), version))


def table_of(feature_set: FeatureSet) -> Table:
    """Return the definition of the table that stores the set."""
    layout = get_layout(feature_set.axis)
    columns = [column for column, _ in layout.columns(feature_set.features, feature_set.arrays)]
    return layout.table(feature_set.name, feature_set.comment, columns)


@dataclass(frozen=True)
class Registered:
    """Layouts and sets registered in addition to the package's own, sent to the workers."""

    layouts: tuple[Layout, ...] = ()
    feature_sets: tuple[FeatureSet, ...] = ()

    def adopt(self) -> None:
        """Register these layouts and sets in this process."""
        for layout in self.layouts:
            register_layout(layout)
        for feature_set in self.feature_sets:
            register(feature_set)

    def beside(self, feature_sets: Iterable[FeatureSet]) -> "Registered":
        """Return a copy with these sets added; sets of the same names are replaced."""
        mine = {one.name: one for one in (*self.feature_sets, *feature_sets)}
        return Registered(self.layouts, tuple(mine.values()))


def register(feature_set: FeatureSet) -> FeatureSet:
    """Add a set to the registry; a set of the same name is replaced.

    Raises
    ------
    ConfigError : its layout is not registered.
    """
    get_layout(feature_set.axis)
    FEATURE_SETS[feature_set.name] = feature_set
    return feature_set


def adopt_embeddings(entries: Iterable[EmbeddingEntry]) -> None:
    """Register the sets of a configuration's networks and remove those of an earlier configuration.

    Raises
    ------
    ConfigError : two sets would have one name.
    """
    for name in [name for name, known in FEATURE_SETS.items() if isinstance(known, EmbeddingSet)]:
        del FEATURE_SETS[name]
    placed = [
        entry.model_copy(update={"file": entry.file.absolute()}) for entry in entries
    ]  # workers run in other directories
    for one in [one for entry in placed for one in sets_of(entry)]:
        if one.name in FEATURE_SETS:
            raise ConfigError(f"extract.embeddings: a feature set is called {one.name} already. Choose another name.")
        register(one)


def registered() -> Registered:
    """Return the layouts and sets registered in this process that are not the package's own. Workers lack them."""
    return Registered(
        tuple(layout for layout in LAYOUTS.values() if layout not in _OWN_LAYOUTS),
        tuple(feature_set for feature_set in FEATURE_SETS.values() if feature_set not in _SETS),
    )
