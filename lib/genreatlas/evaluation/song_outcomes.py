"""Outcomes: true and predicted class of each song, without class scores, as input of metrics.

:func:`song_outcomes`, :func:`vote_outcomes` and :func:`row_outcomes` build them from fetched predictions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from genreatlas.metrics.figures import hit_at, log_loss, reciprocal_rank

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TOP = 3

#: Further k for top-k accuracy = minimum number of genres for it. The mean reciprocal rank has the smallest of these
#: minimums.
MORE_TOPS = {5: 11, 10: 21, 50: 101}


@dataclass(frozen=True)
class Outcomes:
    """Evaluated songs (or rows) of one model; create with :meth:`of`, which sorts them.

    Parameters
    ----------
    classes : (n_classes,) genre ids in the model's order.
    truth, predicted : (n,) indices into ``classes``.
    group : (n,) index of the song's group, 0 to ``n_groups - 1``.
    n_groups : number of groups.
    weight : (n,) number of songs or rows that an entry represents.
    values : name = (n,) values of metrics that are means over songs, such as ``log_loss`` and ``top_3_accuracy``.
    """

    classes: tuple[str, ...]
    truth: Ints
    predicted: Ints
    group: Ints
    n_groups: int
    weight: Floats
    values: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        classes: Sequence[str],
        truth: NDArray[np.integer],
        predicted: NDArray[np.integer],
        group_id: NDArray[np.object_] | Sequence[str],
        weight: NDArray[np.floating] | None = None,
        values: Mapping[str, NDArray[np.floating]] | None = None,
    ) -> "Outcomes":
        """Build from unsorted entries; groups are numbered and entries sorted, so that results do not depend on order.

        The last bits of a sum of floats depend on the order, and Spark guarantees none.

        Parameters
        ----------
        group_id : (n,) id of the song's group.
        """
        _, group = np.unique(np.asarray(group_id, dtype=object).astype(str), return_inverse=True)
        weights = np.ones(len(truth)) if weight is None else np.asarray(weight, dtype=np.float64)
        columns = {name: np.asarray(value, dtype=np.float64) for name, value in (values or {}).items()}
        order = np.lexsort((*columns.values(), weights, predicted, truth, group))
        return cls(
            classes=tuple(classes),
            truth=np.asarray(truth, dtype=np.int64)[order],
            predicted=np.asarray(predicted, dtype=np.int64)[order],
            group=np.asarray(group, dtype=np.int64)[order],
            n_groups=int(group.max()) + 1 if len(group) else 0,
            weight=weights[order],
            values={name: value[order] for name, value in columns.items()},
        )

    @property
    def n(self) -> float:
        """Number of songs (or rows)."""
        return float(self.weight.sum())

    @cached_property
    def totals(self) -> sparse.csr_array:
        """Sums per group: right, predicted and true songs per genre, each of ``values``, and songs.

        A (n_groups, 3 * n_classes + len(values) + 1) sparse array with a few entries per song, so its size does not
        depend on the number of genres.
        """
        n_classes, n_values = len(self.classes), len(self.values)
        hit = self.truth == self.predicted
        columns = [self.truth[hit], n_classes + self.predicted, 2 * n_classes + self.truth]
        groups = [self.group[hit], self.group, self.group]
        data = [self.weight[hit], self.weight, self.weight]
        for place, value in enumerate((*self.values.values(), np.ones_like(self.weight))):
            columns.append(np.full(len(self.truth), 3 * n_classes + place))
            groups.append(self.group)
            data.append(self.weight * value)
        shape = (self.n_groups, 3 * n_classes + n_values + 1)
        coordinates = (np.concatenate(groups), np.concatenate(columns))
        return sparse.csr_array((np.concatenate(data), coordinates), shape=shape)

    def confusion(self) -> tuple[Ints, Ints, Floats]:
        """Sparse confusion matrix, sorted: true index (k,), predicted index (k,) and number of songs (k,)."""
        pairs, place = np.unique(np.stack([self.truth, self.predicted]), axis=1, return_inverse=True)
        counts = np.bincount(place.ravel(), weights=self.weight, minlength=pairs.shape[1])
        return pairs[0], pairs[1], counts.astype(np.float64)


def song_outcomes(
    rows: pd.DataFrame,
    classes: Sequence[str],
    score_kind: str,
    parents: Mapping[str, str] | None = None,
    tree: Mapping[str, str] | None = None,
) -> Outcomes:
    """Outcomes of songs by their mean score.

    Ties in top-k accuracy count with the probability that the true genre is among the first k if ties are broken at
    random (McSherry & Najork 2008).

    Parameters
    ----------
    rows : :data:`genreatlas.evaluation.song_scores.OUTCOME` rows of one model.
    classes : genre ids of the model.
    score_kind : probability or margin; log loss is NaN for margins.
    parents : genre id = topmost genre, a genre without entry is its own; adds the parent accuracy. If families' sums of
        scores are known, also adds the accuracy of the family with the highest sum.
    tree : genre id = id of its parent; with ``parents``, adds the distance between true and predicted genre in the
        tree, in steps: 0 if they are equal, 2 for siblings.
    """
    greater, equal = (rows[name].to_numpy(np.float64) for name in ("n_greater", "n_equal"))
    values: dict[str, NDArray[np.float64]] = {"top_3_accuracy": hit_at(TOP, greater, equal)}
    for top, least in MORE_TOPS.items():
        if len(classes) >= least:
            values[f"top_{top}_accuracy"] = hit_at(top, greater, equal)
    if len(classes) >= min(MORE_TOPS.values()):
        values["mean_reciprocal_rank"] = reciprocal_rank(greater, equal)
    probability = rows["score"].to_numpy(np.float64)
    usable = score_kind == "probability"
    values["log_loss"] = log_loss(probability) if usable else np.full(len(rows), np.nan)
    if parents is not None:
        up = {genre: parents.get(genre, genre) for genre in classes}
        alike = rows["truth"].map(up) == rows["predicted"].map(up)
        values["parent_accuracy"] = np.asarray(alike, dtype=np.float64)
        if "predicted_family" in rows and rows["predicted_family"].notna().all():
            summed = rows["truth"].map(up) == rows["predicted_family"]
            values["summed_parent_accuracy"] = np.asarray(summed, dtype=np.float64)
        if tree:
            pairs = rows[["truth", "predicted"]].drop_duplicates()
            found = zip(pairs["truth"], pairs["predicted"], strict=True)
            steps = {(one, other): tree_distance(one, other, tree) for one, other in found}
            said = zip(rows["truth"], rows["predicted"], strict=True)
            values["tree_distance"] = np.array([steps[pair] for pair in said], dtype=np.float64)
    return _outcomes(rows, classes, "predicted", values=values)


def tree_distance(one: str, other: str, tree: Mapping[str, str]) -> int:
    """Number of steps between two genres in the tree; all roots have a common parent.

    Parameters
    ----------
    one, other : genre ids.
    tree : genre id = id of its parent. In a cycle, following parents stops before a genre is repeated.
    """
    first, second = _upward(one, tree), _upward(other, tree)
    place = {genre: steps for steps, genre in enumerate(first)}
    for steps, genre in enumerate(second):
        if genre in place:
            return place[genre] + steps
    return len(first) + len(second)


def _upward(genre: str, tree: Mapping[str, str]) -> list[str]:
    path = [genre]
    while path[-1] in tree and tree[path[-1]] not in path:
        path.append(tree[path[-1]])
    return path


def vote_outcomes(rows: pd.DataFrame, classes: Sequence[str]) -> Outcomes:
    """Outcomes of songs by the majority vote of their rows."""
    return _outcomes(rows, classes, "predicted_by_vote")


def row_outcomes(rows: pd.DataFrame, classes: Sequence[str]) -> Outcomes:
    """Outcomes of single rows (frames or clips), from :func:`genreatlas.evaluation.song_scores.row_confusions`."""
    return _outcomes(rows, classes, "predicted", weight=rows["rows"].to_numpy(np.float64))


def _outcomes(
    rows: pd.DataFrame,
    classes: Sequence[str],
    column: str,
    weight: NDArray[np.float64] | None = None,
    values: Mapping[str, NDArray[np.float64]] | None = None,
) -> Outcomes:
    index = pd.Index(list(classes))
    return Outcomes.of(
        classes,
        index.get_indexer(pd.Index(rows["truth"])),
        index.get_indexer(pd.Index(rows[column])),
        rows["group_id"].to_numpy(),
        weight,
        values,
    )
