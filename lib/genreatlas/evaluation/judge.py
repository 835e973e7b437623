"""All figures of a single-label model, each with interval, songs and groups beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.evaluation.rows import figure_rows, no_figures
from genreatlas.metrics import OVER_GENRES, figures
from genreatlas.metrics.resampling import group_weights, interval

#: Figures that are lower in a resample than in the sample; see :mod:`genreatlas.metrics.resampling`.
BIASED = ("macro_f1", "weighted_f1")


@dataclass(frozen=True)
class Totals:
    """Totals of one or many samples: (..., n_classes) per genre, (...) per value."""

    right: NDArray[np.float64]
    predicted: NDArray[np.float64]
    support: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    songs: NDArray[np.float64]

    def overall(self) -> dict[str, NDArray[np.float64]]:
        """Figures over all genres, by metric name."""
        sums = (self.right, self.predicted, self.support)
        plain = {metric: figures.totals_figure(metric, *sums) for metric in figures.TOTALS_METRICS}
        return plain | {name: value / self.songs for name, value in self.values.items()}

    def per_genre(self) -> dict[str, NDArray[np.float64]]:
        """Precision, recall and F1 of every genre."""
        return {
            "precision": figures.precision(self.right, self.predicted),
            "recall": figures.recall(self.right, self.support),
            "f1": figures.f1(self.right, self.predicted, self.support),
        }


def totals(outcomes: Outcomes, weights: NDArray[np.float64]) -> Totals:
    """Totals with every group counted ``weights`` times.

    Parameters
    ----------
    weights : (n_groups, n_samples).

    Returns
    -------
    Totals with a leading axis of n_samples.
    """
    sums = (outcomes.totals.T @ weights).T
    n_classes = len(outcomes.classes)
    names = tuple(outcomes.values)
    return Totals(
        right=sums[:, :n_classes],
        predicted=sums[:, n_classes : 2 * n_classes],
        support=sums[:, 2 * n_classes : 3 * n_classes],
        values={name: sums[:, 3 * n_classes + place] for place, name in enumerate(names)},
        songs=sums[:, -1],
    )


def judge(outcomes: Outcomes, *, n_samples: int = 1000, min_groups: int = 5, seed: int = 7) -> pd.DataFrame:
    """Judge one model on one part.

    Parameters
    ----------
    outcomes : its songs (or rows).
    n_samples : bootstrap samples of groups behind every interval.
    min_groups : no interval is given for a figure that rests on fewer groups.
    seed : seed of the bootstrap.

    Returns
    -------
    One row per figure (columns: :data:`~genreatlas.evaluation.rows.FIGURE_COLUMNS`): accuracy,
    balanced accuracy, macro and weighted F1 and the outcomes' own values for all genres; precision,
    recall, F1 and support per genre; ``confusion`` per pair of true (``genre_id``) and predicted
    (``other``) genre that occurs.

    ``n_songs`` and ``n_groups`` count what a figure rests on: songs of the genre for recall and
    support, songs called by its name for precision, both for F1, songs of the true genre for a
    confusion (so value / n_songs is the row-normalised share).
    """
    if not outcomes.n_groups:
        return no_figures()
    seen = totals(outcomes, np.ones((outcomes.n_groups, 1)))
    n_absent = int(figures.absent(seen.support[0]))
    overall, per_genre = _resampled(outcomes, n_samples, seed)
    behind = _behind(outcomes)
    songs, groups = behind["recall"]
    blocks = [
        figure_rows(
            metric,
            value[0],
            outcomes.n,
            outcomes.n_groups,
            ends=interval(overall[metric], around=float(value[0]) if metric in BIASED else None),
            min_groups=min_groups,
            n_absent=n_absent if metric in OVER_GENRES else None,
        )
        for metric, value in seen.overall().items()
    ]
    blocks += [
        figure_rows(
            metric,
            values[0],
            *behind[metric],
            genres=outcomes.classes,
            ends=interval(per_genre[metric]),
            min_groups=min_groups,
        )
        for metric, values in seen.per_genre().items()
    ]
    blocks.append(figure_rows("support", songs, songs, groups, genres=outcomes.classes))
    truth, predicted, counts = outcomes.confusion()
    names = np.asarray(outcomes.classes, dtype=object)
    blocks.append(
        figure_rows(
            "confusion", counts, songs[truth], groups[truth], genres=list(names[truth]), others=list(names[predicted])
        )
    )
    return pd.concat(blocks, ignore_index=True)


def _resampled(
    outcomes: Outcomes, n_samples: int, seed: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float32]]]:
    """Every figure on every bootstrap sample; per genre in float32, 12 MB a metric for 3,000 genres."""
    overall: dict[str, list[NDArray[np.float64]]] = {}
    per_genre: dict[str, list[NDArray[np.float32]]] = {}
    for weights in group_weights(outcomes.n_groups, n_samples, seed):
        drawn = totals(outcomes, weights)
        for metric, values in drawn.overall().items():
            overall.setdefault(metric, []).append(values)
        for metric, values in drawn.per_genre().items():
            per_genre.setdefault(metric, []).append(values.astype(np.float32))
    return (
        {metric: np.concatenate(blocks) for metric, blocks in overall.items()},
        {metric: np.concatenate(blocks) for metric, blocks in per_genre.items()},
    )


def _behind(outcomes: Outcomes) -> dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Songs and groups that each per-genre figure rests on, by metric."""
    hit = outcomes.truth == outcomes.predicted
    true = (outcomes.truth, outcomes.group, outcomes.weight)
    called = (outcomes.predicted, outcomes.group, outcomes.weight)
    either = tuple(np.concatenate([own, other[~hit]]) for own, other in zip(true, called, strict=True))
    return {
        metric: _per_genre(genre, group, weight, len(outcomes.classes))
        for metric, (genre, group, weight) in (("recall", true), ("precision", called), ("f1", either))
    }


def _per_genre(
    genre: NDArray[np.int64], group: NDArray[np.int64], weight: NDArray[np.float64], n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    pairs = np.unique(np.stack([genre, group]), axis=1)
    return (
        np.bincount(genre, weights=weight, minlength=n_classes).astype(np.float64),
        np.bincount(pairs[0], minlength=n_classes).astype(np.int64),
    )
