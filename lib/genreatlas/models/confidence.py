"""Calibrated probabilities and prediction sets from the mean scores of a song.

A temperature makes probabilities sharper or flatter. A monotone curve then maps the probability of the most probable
genre to the share of songs for which it was right; with wrong labels this share stays below 1. Neither changes the
order of genres. The prediction set contains each genre for which the summed probability of the genres ranked before it
is at most the genre's threshold (adaptive prediction sets). Thresholds are chosen so that sets for songs of new artists
contain the true genre with probability :attr:`Confidence.coverage`.
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

#: Tolerance for sums of the same probabilities in another order.
_ROUNDING = 1e-9

#: Default size of the largest prediction set that counts as an answer; see :func:`most_genres`.
MOST_GENRES = 100


@dataclass(frozen=True)
class Confidence:
    """Fitted calibration and prediction sets of a model.

    Attributes
    ----------
    sharpness : (n_classes,) exponent (1 / temperature) of a song's probabilities, by its most probable class.
    curve : (2, n_knots) probability of the most probable class after the temperature, ascending, and its calibrated
        value; linear between knots.
    thresholds : (n_classes,) a class is in the set if the probability ranked before it is at most its threshold.
    coverage : share of songs of new artists whose set contains their genre.
    n_songs, n_groups : number of songs and of groups (artists) of the fit.
    floor : probability that is spread evenly over all classes, so that none has probability 0, as from a forest.
    """

    sharpness: Floats
    curve: Floats
    thresholds: Floats
    coverage: float
    n_songs: int
    n_groups: int
    floor: float

    def probabilities(self, means: AnyArray) -> Floats:
        """Calibrate mean scores; input and output are (n_songs, n_classes)."""
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
        """Prediction set of each song: class indices, the most probable first.

        Parameters
        ----------
        probabilities : (n_songs, n_classes) from :meth:`probabilities`.
        """
        order = np.argsort(-probabilities, axis=1, kind="stable")
        ordered = np.take_along_axis(probabilities, order, axis=1)
        ahead = np.cumsum(ordered, axis=1) - ordered
        inside = ahead <= self.thresholds[order] + _ROUNDING
        return [row[kept] for row, kept in zip(order, inside, strict=True)]

    def to_json(self) -> JsonObject:
        """Return the fields as stored in ``meta.json``."""
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
        """Read the result of :meth:`to_json`; None for None, as in models of earlier releases.

        Raises
        ------
        ModelError : the fields are missing or invalid, or the number of classes differs.
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
                wrong = f"confidence.{name} must be one non-negative number for each of {n_classes} genres"
                raise ModelError(f"meta.json: {wrong}")
        curve = found.curve
        if curve.ndim != 2 or len(curve) != 2 or not curve.shape[1] or not ((curve >= 0) & (curve <= 1)).all():
            raise ModelError("meta.json: confidence.curve must be two lists of equal length with numbers from 0 to 1")
        if (np.diff(curve, axis=1) < 0).any():
            raise ModelError("meta.json: confidence.curve has decreasing values")
        return found


def most_genres(asked: int, n_classes: int) -> int:
    """Size of the largest prediction set that counts as an answer; a larger set is an abstention.

    Parameters
    ----------
    asked : configured size; 0: half of the genres, at most :data:`MOST_GENRES` and at least 1.
    """
    return asked or max(1, min(MOST_GENRES, n_classes // 2))


def log_probabilities(means: AnyArray, floor: float) -> Floats:
    """Logarithms of the scores (n_songs, n_classes), normalised to sum 1 with ``floor`` spread over all classes."""
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
    """Normalised probabilities from logarithms (n_songs, n_classes) and an exponent for each song (n_songs,)."""
    scaled = logs * sharpness[:, None]
    scaled -= scaled.max(axis=1, keepdims=True)
    values = np.exp(scaled)
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def mixtures(first: Floats, curve: Floats, n_classes: int) -> tuple[Floats, Floats]:
    """Mixing weights that move the most probable class to its value on the curve and keep the order of classes.

    Parameters
    ----------
    first : (n_songs,) probability of the most probable class.
    curve : see :attr:`Confidence.curve`.

    Returns
    -------
    Weight (n_songs,) of the uniform distribution, above 0 where the probability is lowered, and weight (n_songs,) of
    probability 1 for the most probable class, above 0 where it is raised.
    """
    wanted = np.clip(np.interp(first, curve[0], curve[1]), 1.0 / n_classes, 1.0)
    above, below = first - 1.0 / n_classes, 1.0 - first
    zero = np.zeros_like(first)
    even = np.divide(first - wanted, above, out=zero.copy(), where=(wanted < first) & (above > 0))
    sure = np.divide(wanted - first, below, out=zero, where=(wanted > first) & (below > 0))
    return even, sure


def mass_ahead(probabilities: Floats, classes: NDArray[np.integer]) -> tuple[Floats, NDArray[np.int64]]:
    """Summed probability and number of the classes ranked before a given class; ties are ranked by class index.

    Parameters
    ----------
    probabilities : (n_songs, n_classes).
    classes : (n_songs,) class index, such as the true class.

    Returns
    -------
    Probability (n_songs,) and number of classes (n_songs,).
    """
    own = probabilities[np.arange(len(classes)), classes][:, None]
    earlier = np.arange(probabilities.shape[1])[None, :] < np.asarray(classes)[:, None]
    before = (probabilities > own) | ((probabilities == own) & earlier)
    return np.where(before, probabilities, 0.0).sum(axis=1), before.sum(axis=1)
