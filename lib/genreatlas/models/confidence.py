"""How sure a model is: its mean scores of a song as calibrated probabilities, and the genres that it cannot rule out.

A temperature makes probabilities sharper or flatter, and a rising curve then maps that of the first genre to how often
it was right: where some labels are wrong, no model may be surer than the labels are. Neither changes the order of
genres. The prediction set holds every genre with less than its threshold of probability ahead of it (adaptive
prediction sets), where thresholds are chosen so that the sets of new artists' songs hold the true genre as often as
:attr:`Confidence.coverage` says.
:mod:`genreatlas.models.confidence_fits` fits both on songs that a model was not trained on. Numpy only: workers, the
driver and ``genreatlas.predict`` use the same code.

References: Guo et al. 2017, "On calibration of modern neural networks" (temperature); Romano, Sesia & Candès 2020,
"Classification with valid and adaptive coverage"; Angelopoulos et al. 2021, "Uncertainty sets for image classifiers
using conformal prediction".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.errors import ModelError
from genreatlas.values import JsonObject, JsonView

Floats = NDArray[np.float64]

#: Sums of the same probabilities in another order differ by less.
_ROUNDING = 1e-9

#: Most genres of a set that still says something, where nobody asks for another number; see :func:`most_genres`.
MOST_GENRES = 100


@dataclass(frozen=True)
class Confidence:
    """What is kept of a model beside its file.

    Attributes
    ----------
    sharpness : (n_classes,) exponent of all probabilities (1 / temperature) where the class is the first.
    curve : (2, n_knots) probability of the first class with that temperature, ascending, and what it is mapped to; in
        between it is linear.
    thresholds : (n_classes,) most probability ahead of a class with which it is in the set.
    coverage : share of songs of new artists whose set holds their genre.
    n_songs, n_groups : that it was fitted on.
    floor : probability that is spread evenly over all classes: what a forest has never seen is not impossible.
    """

    sharpness: Floats
    curve: Floats
    thresholds: Floats
    coverage: float
    n_songs: int
    n_groups: int
    floor: float

    def probabilities(self, means: AnyArray) -> Floats:
        """Calibrated probabilities of mean scores; both (n_songs, n_classes)."""
        logs = log_probabilities(means, self.floor)
        first = np.argmax(logs, axis=1)
        values = sharpened(logs, self.sharpness[first])
        rows = np.arange(len(values))
        even, sure = mixtures(values[rows, first], self.curve, values.shape[1])
        values *= (1.0 - even - sure)[:, None]
        values += (even / values.shape[1])[:, None]
        values[rows, first] += sure
        return values

    def sets(self, probabilities: Floats) -> list[NDArray[np.int64]]:
        """Classes of each song's set, the most probable first.

        Parameters
        ----------
        probabilities : from :meth:`probabilities`.
        """
        order = np.argsort(-probabilities, axis=1, kind="stable")
        ordered = np.take_along_axis(probabilities, order, axis=1)
        ahead = np.cumsum(ordered, axis=1) - ordered
        inside = ahead <= self.thresholds[order] + _ROUNDING
        return [row[kept] for row, kept in zip(order, inside, strict=True)]

    def to_json(self) -> JsonObject:
        """As ``meta.json`` keeps it."""
        return {
            "method": "temperature, curve, adaptive prediction sets",
            "coverage": self.coverage,
            "floor": self.floor,
            "n_songs": self.n_songs,
            "n_groups": self.n_groups,
            "sharpness": self.sharpness.tolist(),
            "curve": self.curve.tolist(),
            "thresholds": self.thresholds.tolist(),
        }

    @classmethod
    def from_json(cls, stored: JsonView | None, n_classes: int) -> "Confidence | None":
        """What :meth:`to_json` gave; None for None, as of models of earlier releases.

        Raises
        ------
        ModelError : it is something else, or of another number of classes.
        """
        if stored is None:
            return None
        try:
            found = cls(
                sharpness=np.array(stored["sharpness"], dtype=np.float64),
                curve=np.array(stored["curve"], dtype=np.float64),
                thresholds=np.array(stored["thresholds"], dtype=np.float64),
                coverage=float(stored["coverage"]),
                n_songs=int(stored["n_songs"]),
                n_groups=int(stored["n_groups"]),
                floor=float(stored["floor"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"meta.json: confidence cannot be read: {type(error).__name__}: {error}") from None
        for name, values in (("sharpness", found.sharpness), ("thresholds", found.thresholds)):
            if values.shape != (n_classes,) or not np.isfinite(values).all() or (values < 0).any():
                wrong = f"confidence.{name} is not one number from 0 on for each of {n_classes} genres"
                raise ModelError(f"meta.json: {wrong}")
        curve = found.curve
        if curve.ndim != 2 or len(curve) != 2 or not curve.shape[1] or not ((curve >= 0) & (curve <= 1)).all():
            raise ModelError("meta.json: confidence.curve is not two lists of numbers from 0 to 1, equally long")
        if (np.diff(curve, axis=1) < 0).any():
            raise ModelError("meta.json: confidence.curve falls")
        return found


def most_genres(asked: int, n_classes: int) -> int:
    """Genres of the largest set that is an answer; a larger one says that the model does not know.

    Parameters
    ----------
    asked : by the configuration or the caller; 0: half of the genres, at most :data:`MOST_GENRES`, and at least 1.
    """
    return asked or max(1, min(MOST_GENRES, n_classes // 2))


def log_probabilities(means: AnyArray, floor: float) -> Floats:
    """Logarithms of mean scores that add up to 1, with ``floor`` spread over all classes; (n_songs, n_classes)."""
    values = np.maximum(np.asarray(means, dtype=np.float64), 0.0)
    total = values.sum(axis=1, keepdims=True)
    nothing = total[:, 0] <= 0
    total[nothing] = 1.0
    values /= total
    values[nothing] = 1.0 / values.shape[1]
    values += floor / values.shape[1]
    values /= 1.0 + floor
    return np.asarray(np.log(values, out=values))


def sharpened(logs: Floats, sharpness: Floats) -> Floats:
    """Probabilities from logarithms (n_songs, n_classes), raised to a power of each song's own and normalised."""
    scaled = logs * sharpness[:, None]
    scaled -= scaled.max(axis=1, keepdims=True)
    values = np.exp(scaled)
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def mixtures(first: Floats, curve: Floats, n_classes: int) -> tuple[Floats, Floats]:
    """How probabilities are mixed so that the first class gets what the curve says, and the order stays.

    Parameters
    ----------
    first : (n_songs,) probability of the first class.
    curve : see :attr:`Confidence.curve`.

    Returns
    -------
    Shares (n_songs,) of an even distribution, where the first class gets less, and of certainty, where it gets more.
    """
    wanted = np.clip(np.interp(first, curve[0], curve[1]), 1.0 / n_classes, 1.0)
    above, below = first - 1.0 / n_classes, 1.0 - first
    zero = np.zeros_like(first)
    even = np.divide(first - wanted, above, out=zero.copy(), where=(wanted < first) & (above > 0))
    sure = np.divide(wanted - first, below, out=zero, where=(wanted > first) & (below > 0))
    return even, sure


def mass_ahead(probabilities: Floats, classes: NDArray[np.integer]) -> tuple[Floats, NDArray[np.int64]]:
    """Probability and number of all classes that come before a given one; of equal ones the first comes first.

    Parameters
    ----------
    probabilities : (n_songs, n_classes).
    classes : (n_songs,) class index, such as the true one.
    """
    own = probabilities[np.arange(len(classes)), classes][:, None]
    earlier = np.arange(probabilities.shape[1])[None, :] < np.asarray(classes)[:, None]
    before = (probabilities > own) | ((probabilities == own) & earlier)
    return np.where(before, probabilities, 0.0).sum(axis=1), before.sum(axis=1)
