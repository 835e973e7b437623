"""Definition of feature sets: named, versioned lists of features, one column each."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from genreatlas.audio.statistics import WORDS, Statistic

#: Unit of a statistic whose unit is not the feature's own.
_UNITS = {"var": "{}^2", "skew": "", "kurtosis": ""}


def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Feature:
    """One column of a set.

    Parameters
    ----------
    name, unit, comment : column name, unit and description.
    kind : ``categorical`` if the values are codes.
    node : the node of the graph that computes the feature.
    row : band or coefficient, where the node returns several.
    statistic : the statistic over frames; ``value`` keeps the node's value or its frames as they are.
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

    Parameters
    ----------
    name, version, comment : name, version and description of the set.
    axis : the layout (:mod:`genreatlas.audio.layouts`): ``summary``, ``vector``, ``frames``, ``events``, ``quantised``
        or ``codes``.
    sample_rate : rate to which the clip is resampled first, in Hz; None: computed from the clip as decoded.
    hop_length : samples between frames; None where the set has no such frames.
    features : the columns, in their order.
    arrays : additional array columns of a summary.
    lacking : returns a description of the software missing on this machine, or an empty string. A set whose software is
        missing is skipped.
    """

    name: str
    version: str
    axis: str
    sample_rate: int | None
    hop_length: int | None
    features: tuple[Feature, ...]
    comment: str
    arrays: tuple[Feature, ...] = ()
    lacking: Callable[[], str] = _nothing

    @functools.cached_property
    def needs(self) -> tuple[str, ...]:
        """Names of the graph nodes that the set reads, without duplicates."""
        summarised = ("summarise",) if any(feature.statistic != "value" for feature in self.features) else ()
        return (*dict.fromkeys(feature.node for feature in (*self.features, *self.arrays)), *summarised)

    @property
    def hop_s(self) -> float | None:
        """Time between the centres of neighbouring frames, in seconds."""
        return self.hop_length / self.sample_rate if self.hop_length and self.sample_rate else None

    def compute(self, nodes: Mapping[str, Any]) -> npt.NDArray[np.floating]:
        """Collect the values of computed nodes in the set's column order.

        Parameters
        ----------
        nodes : values of the nodes in :attr:`needs`, by name.

        Returns
        -------
        (n_features,) float64, one value per feature, or (n_rows, n_features) where the features are series. NaN where
        undefined.
        """
        values: list[Any] = [None] * len(self.features)
        for node, statistics in self._columns.items():
            wanted = [name for name in statistics if name != "value"]
            found = {"value": nodes[node]} | (nodes["summarise"](nodes[node], wanted) if wanted else {})
            for statistic, places in statistics.items():
                rows = found[statistic]
                for place, row in places:
                    values[place] = _row(rows, row)
        return np.array(values, dtype=np.float64).T

    @functools.cached_property
    def _columns(self) -> dict[str, dict[Statistic, list[tuple[int, int | None]]]]:
        """Index and row of each column, by node and statistic. Cached: a set can have 518 columns."""
        columns: dict[str, dict[Statistic, list[tuple[int, int | None]]]] = {}
        for place, feature in enumerate(self.features):
            columns.setdefault(feature.node, {}).setdefault(feature.statistic, []).append((place, feature.row))
        return columns


def _row(values: Any, row: int | None) -> Any:
    return values if row is None else values[row]


def summary_columns(
    name: str,
    unit: str,
    node: str,
    words: str,
    statistics: Iterable[Statistic],
    row: int | None = None,
    suffix: str = "",
) -> Iterator[Feature]:
    """One column ``<name>_<statistic><suffix>`` per statistic of one row of a node.

    Parameters
    ----------
    name : name of the feature, the prefix of the columns.
    unit : unit of the node. The variance has its square (none for a share); skewness and kurtosis have no unit.
    node : the node of the graph.
    words : description of the feature; the statistic is appended to make the comment.
    statistics : the statistics over frames.
    row : band or coefficient, where the node returns several.
    suffix : appended to the column names.
    """
    for statistic in statistics:
        share = statistic == "var" and unit == "0..1"
        own = "" if share or not unit else _UNITS.get(statistic, "{}").format(unit)
        comment = f"{words}: {WORDS[statistic]}."
        yield Feature(f"{name}_{statistic}{suffix}", own, comment, "numeric", node, row, statistic)
