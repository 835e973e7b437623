"""The registry of feature sets: names, order, units and versions of everything that is extracted.

A set is a list of features; a feature says which node of the graph it summarises and how. The same
value has the same name in every set (``mfcc1_mean`` is in ``summary9`` and in ``gtzan57``). NaN in what
is computed means undefined, and is stored as NULL.

Raise a set's ``version`` whenever a value of it may change: its rows are then computed anew, beside
the old ones.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from genreatlas.audio.chroma import PITCH_CLASSES
from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.graph import Graph
from genreatlas.audio.reference import LIBROSA
from genreatlas.errors import ConfigError
from genreatlas.tables import Column, Table, frame_table, summary_table

Statistic = Literal["mean", "var", "value"]
_WORDS = {"mean": "mean over frames", "var": "variance over frames"}


@dataclass(frozen=True)
class Feature:
    """One column of a set.

    ``node`` is the function of the graph that it comes from, ``row`` the band or coefficient where that
    has several, ``statistic`` how frames become one number (``value``: they stay, or it is one already).
    """

    name: str
    unit: str = ""
    comment: str = ""
    kind: Literal["numeric", "categorical"] = "numeric"
    node: str = ""
    row: int | None = None
    statistic: Statistic = "value"


@dataclass(frozen=True)
class FeatureSet:
    """A named, versioned list of features that are extracted and stored together.

    ``axis`` is ``summary`` (one row a clip, one column a feature) or ``frames`` (packed frames).
    ``sample_rate`` is what the clip is resampled to first; None: measured on the clip as it was decoded.
    """

    name: str
    version: str
    axis: Literal["summary", "frames"]
    sample_rate: int | None
    hop_length: int | None
    features: tuple[Feature, ...]
    comment: str

    @property
    def needs(self) -> tuple[str, ...]:
        """Nodes of the graph that the set reads, each once."""
        return tuple(dict.fromkeys(feature.node for feature in self.features))

    @property
    def hop_s(self) -> float | None:
        """Time between the centres of neighbouring frames, in seconds."""
        return self.hop_length / self.sample_rate if self.hop_length and self.sample_rate else None

    def compute(self, nodes: Mapping[str, Any]) -> npt.NDArray[np.floating]:
        """Bring the computed nodes into the set's order.

        Parameters
        ----------
        nodes : the values of :attr:`needs` by name.

        Returns
        -------
        summary: (n_features,) float64, NaN where undefined; frames: (n_frames, n_features)
        """
        if self.axis == "frames":
            return np.stack([_row(nodes[f.node], f.row) for f in self.features], axis=-1)
        summaries = {key: _summarise(nodes[key[0]], key[1]) for key in {(f.node, f.statistic) for f in self.features}}
        return np.array([_row(summaries[f.node, f.statistic], f.row) for f in self.features], dtype=np.float64)


def _row(values: Any, row: int | None) -> Any:
    return values if row is None else values[row]


def _summarise(values: Any, statistic: Statistic) -> Any:
    # float64 throughout: a float32 sum over 660,000 samples depends on how it is blocked
    if statistic == "value":
        return values
    return (np.mean if statistic == "mean" else np.var)(values, axis=-1, dtype=np.float64)


def compute_sets(
    feature_sets: Iterable[FeatureSet], samples: npt.NDArray[np.float32], graph: Graph = LIBROSA, **given: Any
) -> dict[str, npt.NDArray[np.floating]]:
    """Compute sets of one sample rate together, so that they share every intermediate.

    Parameters
    ----------
    feature_sets : sets whose ``sample_rate`` is that of the samples.
    samples : (n,) mono float32, full scale is 1
    graph : who computes; the default is plain librosa.
    given : further roots, such as a loudness that was measured before.

    Returns
    -------
    By name of the set what :meth:`FeatureSet.compute` returns.

    Raises
    ------
    ValueError : the sets are meant for different sample rates.
    """
    feature_sets = list(feature_sets)
    rates = {s.sample_rate for s in feature_sets}
    if len(rates) > 1:
        raise ValueError(f"sets of different sample rates cannot be computed from one signal: {rates}")
    wanted = {node for s in feature_sets for node in s.needs}
    nodes = graph.compute(sorted(wanted), samples=samples, sample_rate=next(iter(rates), None), **given)
    return {s.name: s.compute(nodes) for s in feature_sets}


def _statistics(
    name: str, unit: str, node: str, words: str, row: int | None = None, var: bool = True
) -> Iterator[Feature]:
    for statistic in ("mean", "var") if var else ("mean",):
        squared = {"mean": unit, "var": f"{unit}^2" if unit else ""}[statistic]
        yield Feature(f"{name}_{statistic}", squared, f"{words}: {_WORDS[statistic]}.", "numeric", node, row, statistic)


def _mfcc(count: int, var: bool) -> Iterator[Feature]:
    for row in range(count):
        words = f"Mel-frequency cepstral coefficient {row + 1} of {count}"
        yield from _statistics(f"mfcc{row + 1}", "dB", "mfcc", words, row, var)


def _mfcc12() -> Iterator[Feature]:
    for row in range(12):
        words = f"Mel-frequency cepstral coefficient {row + 1} of 12."
        yield Feature(f"mfcc{row + 1}", "dB", words, node="mfcc", row=row)


_CONTRAST_BANDS = ("0_200", "200_400", "400_800", "800_1600", "1600_3200", "3200_6400", "6400_11025")


def _summary9() -> Iterator[Feature]:
    for row, pitch in enumerate(PITCH_CLASSES):
        words = f"Share of pitch class {pitch[0].upper()}{' sharp' * (len(pitch) - 1)} in its frame's loudest"
        yield from _statistics(f"chroma_{pitch}", "0..1", "chroma_stft", words, row, var=False)
    for row, band in enumerate(_CONTRAST_BANDS):
        words = f"Peaks over valleys of the spectrum from {band.replace('_', ' to ')} Hz"
        yield from _statistics(f"contrast_{band}_hz", "dB", "spectral_contrast", words, row, var=False)
    yield from _mfcc(20, var=False)
    yield from _statistics("rms", "full scale", "rms", "Root mean square of the samples", var=False)
    yield from _statistics("spectral_centroid", "Hz", "spectral_centroid", "Centre of mass of the spectrum", var=False)
    yield from _statistics("spectral_bandwidth", "Hz", "spectral_bandwidth", "Spread around the centroid", var=False)
    yield from _statistics("rolloff", "Hz", "spectral_rolloff", "Frequency with 85 % of the magnitude below", var=False)
    yield from _statistics("zero_crossing_rate", "0..1", "zero_crossing_rate", "Share of sign changes", var=False)
    yield from _statistics("flatness", "0..1", "spectral_flatness", "0 a tone, near 1 white noise", var=False)


def _gtzan57() -> Iterator[Feature]:
    """Columns of the published table, by the definitions that its values bear out.

    Means and variances (``np.var``, divided by n) of librosa's features at 22,050 Hz with its defaults;
    one chroma for all pitch classes together; ``harmony`` and ``perceptr`` are the samples of the two
    waves of ``librosa.effects.hpss``; ``tempo`` is ``librosa.beat.beat_track``'s (every published value
    is 60 * 22050 / 512 over a whole number of frames).

    The table was made by a librosa before 0.9, which mirrored the signal at its ends where zeros are
    taken since: the two frames at each end differ, and with them, slightly, every column but
    ``zero_crossing_rate``. It used whole files (660,000 to 675,808 samples, not 30 s exactly), and
    ``tempo`` may come out as another multiple.
    """
    yield from _statistics(
        "chroma_stft", "", "chroma_cells", "Pitch classes over the loudest of their frame, all twelve together"
    )
    yield from _statistics("rms", "full scale", "rms", "Root mean square of the samples")
    yield from _statistics("spectral_centroid", "Hz", "spectral_centroid", "Centre of mass of the spectrum")
    yield from _statistics("spectral_bandwidth", "Hz", "spectral_bandwidth", "Spread around the centroid")
    yield from _statistics("rolloff", "Hz", "spectral_rolloff", "Frequency with 85 % of the magnitude below")
    yield from _statistics("zero_crossing_rate", "", "zero_crossing_rate", "Share of sign changes")
    yield from _statistics("harmony", "full scale", "harmonic", "Samples of the harmonic part")
    yield from _statistics("perceptr", "full scale", "percussive", "Samples of the percussive part")
    yield Feature("tempo", "bpm", "Tempo of librosa's beat tracker; NULL without onsets.", node="tempo")
    yield from _mfcc(20, var=True)


def _loudness() -> Iterator[Feature]:
    for name, unit, comment in (
        ("loudness_lufs", "LUFS", "Integrated loudness (EBU R128) of the cut; NULL below the gate."),
        ("peak_dbfs", "dBFS", "Largest absolute sample of the mono mix; above 0 where it clips."),
        ("rms_dbfs", "dBFS", "Root mean square of the whole cut."),
        ("gain_db", "dB", "Gain that normalisation then applied; 0 where it is off."),
    ):
        yield Feature(name, unit, comment, node=name)


_SETS = (
    FeatureSet(
        name="mfcc12_frames",
        version="1",
        axis="frames",
        sample_rate=SAMPLE_RATE,
        hop_length=HOP_LENGTH,
        features=tuple(_mfcc12()),
        comment="Twelve MFCC per frame, librosa's defaults at 22,050 Hz.",
    ),
    FeatureSet(
        name="summary9",
        version="1",
        axis="summary",
        sample_rate=SAMPLE_RATE,
        hop_length=HOP_LENGTH,
        features=tuple(_summary9()),
        comment="Means over frames of chroma, contrast, MFCC, RMS, centroid, bandwidth, roll-off, crossings, flatness.",
    ),
    FeatureSet(
        name="gtzan57",
        version="1",
        axis="summary",
        sample_rate=SAMPLE_RATE,
        hop_length=HOP_LENGTH,
        features=tuple(_gtzan57()),
        comment="The 57 columns of the widely used GTZAN table, in its order and under its names.",
    ),
    FeatureSet(
        name="loudness",
        version="1",
        axis="summary",
        sample_rate=None,
        hop_length=None,
        features=tuple(_loudness()),
        comment="Level of the clip before any normalisation: what a classifier should not need.",
    ),
)
FEATURE_SETS: dict[str, FeatureSet] = {feature_set.name: feature_set for feature_set in _SETS}

#: Extracted beside whatever is asked for, because a model must be held against it.
ALWAYS = ("loudness",)


def get_feature_set(name: str) -> FeatureSet:
    """The set of that name.

    Raises
    ------
    ConfigError : there is none; the message has the nearest name.
    """
    if name not in FEATURE_SETS:
        near = difflib.get_close_matches(name, FEATURE_SETS, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(FEATURE_SETS)}."
        raise ConfigError(f"no feature set is called {name!r}. {hint}")
    return FEATURE_SETS[name]


def table_of(feature_set: FeatureSet) -> Table:
    """The table that holds the set: ``features_<set>`` with a column per feature, or ``frames_<set>``."""
    if feature_set.axis == "frames":
        return frame_table(feature_set.name, feature_set.comment)
    columns = (Column(f.name, "double", f.comment, f.unit) for f in feature_set.features)
    return summary_table(feature_set.name, feature_set.comment, columns)
