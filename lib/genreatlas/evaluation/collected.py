"""Stored predictions, as fetched, turned into :class:`Outcomes`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.metrics.figures import hit_at, log_loss

TOP = 3


def song_outcomes(
    rows: pd.DataFrame, classes: Sequence[str], score_kind: str, parents: Mapping[str, str] | None = None
) -> Outcomes:
    """Songs by their mean score.

    Parameters
    ----------
    rows : :data:`genreatlas.evaluation.songs.OUTCOME` rows of one model.
    classes : genre ids of the model.
    score_kind : log loss is left undefined for margins.
    parents : genre id = parent id; given, parent accuracy is judged too. A genre without is its own.

    Top-3 accuracy counts a song whose genre ties for the third place by its chance to be among the
    first three if ties are broken at random (McSherry & Najork 2008).
    """
    greater, equal = (rows[name].to_numpy(np.float64) for name in ("n_greater", "n_equal"))
    values: dict[str, NDArray[np.float64]] = {"top_3_accuracy": hit_at(TOP, greater, equal)}
    probability = rows["score"].to_numpy(np.float64)
    usable = score_kind == "probability"
    values["log_loss"] = log_loss(probability) if usable else np.full(len(rows), np.nan)
    if parents is not None:
        up = {genre: parents.get(genre, genre) for genre in classes}
        alike = rows["truth"].map(up) == rows["predicted"].map(up)
        values["parent_accuracy"] = np.asarray(alike, dtype=np.float64)
    return _outcomes(rows, classes, "predicted", values=values)


def vote_outcomes(rows: pd.DataFrame, classes: Sequence[str]) -> Outcomes:
    """Songs by the majority vote of their rows."""
    return _outcomes(rows, classes, "predicted_by_vote")


def row_outcomes(rows: pd.DataFrame, classes: Sequence[str]) -> Outcomes:
    """Rows (frames or clips) on their own, from :func:`genreatlas.evaluation.songs.row_confusions`."""
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
