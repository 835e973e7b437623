"""What a model said of each song, as small as the figures need: no class scores, no text.

:func:`song_outcomes`, :func:`vote_outcomes` and :func:`row_outcomes` make it from stored predictions, as fetched.
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

#: Further numbers of first genres among which the true one may be, and the least number of genres from which each of
#: them says something. The reciprocal rank is given from as many genres on as the first.
MORE_TOPS = {5: 11, 10: 21, 50: 101}


@dataclass(frozen=True)
class Outcomes:
    """Judged songs (or rows) of one model; make it with :meth:`of`, which sorts them.

    Parameters
    ----------
    classes : (n_classes,) genre ids that the model knows, in its order.
    truth, predicted : (n,) indices into ``classes``.
    group : (n,) index of the song's group, 0 to ``n_groups - 1``.
    weight : (n,) how many songs or rows an entry stands for.
    values : per entry, figures that are means over songs, such as ``log_loss`` and ``top_3_accuracy``.
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
        """Number the groups and sort the entries, so that no figure depends on the order of rows.

        Sums of floats differ in the last bit when their order does; Spark promises no order.
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
        """Songs (or rows) in all."""
        return float(self.weight.sum())

    @cached_property
    def totals(self) -> sparse.csr_array:
        """Sums per group: right, predicted and true songs per genre, the named values, songs.

        A (n_groups, 3 * n_classes + len(values) + 1) sparse array with at most a handful of
        entries per song, so 3,000 genres cost no more than 10.
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
        """Pairs of genres that occur, sorted: (k,) true index, (k,) predicted index, (k,) songs."""
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
    """Songs by their mean score.

    Parameters
    ----------
    rows : :data:`genreatlas.evaluation.song_scores.OUTCOME` rows of one model.
    classes : genre ids of the model.
    score_kind : log loss is left undefined for margins.
    parents : genre id = parent id; given, parent accuracy is judged too. A genre without is its own. Where families'
        sums are known, the family with the highest is judged beside that of the highest genre.
    tree : genre id = id of the genre right above it; given with ``parents``, the distance of mistakes in the tree is
        judged too, in steps: 0 where the song was recognised, 2 for a sibling.

    Top-3 accuracy counts a song whose genre ties for the third place by its chance to be among the
    first three if ties are broken at random (McSherry & Najork 2008).
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
    """Steps from one genre to another through the tree; roots lie below one common root.

    Parameters
    ----------
    tree : genre id = id of the genre right above it. A circle is left where it was entered.
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
    """Songs by the majority vote of their rows."""
    return _outcomes(rows, classes, "predicted_by_vote")


def row_outcomes(rows: pd.DataFrame, classes: Sequence[str]) -> Outcomes:
    """Rows (frames or clips) on their own, from :func:`genreatlas.evaluation.song_scores.row_confusions`."""
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
