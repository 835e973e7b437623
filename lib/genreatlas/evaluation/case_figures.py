"""Figures of a model from its stored predictions: by song, by vote and by row, or by ranking."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas.config import EvaluateSection
from genreatlas.evaluation.cases import Case
from genreatlas.evaluation.collected import row_outcomes, song_outcomes, vote_outcomes
from genreatlas.evaluation.comparison import Comparison, compare, compare_rankings, holm
from genreatlas.evaluation.judge import judge
from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.evaluation.ranking import MultiJudge
from genreatlas.evaluation.rows import figure_rows
from genreatlas.evaluation.stored import Predictions
from genreatlas.ids import stable_id
from genreatlas.metrics import metric_for

#: Pairs of song and genre whose scores are on the driver at once: 160 MB.
MAX_PAIRS = 20_000_000

COMPARED = ("difference", "p_value", "p_value_holm")


def figures(case: Case, predictions: Predictions, settings: EvaluateSection) -> pd.DataFrame:
    """Every figure of one model, with model_id, unit and grouping."""
    if case.multi:
        blocks = {"song": _ranked(case, predictions, settings)}
    else:
        options = {
            "n_samples": settings.bootstrap, "min_groups": settings.min_groups,
            "min_bootstrap_groups": settings.min_bootstrap_groups, "seed": settings.seed,
        }  # fmt: skip
        rows = predictions.outcomes_of(case)
        parents = case.parents or None
        outcomes = {"song": song_outcomes(rows, case.classes, str(case.model["score_kind"]), parents)}
        if (rows["n_rows"] > 1).any():
            outcomes["song_vote"] = vote_outcomes(rows, case.classes)
            outcomes["row"] = row_outcomes(_with_single_rows(predictions.rows_of(case), rows), case.classes)
        blocks = {unit: judge(one, **options) for unit, one in outcomes.items()}
    named = [block.assign(unit=unit) for unit, block in blocks.items()]
    return pd.concat(named, ignore_index=True).assign(model_id=case.model_id, grouping=case.dataset.grouping)


def comparisons(
    best: Case, others: Sequence[Case], predictions: Predictions, settings: EvaluateSection, metric: str
) -> pd.DataFrame:
    """The best model against all others on the songs that both judged, Holm-corrected.

    ``difference``, ``p_value`` and ``p_value_holm`` are of the metric that selects, and the same with
    ``_accuracy`` behind of accuracy (songs with one genre). The best is chosen on the same songs, so its lead is a
    little flattered; the correction covers the number of others, not that choice.
    """
    chosen = metric_for(metric, best.multi)
    metrics = ["macro_average_precision"] if best.multi else list(dict.fromkeys([chosen, "accuracy"]))
    rows = []
    for name in metrics:
        suffix = "" if name == metrics[0] else f"_{name}"
        results = [_compared(best, other, predictions, settings, name) for other in others]
        corrected = holm([result.p_value for result in results])
        for other, result, raised in zip(others, results, corrected, strict=True):
            values = (result.difference, result.p_value, raised)
            for kind, value in zip(COMPARED, values, strict=True):
                rows.append(figure_rows(kind + suffix, value, result.n_songs, result.n_groups, others=[other.model_id]))
    found = pd.concat(rows, ignore_index=True)
    return found.assign(unit="song", model_id=best.model_id, grouping=best.dataset.grouping)


def truth_of(case: Case) -> NDArray[np.bool_]:
    """True genres of a case's songs, (n_songs, n_classes)."""
    place = {genre: number for number, genre in enumerate(case.classes)}
    truth = np.zeros((len(case.songs), len(case.classes)), dtype=bool)
    for row, genres in enumerate(case.songs["genres"]):
        truth[row, [place[genre] for genre in genres]] = True
    return truth


def _with_single_rows(rows: pd.DataFrame, songs: pd.DataFrame) -> pd.DataFrame:
    """Songs with one row have no votes of their own: the song's prediction is the row's."""
    single = songs.loc[songs["n_rows"] == 1, ["song_id", "group_id", "truth", "predicted"]].assign(rows=1)
    return pd.concat([rows[single.columns], single], ignore_index=True)


def _compared(best: Case, other: Case, predictions: Predictions, settings: EvaluateSection, metric: str) -> Comparison:
    options = {"n_permutations": settings.permutations, "min_groups": settings.min_groups, "seed": settings.seed}
    if best.multi:
        songs = best.songs[best.songs["song_id"].isin(other.songs["song_id"])].reset_index(drop=True)
        place = _sampled(songs["group_id"], len(best.classes), settings.seed)
        scores = [predictions.scores(case, best.classes, songs["song_id"].iloc[place]) for case in (best, other)]
        known = pd.Index(best.songs["song_id"]).get_indexer(pd.Index(songs["song_id"].iloc[place]))
        group = pd.factorize(songs["group_id"].iloc[place], sort=True)[0]
        return compare_rankings((scores[0], scores[1]), truth_of(best)[known], group, **options)
    columns = ["song_id", "group_id", "truth", "predicted"]
    mine, theirs = predictions.outcomes_of(best)[columns], predictions.outcomes_of(other)[["song_id", "predicted"]]
    both = mine.merge(theirs, on="song_id", suffixes=("", "_other")).sort_values("song_id")
    index = pd.Index(list(best.classes))
    outcomes = [_plain(both, index, column) for column in ("predicted", "predicted_other")]
    return compare(outcomes[0], outcomes[1], metric, **options)


def _plain(rows: pd.DataFrame, index: "pd.Index[str]", column: str) -> Outcomes:
    truth, predicted = (index.get_indexer(pd.Index(rows[name])) for name in ("truth", column))
    return Outcomes.of(tuple(index), truth, predicted, rows["group_id"].to_numpy())


def _ranked(case: Case, predictions: Predictions, settings: EvaluateSection) -> pd.DataFrame:
    group = pd.factorize(case.songs["group_id"], sort=True)[0]
    truth, songs = truth_of(case), case.songs["song_id"]
    least = settings.min_bootstrap_groups
    judged = MultiJudge(group, n_samples=settings.bootstrap, min_groups=least, seed=settings.seed)
    width = max(1, MAX_PAIRS // max(1, len(songs)))
    for start in range(0, len(case.classes), width):
        classes = case.classes[start : start + width]
        scores = predictions.scores(case, classes, songs)
        for place, genre in enumerate(classes):
            judged.add(genre, scores[:, place], truth[:, start + place])
    pooled = _sampled(case.songs["group_id"], len(case.classes), settings.seed)
    if len(pooled) < len(songs) or width < len(case.classes):
        scores = predictions.scores(case, case.classes, songs.iloc[pooled])
    judged.pool(scores, truth[pooled], group[pooled])
    return judged.rows()


def _sampled(groups: pd.Series, n_classes: int, seed: int) -> NDArray[np.int64]:
    """Places of the songs of as many groups, in an order of hashes, as :data:`MAX_PAIRS` leaves room for."""
    if len(groups) * n_classes <= MAX_PAIRS:
        return np.arange(len(groups))
    sizes = groups.value_counts()
    order = sorted(sizes.index, key=lambda group: stable_id("pooled", seed, group))
    kept = sizes[order].cumsum() * n_classes <= MAX_PAIRS
    return np.flatnonzero(groups.isin(kept.index[kept]))
