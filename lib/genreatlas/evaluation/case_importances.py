"""Importances of one model, measured on its judged songs by its own predictor."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from genreatlas.config import Config
from genreatlas.evaluation.case_figures import truth_of
from genreatlas.evaluation.cases import Case
from genreatlas.evaluation.importance import (
    PERMUTATION,
    Block,
    feature_blocks,
    importance_rows,
    most_weighty,
    ranking_importance_rows,
    sampled_songs,
)
from genreatlas.evaluation.impurity import impurity_importances, model_weights
from genreatlas.evaluation.judged_rows import judged_rows
from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.evaluation.rows import figure_rows, no_figures
from genreatlas.evaluation.shuffled import shuffled_clips, told_apart
from genreatlas.evaluation.songs import scores_by_song
from genreatlas.metrics import metric_for
from genreatlas.models import registry
from genreatlas.models.sklearn_grid import permuted_answers
from genreatlas.models.types import Predictor
from genreatlas.store import Store

IMPURITY = "importance_impurity"

__all__ = ["IMPURITY", "PERMUTATION", "importances", "own_importances"]

#: Shuffled clips of one task: a forest scores some thousand a second.
_CLIPS_A_TASK = 5_000

#: What the names of estimators with importances of their own have in them; saves loading the others once more.
_HAVE_THEIR_OWN = ("forest", "tree", "boost", "gbt", "technical", "loudness")


def own_importances(case: Case, config: Config) -> pd.DataFrame:
    """Importances that a forest or tree has of itself, with model_id, unit and grouping; else no rows.

    They rest on the training songs, not on the judged ones: no number of songs stands beside them.
    """
    if not any(word in case.model["estimator"] for word in _HAVE_THEIR_OWN):
        return no_figures()
    known = impurity_importances(case.model, config)
    if not known:
        return no_figures()
    rows = figure_rows(IMPURITY, list(known.values()), 0, 0, others=list(known))
    rows = rows.assign(n_songs=None, n_groups=None)
    return rows.assign(unit="song", model_id=case.model_id, grouping=case.dataset.grouping)


def importances(store: Store, case: Case, predictor: Predictor, config: Config) -> pd.DataFrame:
    """Permutation importances of one model on its judged songs, with model_id, unit and grouping.

    Of more than ``evaluate.importance_features`` features, those are measured that the model itself weighs most, or
    that tell the judged genres apart best where it has no weights.
    """
    rows = _by_permutation(store, case, predictor, config)
    return rows.assign(unit="song", model_id=case.model_id, grouping=case.dataset.grouping)


def _by_permutation(store: Store, case: Case, predictor: Predictor, config: Config) -> pd.DataFrame:
    settings = config.evaluate
    blocks = feature_blocks(case.dataset.features)
    repeats, seed, width = settings.importance_repeats, settings.seed, len(case.dataset.features)
    most = min(len(blocks), settings.importance_features)
    variants = most * repeats * (len(case.classes) if case.multi else 1)
    kept = set(sampled_songs(case.songs["song_id"].tolist(), variants, seed, width))
    clips = case.clips(store.spark.createDataFrame([(song,) for song in sorted(kept)], "song_id string"))
    rows = judged_rows(clips, case.dataset.axis, width, repeats, seed)
    mine = case.songs["song_id"].isin(rows.songs).to_numpy()
    songs, truth = case.songs[mine].reset_index(drop=True), truth_of(case)[mine]
    file = registry.model_file(case.model, config)
    if most < len(blocks):
        weights = model_weights(case.model, config, rows.judged.X, truth[rows.judged.song])
        blocks = most_weighty(blocks, weights, most)
    if file is not None:
        found = permuted_answers(store.spark, file, rows.judged, [block.columns for block in blocks], case.multi)
        answers = {key: one.reshape(len(songs), -1) if case.multi else one for key, one in found.items()}
    else:
        answers = _answers_of_pipeline(store, case, predictor, clips, blocks, rows.donors)
    if case.multi:
        shuffles = {block.feature: [answers[n, r] for r in range(repeats)] for n, block in enumerate(blocks)}
        return ranking_importance_rows(answers[-1, 0], shuffles, truth, songs["group_id"].nunique())
    true = truth.argmax(axis=1)
    outcomes = {
        key: Outcomes.of(case.classes, true, best, songs["group_id"].to_numpy()) for key, best in answers.items()
    }
    return importance_rows(
        outcomes[-1, 0],
        {block.feature: [outcomes[n, r] for r in range(repeats)] for n, block in enumerate(blocks)},
        metric_for(config.train.metric, case.multi),
        n_samples=settings.bootstrap,
        min_groups=settings.min_bootstrap_groups,
        seed=seed,
    )


def _answers_of_pipeline(
    store: Store, case: Case, predictor: Predictor, clips: DataFrame, blocks: Sequence[Block], drawn: pd.DataFrame
) -> dict[tuple[int, int], NDArray[Any]]:
    """Answers of a Spark ML model, which scores rows of a frame only: one row a clip, block and repeat."""
    pairs = store.spark.createDataFrame(drawn, "clip_id string, repeat int, donor_id string")
    every = shuffled_clips(clips, pairs, blocks, case.dataset.axis)
    tasks = max(1, len(drawn) * len(blocks) // _CLIPS_A_TASK)
    scored = told_apart(scores_by_song(predictor.predict(every.repartition(tasks, "clip_id"))))
    names = ("block", "repeat", "song_id", *(["means"] if case.multi else ["best"]))
    # Not in buckets: that would score everything again for each. MAX_PREDICTIONS bounds it to some 30 MB.
    table = scored.select(*names).toArrow().to_pandas().sort_values("song_id")
    parts: dict[Any, pd.DataFrame] = dict(iter(table.groupby(["block", "repeat"])))
    if case.multi:
        return {key: pd.DataFrame(part["means"].tolist()).to_numpy(float) for key, part in parts.items()}
    return {key: part["best"].to_numpy(int) - 1 for key, part in parts.items()}
