"""Importances of one model, measured on its judged songs by its own predictor."""

import pandas as pd

from genreatlas.config import Config
from genreatlas.evaluation.case_figures import truth_of
from genreatlas.evaluation.cases import Case
from genreatlas.evaluation.importance import (
    PERMUTATION,
    donors,
    feature_blocks,
    importance_rows,
    ranking_importance_rows,
    sampled_songs,
)
from genreatlas.evaluation.impurity import impurity_importances
from genreatlas.evaluation.outcomes import Outcomes
from genreatlas.evaluation.rows import figure_rows, no_figures
from genreatlas.evaluation.shuffled import shuffled_clips, told_apart
from genreatlas.evaluation.songs import scores_by_song
from genreatlas.metrics import metric_for
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
    """Permutation importances of one model on its judged songs, with model_id, unit and grouping."""
    rows = _by_permutation(store, case, predictor, config)
    return rows.assign(unit="song", model_id=case.model_id, grouping=case.dataset.grouping)


def _by_permutation(store: Store, case: Case, predictor: Predictor, config: Config) -> pd.DataFrame:
    settings = config.evaluate
    blocks = feature_blocks(case.dataset.features)
    repeats, seed = settings.importance_repeats, settings.seed
    variants = len(blocks) * repeats * (len(case.classes) if case.multi else 1)
    kept = set(sampled_songs(case.songs["song_id"].tolist(), variants, seed))
    mine = case.songs["song_id"].isin(kept).to_numpy()
    songs, truth = case.songs[mine].reset_index(drop=True), truth_of(case)[mine]
    clips = case.clips(store.spark.createDataFrame(songs[["song_id"]]))
    drawn = donors([row[0] for row in clips.select("clip_id").collect()], repeats, seed)
    pairs = store.spark.createDataFrame(drawn, "clip_id string, repeat int, donor_id string")
    every = shuffled_clips(clips, pairs, blocks, case.dataset.axis)
    tasks = max(1, len(drawn) * len(blocks) // _CLIPS_A_TASK)
    scored = told_apart(scores_by_song(predictor.predict(every.repartition(tasks, "clip_id"))))
    names = ("block", "repeat", "song_id", *(["means"] if case.multi else ["best"]))
    # Not in buckets: that would score everything again for each. MAX_PREDICTIONS bounds it to some 30 MB.
    table = scored.select(*names).toArrow().to_pandas().sort_values("song_id")
    parts = dict(iter(table.groupby(["block", "repeat"])))
    if case.multi:
        means = {key: part["means"].tolist() for key, part in parts.items()}
        arrays = {key: pd.DataFrame(values).to_numpy(float) for key, values in means.items()}
        shuffles = {block.feature: [arrays[n, r] for r in range(repeats)] for n, block in enumerate(blocks)}
        return ranking_importance_rows(arrays[-1, 0], shuffles, truth, songs["group_id"].nunique())
    true = truth.argmax(axis=1)
    outcomes = {
        key: Outcomes.of(case.classes, true, part["best"].to_numpy(int) - 1, songs["group_id"].to_numpy())
        for key, part in parts.items()
    }
    return importance_rows(
        outcomes[-1, 0],
        {block.feature: [outcomes[n, r] for r in range(repeats)] for n, block in enumerate(blocks)},
        metric_for(config.train.metric, case.multi),
        n_samples=settings.bootstrap,
        min_groups=settings.min_bootstrap_groups,
        seed=seed,
    )
