"""All figures of a single-label model, each with interval, songs and groups beside it.

Proportions (accuracy, top 3, parent accuracy, recall) have the interval of :mod:`genreatlas.metrics.intervals`; all
others that of a bootstrap over groups, where it may be trusted (:mod:`genreatlas.metrics.resampling`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.evaluation.rows import BOOTSTRAP, EFFECTIVE_SONGS, figure_rows, no_figures
from genreatlas.metrics import OVER_GENRES, figures
from genreatlas.metrics.intervals import Grouped
from genreatlas.metrics.resampling import LEAST_GROUPS, group_weights, trusted_interval

#: Figures that are lower in a resample than in the sample; see :mod:`genreatlas.metrics.resampling`.
BIASED = ("macro_f1", "weighted_f1")
#: Figures over all genres that are shares of songs.
PROPORTIONS = ("accuracy", "top_3_accuracy", "parent_accuracy")


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


def judge(
    outcomes: Outcomes,
    *,
    n_samples: int = 1000,
    min_groups: int = 5,
    min_bootstrap_groups: int = LEAST_GROUPS,
    seed: int = 7,
) -> pd.DataFrame:
    """Judge one model on one part.

    Parameters
    ----------
    outcomes : its songs (or rows).
    n_samples : bootstrap samples of groups behind every interval that is none of a proportion.
    min_groups : no interval is given for a proportion that rests on fewer groups.
    min_bootstrap_groups : no bootstrap interval is given for a figure that rests on fewer groups.
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
    songs, groups, _ = behind["recall"]
    telling = _telling(outcomes)
    blocks = []
    for metric, value in seen.overall().items():
        if metric in PROPORTIONS:
            ends, least, method = _proportion(outcomes, metric).interval(), min_groups, EFFECTIVE_SONGS
        else:
            around = float(value[0]) if metric in BIASED else None
            ends = trusted_interval(overall[metric], telling=telling, around=around)
            least, method = min_bootstrap_groups, BOOTSTRAP
        n_out = n_absent if metric in OVER_GENRES else None
        blocks.append(
            figure_rows(
                metric,
                value[0],
                outcomes.n,
                outcomes.n_groups,
                ends=ends,
                min_groups=least,
                n_absent=n_out,
                method=method,
            )
        )
    for metric, values in seen.per_genre().items():
        n_songs, n_groups, n_telling = behind[metric]
        if metric == "recall":
            ends, least, method = _recalls(outcomes).interval(), min_groups, EFFECTIVE_SONGS
        else:
            ends = trusted_interval(per_genre[metric], telling=n_telling)
            least, method = min_bootstrap_groups, BOOTSTRAP
        blocks.append(
            figure_rows(
                metric,
                values[0],
                n_songs,
                n_groups,
                genres=outcomes.classes,
                ends=ends,
                min_groups=least,
                method=method,
            )
        )
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


def _proportion(outcomes: Outcomes, metric: str) -> Grouped:
    """Right answers and songs of every group, for one of :data:`PROPORTIONS`."""
    hits = (outcomes.truth == outcomes.predicted) if metric == "accuracy" else outcomes.values[metric]
    return Grouped.of(*_sums(outcomes, hits, outcomes.group, outcomes.n_groups))


def _recalls(outcomes: Outcomes) -> Grouped:
    """The same of every genre's songs."""
    pairs, place = np.unique(outcomes.truth * outcomes.n_groups + outcomes.group, return_inverse=True)
    hits = outcomes.truth == outcomes.predicted
    return Grouped.of(*_sums(outcomes, hits, place, len(pairs)), pairs // outcomes.n_groups, len(outcomes.classes))


def _sums(
    outcomes: Outcomes, hits: NDArray[Any], place: NDArray[np.integer], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weights = (outcomes.weight * hits, outcomes.weight)
    right, songs = (np.bincount(place, weights=one, minlength=n).astype(np.float64) for one in weights)
    return right, songs


def _telling(outcomes: Outcomes) -> int:
    """Groups with a right or groups with a wrong answer, whichever are fewer."""
    hit = outcomes.truth == outcomes.predicted
    return min(len(np.unique(outcomes.group[hit])), len(np.unique(outcomes.group[~hit])))


def _behind(outcomes: Outcomes) -> dict[str, tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]]:
    """Songs, groups and telling groups that each per-genre figure rests on, by metric."""
    hit = outcomes.truth == outcomes.predicted
    true = (outcomes.truth, outcomes.group, outcomes.weight, hit)
    called = (outcomes.predicted, outcomes.group, outcomes.weight, hit)
    both = [np.concatenate([own, other[~hit]]) for own, other in zip(true, called, strict=True)]
    n = len(outcomes.classes)
    return {
        "recall": _per_genre(*true, n),
        "precision": _per_genre(*called, n),
        "f1": _per_genre(both[0], both[1], both[2], both[3], n),
    }


def _per_genre(
    genre: NDArray[np.int64],
    group: NDArray[np.int64],
    weight: NDArray[np.float64],
    hit: NDArray[np.bool_],
    n_classes: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    def groups(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        pairs = np.unique(np.stack([genre[chosen], group[chosen]]), axis=1)
        return np.bincount(pairs[0], minlength=n_classes).astype(np.int64)

    songs = np.bincount(genre, weights=weight, minlength=n_classes).astype(np.float64)
    return songs, groups(np.ones(len(genre), dtype=bool)), np.minimum(groups(hit), groups(~hit))
