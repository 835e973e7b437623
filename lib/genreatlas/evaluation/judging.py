"""All metrics of a model, with intervals and numbers of songs and groups.

:func:`compute_metrics` is for single-label models. Proportions (accuracy, top-3 accuracy, parent accuracy, recall) have
intervals from an effective number of songs; other metrics have bootstrap intervals over groups if these are reliable
(:mod:`genreatlas.metrics.intervals`).

:class:`MultiJudge` is for multi-label models: ranking metrics per genre, their mean over genres (macro), and over all
pairs of song and genre pooled (micro). Undefined values are left out of means. :mod:`genreatlas.metrics.figures`
defines the metrics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from genreatlas.arrays import AnyArray
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics import OVER_GENRES, figures, version_of
from genreatlas.metrics.figures import Ranking
from genreatlas.metrics.intervals import LEAST_GROUPS, LEAST_INFORMATIVE, Grouped, group_weights, trusted_interval

#: Methods of intervals: see :mod:`genreatlas.metrics.intervals`.
EFFECTIVE_SONGS = "effective songs"
BOOTSTRAP = "bootstrap over groups"

#: Columns of tables of metrics: the columns of ``metrics`` without model, part and unit.
FIGURE_COLUMNS = (
    "metric", "genre_id", "other", "value", "low", "high", "n_songs", "n_groups", "metric_version", "n_absent",
    "interval_method",
)  # fmt: skip

#: Metrics that are biased downwards in resamples; see :mod:`genreatlas.metrics.intervals`.
BIASED = ("macro_f1", "weighted_f1")

#: Metrics over all genres that are shares of songs.
PROPORTIONS = (
    "accuracy", "top_3_accuracy", "top_5_accuracy", "top_10_accuracy", "top_50_accuracy", "parent_accuracy",
    "summed_parent_accuracy",
)  # fmt: skip

Floats = NDArray[np.float64]


def compute_metrics(
    outcomes: Outcomes,
    *,
    n_samples: int = 1000,
    min_groups: int = 5,
    min_bootstrap_groups: int = LEAST_GROUPS,
    seed: int = 7,
) -> pd.DataFrame:
    """Compute all metrics of a single-label model on one part.

    Parameters
    ----------
    outcomes : outcomes of the songs (or rows).
    n_samples : number of bootstrap samples of groups, for intervals of metrics other than proportions.
    min_groups : minimum number of groups for the interval of a proportion.
    min_bootstrap_groups : minimum number of groups for a bootstrap interval.
    seed : seed of the bootstrap.

    Returns
    -------
    One row per metric (columns: :data:`FIGURE_COLUMNS`): accuracy,
    balanced accuracy, macro and weighted F1 and the means of ``outcomes.values`` over all genres; precision,
    recall, F1 and support per genre; ``confusion`` per pair of true (``genre_id``) and predicted
    (``other``) genre that occurs.

    ``n_songs`` and ``n_groups`` are the numbers of songs and groups of the metric: songs of the genre for recall and
    support, songs predicted as the genre for precision, both for F1, songs of the true genre for a confusion (so
    value / n_songs is the row-normalised confusion).
    """
    if not outcomes.n_groups:
        return no_figures()
    seen = totals(outcomes, np.ones((outcomes.n_groups, 1)))
    n_absent = int(figures.absent(seen.support[0]))
    overall, per_genre = _resampled(outcomes, n_samples, seed)
    behind = _behind(outcomes)
    songs, groups, _ = behind["recall"]
    informative = _informative(outcomes)
    blocks = []
    for metric, value in seen.overall().items():
        if metric in PROPORTIONS:
            ends, least, method = _proportion(outcomes, metric).interval(), min_groups, EFFECTIVE_SONGS
        else:
            around = float(value[0]) if metric in BIASED else None
            ends = trusted_interval(overall[metric], informative=informative, around=around)
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
        n_songs, n_groups, n_informative = behind[metric]
        if metric == "recall":
            ends, least, method = _recalls(outcomes).interval(), min_groups, EFFECTIVE_SONGS
        else:
            ends = trusted_interval(per_genre[metric], informative=n_informative)
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


class MultiJudge:
    """Computes the metrics of a multi-label model, genre by genre, as the scores of all songs may not fit in memory.

    Call :meth:`add` for every genre and :meth:`pool` once with the scores of all songs, or of a sample of groups if
    they are too many; then :meth:`rows` returns the metrics.

    Parameters
    ----------
    group : (n_songs,) index of the song's group.
    n_samples, seed : number of bootstrap samples and their seed.
    min_groups : minimum number of groups for an interval.
    """

    def __init__(
        self, group: NDArray[np.int64], *, n_samples: int = 1000, min_groups: int = LEAST_GROUPS, seed: int = 7
    ) -> None:
        self.group = np.asarray(group, dtype=np.int64)
        self.n_groups = int(self.group.max()) + 1 if len(self.group) else 0
        self.n_samples = n_samples
        self.min_groups = min_groups
        self.seed = seed
        self._weights = _with_whole(self.n_groups, n_samples, seed)
        self._rows: list[pd.DataFrame] = []
        self._macro: list[Floats] = []

    def add(self, genre: str, scores: Floats, truth: NDArray[np.bool_]) -> None:
        """Add one genre: its score and truth (n_songs,) for every song, in the order of ``group``."""
        average, area = self._samples(scores, truth, self.group, self._weights)
        self._macro.append(np.stack([average, area]))
        songs, groups = int(truth.sum()), len(np.unique(self.group[truth]))
        self._row("average_precision", genre, average, songs, groups)
        self._row("roc_auc", genre, area, songs, groups)
        self._rows.append(figure_rows("support", songs, songs, groups, genres=[genre]))

    def pool(self, scores: Floats, truth: NDArray[np.bool_], group: NDArray[np.int64]) -> None:
        """Compute the micro metrics from scores and truth (n, n_classes) of songs with the given groups (n,)."""
        names, place = np.unique(group, return_inverse=True)
        weights = self._weights if len(names) == self.n_groups else _with_whole(len(names), self.n_samples, self.seed)
        pairs = np.repeat(place, scores.shape[1])
        average, area = self._samples(scores.ravel(), truth.ravel(), pairs, weights)
        self._row("micro_average_precision", "*", average, len(scores), len(names))
        self._row("micro_roc_auc", "*", area, len(scores), len(names))

    def rows(self) -> pd.DataFrame:
        """Return one row per metric, with the columns of :func:`compute_metrics`."""
        if self._macro:
            blocks = np.stack(self._macro)
            defined = ~np.isnan(blocks)
            sums, counts = np.where(defined, blocks, 0.0).sum(axis=0), defined.sum(axis=0)
            macro = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
            for metric, values in zip(("macro_average_precision", "macro_roc_auc"), macro, strict=True):
                n_absent = int((~defined[:, 0, 0]).sum())
                self._row(metric, "*", values, len(self.group), self.n_groups, n_absent)
            self._macro.clear()
        return pd.concat(self._rows, ignore_index=True) if self._rows else no_figures()

    def _samples(
        self, scores: Floats, truth: NDArray[np.bool_], group: NDArray[np.int64], weights: NDArray[np.uint8]
    ) -> tuple[Floats, Floats]:
        return Ranking.of(scores, truth, group, len(weights)).figures(weights)

    def _row(
        self, metric: str, genre: str, samples: Floats, songs: int, groups: int, n_absent: int | None = None
    ) -> None:
        self._rows.append(
            figure_rows(
                metric,
                samples[0],
                songs,
                groups,
                genres=[genre],
                ends=trusted_interval(samples[1:], informative=LEAST_INFORMATIVE),
                min_groups=self.min_groups,
                n_absent=n_absent,
            )
        )


def figure_rows(
    metric: str,
    value: ArrayLike,
    songs: ArrayLike,
    groups: ArrayLike,
    *,
    genres: Sequence[str] = ("*",),
    others: Sequence[str] = ("*",),
    ends: tuple[ArrayLike, ArrayLike] | None = None,
    min_groups: int = 5,
    n_absent: int | None = None,
    method: str = BOOTSTRAP,
) -> pd.DataFrame:
    """Build rows of metrics with the columns :data:`FIGURE_COLUMNS`; scalars are repeated.

    Parameters
    ----------
    metric : name of the metric.
    value : values of the metric.
    songs, groups : number of songs and groups of each value.
    genres, others : genre_id and other of each value.
    ends : low and high ends of the intervals.
    min_groups : intervals of values with fewer groups, or of undefined values, are NaN.
    n_absent : for means over genres, the number of genres without songs, which are left out.
    method : method of the intervals.
    """
    values, behind = np.atleast_1d(np.asarray(value, dtype=np.float64)), np.atleast_1d(np.asarray(groups))
    given = np.isnan(values) | (behind < min_groups)
    low, high = (np.where(given, np.nan, end) for end in (ends or (np.nan, np.nan)))
    columns = (genres, others, values, low, high, np.rint(songs).astype(np.int64), behind.astype(np.int64))
    shape = np.broadcast_shapes(*(np.shape(np.atleast_1d(np.asarray(column, dtype=object))) for column in columns))
    wide = [np.broadcast_to(np.asarray(column), shape) for column in columns]
    rows = pd.DataFrame(dict(zip(FIGURE_COLUMNS[1:8], wide, strict=True)))
    rows.insert(0, "metric", metric)
    rows = rows.assign(metric_version=version_of(metric), n_absent=pd.array([n_absent] * len(rows), "Int64"))
    rows["interval_method"] = pd.Series(method, rows.index, dtype=object).where(rows["low"].notna(), None)
    return rows.astype({"genre_id": object, "other": object})


def no_figures() -> pd.DataFrame:
    """Return an empty table of metrics."""
    return pd.DataFrame(columns=list(FIGURE_COLUMNS))


@dataclass(frozen=True)
class Totals:
    """Totals of one or more samples: (..., n_classes) per genre; (...) for ``songs`` and each of ``values``."""

    right: NDArray[np.float64]
    predicted: NDArray[np.float64]
    support: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    songs: NDArray[np.float64]

    def overall(self) -> dict[str, NDArray[np.float64]]:
        """Metrics over all genres, by name."""
        sums = (self.right, self.predicted, self.support)
        plain = {metric: figures.totals_figure(metric, *sums) for metric in figures.TOTALS_METRICS}
        return plain | {name: value / self.songs for name, value in self.values.items()}

    def per_genre(self) -> dict[str, NDArray[np.float64]]:
        """Precision, recall and F1 per genre, by name."""
        return {
            "precision": figures.precision(self.right, self.predicted),
            "recall": figures.recall(self.right, self.support),
            "f1": figures.f1(self.right, self.predicted, self.support),
        }


def totals(outcomes: Outcomes, weights: NDArray[np.float64]) -> Totals:
    """Totals with weighted groups.

    Parameters
    ----------
    outcomes : outcomes of the songs.
    weights : (n_groups, n_samples) weight of each group in each sample.

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


def _resampled(
    outcomes: Outcomes, n_samples: int, seed: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float32]]]:
    """All metrics on all bootstrap samples; per genre in float32, 12 MB per metric for 3,000 genres."""
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
    """Statistics of one of :data:`PROPORTIONS` by group."""
    hits = (outcomes.truth == outcomes.predicted) if metric == "accuracy" else outcomes.values[metric]
    return Grouped.of(*_sums(outcomes, hits, outcomes.group, outcomes.n_groups))


def _recalls(outcomes: Outcomes) -> Grouped:
    """Statistics of the recall of each genre by group."""
    pairs, place = np.unique(outcomes.truth * outcomes.n_groups + outcomes.group, return_inverse=True)
    hits = outcomes.truth == outcomes.predicted
    return Grouped.of(*_sums(outcomes, hits, place, len(pairs)), pairs // outcomes.n_groups, len(outcomes.classes))


def _sums(
    outcomes: Outcomes, hits: AnyArray, place: NDArray[np.integer], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weights = (outcomes.weight * hits, outcomes.weight)
    right, songs = (np.bincount(place, weights=one, minlength=n).astype(np.float64) for one in weights)
    return right, songs


def _informative(outcomes: Outcomes) -> int:
    """Number of groups with a right prediction or with a wrong one, whichever is smaller."""
    hit = outcomes.truth == outcomes.predicted
    return min(len(np.unique(outcomes.group[hit])), len(np.unique(outcomes.group[~hit])))


def _behind(outcomes: Outcomes) -> dict[str, tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]]:
    """Number of songs, groups and informative groups of each genre, by metric."""
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


def _with_whole(n_groups: int, n_samples: int, seed: int) -> NDArray[np.uint8]:
    """Weights of the original sample (first column, all 1) and of the bootstrap samples.

    One byte each, as no group is drawn 256 times: 100 MB for 100,000 groups and 1,000 samples.
    """
    if not n_groups:
        return np.ones((0, 1), dtype=np.uint8)
    blocks = [np.ones((n_groups, 1), dtype=np.uint8)]
    blocks += [np.minimum(block, 255).astype(np.uint8) for block in group_weights(n_groups, n_samples, seed)]
    return np.concatenate(blocks, axis=1)
