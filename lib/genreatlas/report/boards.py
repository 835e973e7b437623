"""Leaderboards: groups of comparable models, their order, and the models shown in detail."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genreatlas.models.engines import baselines, is_baseline, title_of
from genreatlas.models.engines.baseline import NOT_MUSIC
from genreatlas.report.number_formats import words

#: Overall metrics in the order of a leaderboard's columns, with their display names.
METRICS = {
    "macro_f1": "Macro-F1",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "weighted_f1": "Weighted F1",
    "top_3_accuracy": "Top 3",
    "top_10_accuracy": "Top 10",
    "mean_reciprocal_rank": "Mean reciprocal rank",
    "log_loss": "Log loss",
    "parent_accuracy": "Parent accuracy",
    "summed_parent_accuracy": "Parent accuracy of summed probabilities",
    "tree_distance": "Steps in the tree",
    "macro_average_precision": "Macro average precision",
    "micro_average_precision": "Micro average precision",
    "macro_roc_auc": "Macro ROC-AUC",
    "micro_roc_auc": "Micro ROC-AUC",
}
GUESSES = {
    "random": "guesses at random",
    "majority": "always predicts the largest genre",
    "stratified": "guesses by the frequency of genres",
}
_SETTING = ["level", "labels", "split", "split_version"]


@dataclass(frozen=True)
class Board:
    """Models evaluated on the same songs with the same labels, best first.

    ``rows`` has the columns of ``models``, plus ``score``, ``low``, ``high``, ``n_songs``, ``n_groups`` and
    ``grouping`` of the metric ``metric`` on songs.
    """

    level: str
    labels: str
    split: str
    split_version: int
    metric: str
    rows: pd.DataFrame

    @property
    def best(self) -> "pd.Series | None":
        """The best model that is not a baseline; None if there is none."""
        models = self.rows[~self.rows["engine"].isin(baselines())]
        return models.iloc[0] if len(models) else None

    @property
    def best_baseline(self) -> "pd.Series | None":
        """The best baseline; None if there is none."""
        models = self.rows[self.rows["engine"].isin(baselines())]
        return models.iloc[0] if len(models) else None

    @property
    def shown_closely(self) -> list[pd.Series]:
        """The best model of each engine, best first; the best baseline if there are only baselines."""
        models = self.rows[~self.rows["engine"].isin(baselines())].drop_duplicates("engine")
        if models.empty:
            models = self.rows.head(1)
        return [model for _, model in models.iterrows()]


def boards(models: pd.DataFrame, scores: pd.DataFrame, metric: str, level: str, labels: str) -> list[Board]:
    """Group evaluated models into boards; the board of the configured level and labels comes first.

    Of models with the same engine, feature set, preprocessing and, for baselines, estimator, only the most recently
    fitted one is on a board.

    Parameters
    ----------
    models : rows of ``models``.
    scores : rows of ``metrics`` over all genres, of one part of the split.
    metric : metric to order by; a board without this metric is ordered by its first metric of :data:`METRICS`.
    level, labels : ``train.level`` and ``train.labels`` of the configuration.
    """
    per_song = scores[scores["unit"] == "song"]
    judged = models[models["model_id"].isin(per_song["model_id"])].copy()
    if judged.empty:
        return []
    judged["_estimator"] = np.where(judged["engine"].isin(baselines()), judged["estimator"], "")
    judged = judged.sort_values(["fitted_at", "model_id"], kind="stable", na_position="first").drop_duplicates(
        [*_SETTING, "engine", "feature_set", "preprocessing_id", "_estimator"], keep="last"
    )
    result = []
    for setting, rows in judged.drop(columns="_estimator").groupby(_SETTING, sort=True, dropna=False):
        known = set(per_song.loc[per_song["model_id"].isin(rows["model_id"]), "metric"])
        chosen = metric if metric in known else next((name for name in METRICS if name in known), metric)
        figures = per_song.loc[per_song["metric"] == chosen].rename(columns={"value": "score"})
        columns = ["model_id", "score", "low", "high", "n_songs", "n_groups", "grouping"]
        table = rows.drop(columns="grouping", errors="ignore").merge(figures[columns], on="model_id", how="left")
        ordered = table.sort_values(["score", "model_id"], ascending=[chosen == "log_loss", True], kind="stable")
        board_level, board_labels, split, version = setting
        name, number = str(split), int(str(version))
        result.append(Board(str(board_level), str(board_labels), name, number, chosen, ordered.reset_index(drop=True)))
    return sorted(result, key=lambda b: (b.level != level, b.labels != labels, -b.split_version, -len(b.rows)))


def model_name(model: pd.Series) -> str:
    """Display name of a model, such as ``Random forest``."""
    name = words(str(model["estimator"]))
    for plain, proper in (("svc", "SVC"), ("svm", "SVM"), ("knn", "k-NN"), ("naive bayes", "naive Bayes")):
        name = name.replace(plain, proper)
    return name if name.startswith("k-NN") else name[:1].upper() + name[1:]


def model_note(model: pd.Series) -> str:
    """Note below a model's name: ``scikit-learn · summary9``, or the description of a baseline."""
    if is_baseline(model["engine"]):
        does = NOT_MUSIC.get(model["estimator"]) or NOT_MUSIC.get(model["feature_set"])
        return f"baseline: {'not music' if does else GUESSES.get(model['estimator'], 'no music')}"
    return f"{title_of(model['engine'])} · {model['feature_set']}"


def selected_metrics(scores: pd.DataFrame) -> list[str]:
    """Overall metrics that at least one model has, in the order of the columns."""
    known = set(scores.loc[scores["unit"] == "song", "metric"])
    return [name for name in METRICS if name in known]
