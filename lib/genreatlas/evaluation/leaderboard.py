"""Selection of the models to evaluate, their ranking, and the leaderboard as text."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from genreatlas.config import former
from genreatlas.metrics.intervals import LEAST_GROUPS
from genreatlas.models.engines import baselines
from genreatlas.models.engines.baseline import NOT_MUSIC
from genreatlas.splits.leaks import ARTISTS_SHARED

#: Explanation of the intervals in brackets.
_METHODS = (
    "[95 % intervals over groups: accuracy Clopper-Pearson on effective songs, other scores a bootstrap; "
    "docs/intervals.md]"
)

_SETTING = ("engine", "feature_set", "preprocessing_id", "estimator_of_baseline")


def current_models(models: pd.DataFrame, *, split: str, level: str, labels: str) -> pd.DataFrame:
    """Models of the configured split, level and labels; the newest if trained several times.

    Parameters
    ----------
    models : rows of ``models``.
    split, level, labels : ``splits.name``, ``train.level`` and ``train.labels``.

    Returns
    -------
    One row per engine, feature set and preprocessing (and estimator, for baselines), sorted by model_id.
    """
    models = models.assign(engine=[former.present_name("engine", name) for name in models["engine"]])
    rows = models[(models["split"] == split) & (models["level"] == level) & (models["labels"] == labels)]
    rows = rows.assign(estimator_of_baseline=rows["estimator"].where(rows["engine"].isin(baselines()), ""))
    rows = rows.sort_values(["split_version", "fitted_at", "model_id"], kind="stable")
    return rows.drop_duplicates(list(_SETTING), keep="last").sort_values("model_id", ignore_index=True)


def ranked(models: pd.DataFrame, figures: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rank models by one metric, best first; ties by model id.

    Parameters
    ----------
    models : rows of ``models``.
    figures : rows of ``metrics`` over all genres with the unit song.
    metric : name of a metric for which higher is better.

    Returns
    -------
    Columns of ``models``, and value, low, high, n_songs, n_groups, grouping and n_absent of the metric.
    """
    mine = figures[(figures["metric"] == metric) & figures["value"].notna()]
    columns = ["model_id", "value", "low", "high", "n_songs", "n_groups", "grouping", "n_absent"]
    mine = mine.reindex(columns=list(dict.fromkeys([*mine.columns, *columns])))
    joined = models.drop(columns=["grouping"], errors="ignore").merge(mine[columns], on="model_id")
    return joined.sort_values(["value", "model_id"], ascending=[False, True], kind="stable", ignore_index=True)


def best_per_engine(board: pd.DataFrame) -> list[str]:
    """Model ids of the best model of each engine, without baselines; best first."""
    models = board[~board["engine"].isin(baselines())]
    return models.drop_duplicates("engine")["model_id"].tolist()


def lines(board: pd.DataFrame, figures: pd.DataFrame, metric: str) -> list[str]:
    """The leaderboard as text: model, metrics with intervals, number of groups, and the grouping of the split.

    Parameters
    ----------
    board : result of :func:`ranked` for ``metric``.
    figures : rows of ``metrics`` over all genres with the unit song.
    metric : metric of the ranking.
    """
    if board.empty:
        return []
    shown = ("macro_average_precision", "micro_average_precision") if "average" in metric else ("accuracy", "macro_f1")
    cells = {(row["model_id"], row["metric"]): row for row in figures.to_dict("records")}
    models = board.to_dict("records")
    names = [f"{row['engine']} {row['estimator']} on {row['feature_set']}" for row in models]
    width = max(map(len, names))
    found = []
    for model, row in zip(names, models, strict=True):
        scores = ", ".join(f"{shown_as(name)} {_cell(cells.get((row['model_id'], name)))}" for name in shown)
        behind = f"{row['n_songs']} songs in {row['n_groups']} groups"
        found.append(f"{model:{width}}  {scores}, {behind}{_absent(row)}{_flag(row['grouping'])}")
    given = figures["low"].notna() & figures["metric"].isin(shown)
    return [*found, *not_music(board, metric), *([_METHODS] if given.any() else [])]


def not_music(board: pd.DataFrame, metric: str) -> list[str]:
    """Warnings about baselines without music features whose score is close to the best model's.

    Close means above the lower end of the best model's interval, or above 90 % of its score if it has no interval.
    """
    models = board[~board["engine"].isin(baselines())]
    if models.empty:
        return []
    best = models.iloc[0]
    bar = best["low"] if pd.notna(best["low"]) else 0.9 * best["value"]
    found = []
    for row in board[board["engine"].isin(baselines())].to_dict("records"):
        known = NOT_MUSIC.get(row["estimator"])
        if known and row["value"] >= bar:
            found.append(
                f"Warning: the {row['estimator']} baseline, which {known}, reaches {row['value']:.3f} in "
                f"{shown_as(metric)} against {best['value']:.3f} of the best model. Its score does not come from music."
            )
    return found


def shown_as(metric: str) -> str:
    """Display name of a metric."""
    return {"macro_f1": "macro-F1", "weighted_f1": "weighted F1"}.get(metric, metric.replace("_", " "))


def _cell(row: Mapping[Hashable, Any] | None) -> str:
    if row is None or pd.isna(row["value"]):
        return "-"
    if pd.notna(row["low"]):
        return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    few = row["n_groups"] < LEAST_GROUPS
    return f"{row['value']:.3f} [{'too few groups' if few else 'groups too similar'} for an interval]"


def _absent(row: Mapping[Hashable, Any]) -> str:
    """Text with the number of genres that means over genres leave out."""
    n_absent = row["n_absent"]
    if pd.isna(n_absent) or not n_absent:
        return ""
    return f", {int(n_absent)} of {len(row['classes'])} genres without songs and left out of the mean"


def _flag(grouping: str) -> str:
    if grouping == "artist-safe":
        return ""
    if grouping == "leaky":
        return " (leaky: groups or recordings are in more than one part)"
    if grouping.startswith(ARTISTS_SHARED):
        return f", {grouping}"
    return f" ({grouping}, not artist-safe)"
