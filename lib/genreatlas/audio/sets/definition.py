"""What a feature set is: a named, versioned list of features, each of them a column."""

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

    ``axis`` names the layout (:mod:`genreatlas.audio.layouts`): ``summary``, ``vector``, ``frames``, ``events``,
    ``quantised`` or ``codes``. ``arrays`` are further columns of a summary.
    ``sample_rate`` is what the clip is resampled to first; None: measured on the clip as it was decoded.
    ``lacking`` says in words what this machine lacks to compute the set; where it lacks something, the set is left out.
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
        """Nodes of the graph that the set reads, each once."""
        summarised = ("summarise",) if any(feature.statistic != "value" for feature in self.features) else ()
        return (*dict.fromkeys(feature.node for feature in (*self.features, *self.arrays)), *summarised)

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
        One value per feature, (n_features,) float64, or where features are series (n_rows, n_features). NaN where
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
        """By node and statistic: the place of each column and its row. Made once: there are 518 of them in a set."""
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
    unit : of the node; the variance's is squared, that of a share, skewness and kurtosis have none.
    words : what the feature is; the comment adds the statistic.
    """
    for statistic in statistics:
        share = statistic == "var" and unit == "0..1"
        own = "" if share or not unit else _UNITS.get(statistic, "{}").format(unit)
        comment = f"{words}: {WORDS[statistic]}."
        yield Feature(f"{name}_{statistic}{suffix}", own, comment, "numeric", node, row, statistic)
