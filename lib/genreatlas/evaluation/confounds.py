"""Experiments with a fixed estimator: out-of-fold predictions, and paired differences with intervals over artists.

Every song is predicted by a model that was fitted without its fold, and so without its artist. Feature sets use
multinomial logistic regression on standardised columns; a few columns that do not describe the music (level, format,
year) use a small forest, as genres need not be monotone in such a number. No parameters are tuned.

A difference of accuracies is computed on the same songs. Its interval is that of a bootstrap over groups if that is
reliable (:func:`genreatlas.metrics.intervals.trusted_interval`). Otherwise, as when nearly all predictions are
unchanged, songs lost and songs gained are two proportions, each with a 97.5 % interval, and the difference lies between
their ends with at least 95 % (Bonferroni). This interval is wider and always has a positive width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from genreatlas.arrays import AnyArray
from genreatlas.errors import InputError
from genreatlas.evaluation.judging import BOOTSTRAP, EFFECTIVE_SONGS, compute_metrics
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.ids import stable_id
from genreatlas.metrics.intervals import LEAST_GROUPS, Grouped, group_weights, trusted_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Short name = description of the fixed estimator, as in the table ``probes``.
ESTIMATORS = {
    "linear": "multinomial logistic regression on standardised columns (C 1)",
    "forest": "random forest of 100 trees, at most 8 deep",
}
EstimatorName = Literal["linear", "forest"]


@dataclass(frozen=True)
class Songs:
    """Songs of an experiment, sorted by id; every array is (n_songs,).

    Attributes
    ----------
    ids : song ids.
    target : class index of the song (usually its genre).
    fold : fold of the split.
    group : id of the song's group.
    classes, names : ids and names of the classes.
    """

    ids: AnyArray
    target: Ints
    fold: Ints
    group: AnyArray
    classes: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def some(self, chosen: AnyArray) -> "Songs":
        """Select songs by a mask or by ascending indices; classes are unchanged."""
        return Songs(
            self.ids[chosen], self.target[chosen], self.fold[chosen], self.group[chosen], self.classes, self.names
        )


@dataclass(frozen=True)
class Columns:
    """Feature values (n_rows, n_columns), NaN = missing, and song indices (n_rows,); one or more rows per song."""

    values: NDArray[np.float32]
    song: Ints

    def of(self, places: AnyArray) -> "Columns":
        """Select the rows of songs with the given ascending indices; songs are renumbered."""
        place = np.searchsorted(places, self.song)
        kept = (place < len(places)) & (places[np.minimum(place, len(places) - 1)] == self.song)
        return Columns(self.values[kept], place[kept].astype(np.int64))


class HeldOutModels:
    """One model for each fold, fitted on the songs of all other folds.

    Parameters
    ----------
    songs, columns : training data; every song has a row.
    estimator : short name of the estimator.
    seed : seed of the estimator.
    folds : folds to be predicted; None: those of ``songs``.

    Raises
    ------
    InputError : without one of the folds fewer than two classes are left.
    """

    def __init__(
        self, songs: Songs, columns: Columns, estimator: EstimatorName, seed: int, folds: Sequence[int] | None = None
    ) -> None:
        from genreatlas.models.engines.scikit_learn.sklearn_pipelines import SklearnModel, fit_pipeline, make_pipeline

        self.n_classes = len(songs.classes)
        self._models: dict[int, Any] = {}
        fold, target = songs.fold[columns.song], songs.target[columns.song]
        with threadpool_limits(1):  # with several threads the last digits of sums vary
            for held_out in np.unique(songs.fold).tolist() if folds is None else folds:
                rows = np.flatnonzero(fold != held_out)
                if len(np.unique(target[rows])) < 2:
                    raise InputError(f"without fold {held_out} fewer than two of {self.n_classes} genres are left")
                pipeline = make_pipeline(_estimator(estimator), {}, seed)
                # Rows have equal weight, so the weight of a song is its number of clips.
                fit_pipeline(pipeline, partial(_copied, columns.values, rows), target[rows], None)
                self._models[held_out] = SklearnModel(pipeline, self.n_classes, False)

    def answers(self, songs: Songs, columns: Columns) -> Ints:
        """Predict the class of each song with the model fitted without its fold; -1 for songs without a row.

        A song's score is the mean over its rows. ``songs`` may differ from the training songs, or be the same songs
        with other values; their ``fold`` selects the model.
        """
        found = np.full(len(songs), -1, dtype=np.int64)
        with threadpool_limits(1):
            for held_out, model in self._models.items():
                rows = np.flatnonzero(songs.fold[columns.song] == held_out)
                if not len(rows):
                    continue
                scores = model.scores(np.array(columns.values[rows]))
                places, at = np.unique(columns.song[rows], return_inverse=True)
                sums = np.stack([np.bincount(at, weights=column) for column in scores.T], axis=1)
                found[places] = np.argmax(sums, axis=1)
        return found


def _copied(values: NDArray[np.float32], rows: Ints) -> NDArray[np.float32]:
    """Copy rows, as the fit changes them in place."""
    return np.array(values[rows], dtype=np.float32)


def _estimator(name: EstimatorName) -> Any:
    from genreatlas.models.engines.scikit_learn import sklearn_pipelines

    if name == "forest":
        return sklearn_pipelines.SMALL_FOREST
    return sklearn_pipelines.ESTIMATORS["logistic_regression"]


def majority_answers(songs: Songs) -> Ints:
    """Predict for each song the most frequent class of the other folds; ties by class index."""
    found = np.zeros(len(songs), dtype=np.int64)
    for fold in np.unique(songs.fold):
        others = np.bincount(songs.target[songs.fold != fold], minlength=len(songs.classes))
        found[songs.fold == fold] = int(np.argmax(others))
    return found


@dataclass(frozen=True)
class Figure:
    """A measured value with the ends of its interval (NaN if there is none) and the interval's method."""

    value: float
    low: float = float("nan")
    high: float = float("nan")
    method: str | None = None


@dataclass(frozen=True)
class IntervalSettings:
    """Settings of ``[evaluate]`` for intervals."""

    n_samples: int = 1000
    min_groups: int = 5
    min_bootstrap_groups: int = LEAST_GROUPS
    seed: int = 7


def figures(songs: Songs, answers: Ints, settings: IntervalSettings) -> dict[tuple[str, str], Figure]:
    """Accuracy and macro-F1 (class ``*``) and the recall of each class: (metric, class id) = figure."""
    outcomes = Outcomes.of(songs.classes, songs.target, answers, songs.group)
    rows = compute_metrics(
        outcomes,
        n_samples=settings.n_samples,
        min_groups=settings.min_groups,
        min_bootstrap_groups=settings.min_bootstrap_groups,
        seed=settings.seed,
    )
    wanted = rows[rows["metric"].isin(["accuracy", "macro_f1", "recall"])]
    return {
        (row["metric"], row["genre_id"]): Figure(row["value"], row["low"], row["high"], row["interval_method"])
        for row in wanted.to_dict("records")
    }


def paired_difference(hits: AnyArray, baseline: AnyArray, group: AnyArray, settings: IntervalSettings) -> Figure:
    """Mean of ``hits`` minus mean of ``baseline`` on the same songs, with its interval over groups.

    Parameters
    ----------
    hits, baseline : (n_songs,) whether the prediction is right, or the probability of it.
    group : (n_songs,) the song's group.
    settings : settings of the interval.
    """
    if not len(hits):
        return Figure(float("nan"))
    _, place = np.unique(np.asarray(group, dtype=object).astype(str), return_inverse=True)
    gain = np.asarray(hits, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    n_groups = int(place.max()) + 1
    sums = np.bincount(place, weights=gain, minlength=n_groups)
    sizes = np.bincount(place, minlength=n_groups).astype(np.float64)
    value = float(sums.sum() / sizes.sum())
    if n_groups >= settings.min_bootstrap_groups:
        drawn = [(sums @ w) / (sizes @ w) for w in group_weights(n_groups, settings.n_samples, settings.seed)]
        # Groups with a change play the role of groups with a wrong prediction in the interval of a single model.
        ends = trusted_interval(np.concatenate(drawn), informative=int(np.count_nonzero(sums)))
        low, high = (float(end) for end in ends)
        if not np.isnan(low):
            return Figure(value, low, high, BOOTSTRAP)
    if n_groups < settings.min_groups:
        return Figure(value)
    parts = (np.maximum(gain, 0.0), np.maximum(-gain, 0.0))
    won, lost = (np.bincount(place, weights=part, minlength=n_groups).astype(np.float64) for part in parts)
    (won_low, won_high), (lost_low, lost_high) = (
        (float(end[0]) for end in Grouped.of(part, sizes).interval(0.975)) for part in (won, lost)
    )
    return Figure(value, won_low - lost_high, won_high - lost_low, EFFECTIVE_SONGS)


def pick_songs(songs: Songs, most: int, seed: int) -> Ints:
    """Sample at most ``most`` songs, evenly over classes and folds, in the order of a hash of the song id.

    When songs are added, a sampled song remains in the sample unless new songs precede it in hash order.

    Returns
    -------
    Indices of the songs, ascending.
    """
    if len(songs) <= most:
        return np.arange(len(songs))
    order = np.argsort([stable_id("probe", seed, one) for one in songs.ids.tolist()], kind="stable")
    stratum = songs.target[order] * (int(songs.fold.max()) + 1) + songs.fold[order]
    rank = np.zeros(len(order), dtype=np.int64)
    seen: dict[int, int] = {}
    for place, one in enumerate(stratum.tolist()):
        rank[place] = seen[one] = seen.get(one, -1) + 1
    return np.sort(order[np.argsort(rank, kind="stable")[:most]])


def largest_classes(songs: Songs, most: int) -> Songs:
    """Select the songs of the ``most`` largest classes, ties by class index; classes are renumbered."""
    counts = np.bincount(songs.target, minlength=len(songs.classes))
    kept = np.sort(np.argsort(-counts, kind="stable")[:most])
    return with_classes(songs, [place for place in kept.tolist() if counts[place]])


def with_classes(songs: Songs, kept: Sequence[int]) -> Songs:
    """Select the songs of given classes, which are renumbered in this order."""
    new = np.full(len(songs.classes), -1, dtype=np.int64)
    new[list(kept)] = np.arange(len(kept))
    mine = songs.some(new[songs.target] >= 0)
    classes, names = (tuple(labels[place] for place in kept) for labels in (songs.classes, songs.names))
    return Songs(mine.ids, new[mine.target], mine.fold, mine.group, classes, names)


def artist_folds(songs: Songs, artists: Mapping[str, str], fewest: int, most: int, seed: int) -> Songs | None:
    """Songs for an experiment that predicts the artist: two folds, each with half of every artist's songs.

    Parameters
    ----------
    artists : song id = artist id.
    fewest : minimum number of songs of an artist.
    most : maximum number of artists; those with the smallest hash are kept.

    Returns
    -------
    The songs, grouped by artist; None if fewer than two artists have enough songs.
    """
    of = np.array([artists.get(one, "") for one in songs.ids.tolist()], dtype=object)
    names, counts = np.unique(of.astype(str), return_counts=True)
    enough = [name for name, n in zip(names.tolist(), counts.tolist(), strict=True) if name and n >= fewest]
    if len(enough) < 2:
        return None
    chosen = sorted(sorted(enough, key=lambda name: stable_id("artist", seed, name))[:most])
    index = {name: place for place, name in enumerate(chosen)}
    mine = np.array([index.get(name, -1) for name in of.tolist()], dtype=np.int64)
    kept = np.flatnonzero(mine >= 0)
    target, ids = mine[kept], songs.ids[kept]
    dice = [stable_id("half", seed, one) for one in ids.tolist()]
    fold = np.zeros(len(kept), dtype=np.int64)
    for artist in range(len(chosen)):
        members = np.flatnonzero(target == artist)
        fold[members[np.argsort([dice[m] for m in members.tolist()])]] = np.arange(len(members)) % 2
    return Songs(ids, target, fold, np.array(chosen, dtype=object)[target], tuple(chosen), tuple(chosen))
