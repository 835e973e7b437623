"""Rows of the page's tables, computed from the report's data; their number is bounded."""

from collections.abc import Sequence

import pandas as pd

from genreatlas.models.engines import is_baseline
from genreatlas.report.boards import METRICS, Board, model_name, model_note, selected_metrics
from genreatlas.report.data import ReportData
from genreatlas.report.number_formats import missing
from genreatlas.report.plots import Scored
from genreatlas.values import Row

#: Maximum rows of a table of genres or candidates; longer tables are cut, with a remark.
LONGEST_TABLE = 60
_WORST = 15
#: Display names of the rules in ``training_genres`` by which songs are dropped.
LOSSES = {
    "no_features": "without features",
    "filtered": "filtered out",
    "duplicates": "copies",
    "several": "several genres",
    "surplus": "surplus",
}


def shown_genres(data: ReportData, classes: Sequence[str] = ()) -> list[str]:
    """Genre ids for pictures: the ``max_genres`` classes (or genres) with the most songs, ordered by name."""
    order = data.genres.sort_values(["n_songs", "genre_id"], ascending=[False, True])["genre_id"].tolist()
    known = [genre for genre in order if not classes or genre in set(classes)]
    known += [genre for genre in classes if genre not in set(order)]
    return sorted(known[: data.max_genres], key=lambda genre: data.name(genre).casefold())


def leaderboard(board: Board, data: ReportData) -> list[Row]:
    """One row per model: its name, and a cell (metric, value, low, high) for every metric of the board."""
    scores = data.scores[data.scores["unit"] == "song"]
    metrics = board_metrics(board, data)
    cells = {(r["model_id"], r["metric"]): (r["value"], r["low"], r["high"]) for r in _rows(scores)}
    p_values = p_against_best(data, board)
    return [
        {
            "model_id": model["model_id"],
            "name": model_name(model),
            "note": model_note(model),
            "candidate": model["candidate"],
            "quiet": is_baseline(model["engine"]),
            "cells": [(name, *cells.get((model["model_id"], name), (None, None, None))) for name in metrics],
            "n_songs": model["n_songs"],
            "n_groups": model["n_groups"],
            "p_value": p_values.get(model["model_id"]),
        }
        for _, model in board.rows.iterrows()
    ]


def board_metrics(board: Board, data: ReportData) -> list[str]:
    """Metrics of a board's columns; the metric by which the board is ordered comes first."""
    mine = data.scores[data.scores["model_id"].isin(board.rows["model_id"])]
    names = selected_metrics(mine)
    return [name for name in names if name == board.metric] + [name for name in names if name != board.metric]


def p_against_best(data: ReportData, board: Board) -> dict[str, float]:
    """Holm-corrected p-value by model_id, compared with the best model."""
    if board.best is None:
        return {}
    best = board.best["model_id"]
    rows = data.comparisons[data.comparisons["metric"] == "p_value_holm"]
    backward = rows[rows["other"] == best].set_index("model_id")["value"]
    forward = rows[rows["model_id"] == best].set_index("other")["value"]
    return {**backward.to_dict(), **forward.to_dict()}


def overall(data: ReportData, model_id: str, metric: str) -> Row | None:
    """Row of one metric of a model over all genres, on songs; None if missing."""
    rows = data.scores[
        (data.scores["model_id"] == model_id) & (data.scores["metric"] == metric) & (data.scores["unit"] == "song")
    ]
    found = _rows(rows)
    return found[0] if found and not missing(found[0]["value"]) else None


def scored(board: Board) -> list[Scored]:
    """Rows of the dot-and-whisker plot."""
    return [
        Scored(model_name(row), model_note(row), row["score"], row["low"], row["high"], is_baseline(row["engine"]))
        for _, row in board.rows.iterrows()
        if not missing(row["score"])
    ]


def by_unit(board: Board, data: ReportData) -> list[Row]:
    """Accuracy of frame models by unit: songs by mean score, songs by majority vote, and single rows."""
    scores = data.scores[(data.scores["metric"] == "accuracy") & data.scores["unit"].isin(["song_vote", "row"])]
    result = []
    for _, model in board.rows.iterrows():
        mine = data.scores[(data.scores["model_id"] == model["model_id"]) & (data.scores["metric"] == "accuracy")]
        if model["model_id"] not in set(scores["model_id"]):
            continue
        units = {r["unit"]: (r["value"], r["low"], r["high"], r["n_songs"]) for r in _rows(mine)}
        nothing = (None, None, None, None)
        result.append(
            {
                "name": model_name(model),
                "note": model_note(model),
                "units": [(unit, *units.get(unit, nothing)) for unit in ("song", "song_vote", "row")],
            }
        )
    return result


def per_genre(data: ReportData, model_id: str) -> tuple[list[Row], int]:
    """Precision, recall, F1 (or average precision) and support per genre, and the number of rows that were cut.

    Rows are ordered by name. Of more than 60 genres, only the largest and the worst are returned.
    """
    mine = data.genre_scores[data.genre_scores["model_id"] == model_id]
    if mine.empty:
        return [], 0
    rows: list[Row] = []
    for genre_id, group in mine.groupby("genre_id"):
        cells = {r["metric"]: (r["value"], r["low"], r["high"]) for r in _rows(group)}
        support = cells.get("support", (None, None, None))[0]
        rows.append(
            {
                "genre_id": genre_id,
                "name": data.name(str(genre_id)),
                "cells": cells,
                "support": group["n_songs"].max() if missing(support) else support,
                "n_groups": group["n_groups"].max(),
            }
        )
    if len(rows) > LONGEST_TABLE:
        by_size = sorted(rows, key=lambda r: (-(r["support"] or 0), r["name"]))
        kept = by_size[: LONGEST_TABLE - _WORST]
        rest = sorted(by_size[LONGEST_TABLE - _WORST :], key=lambda r: (_main(r), r["name"]))
        chosen = kept + rest[:_WORST]
    else:
        chosen = rows
    return sorted(chosen, key=lambda r: r["name"].casefold()), len(rows) - len(chosen)


def _main(row: Row) -> float:
    value = next((row["cells"][m][0] for m in ("f1", "average_precision") if m in row["cells"]), None)
    return 2.0 if missing(value) else float(value or 0.0)


def reliability(data: ReportData, model_id: str, wanted: int = 30) -> tuple[Row | None, list[Row], int]:
    """Reliability over all songs, reliability of the worst calibrated genres, and the number of genres that were cut.

    Deviations are divided by their standard error, so that small genres do not fill the list.
    """
    mine = data.reliability[data.reliability["model_id"] == model_id]
    if mine.empty:
        return None, [], 0
    whole = mine[(mine["genre_id"] == "*") & (mine["bin"] == 0)]
    genres = mine[mine["genre_id"] != "*"].copy()
    said = pd.to_numeric(genres["confidence"]).clip(0.02, 0.98)
    stated = pd.to_numeric(genres["stated_coverage"]).clip(0.02, 0.98)
    named = (said - pd.to_numeric(genres["accuracy"])).abs() * (genres["n_predicted"] / (said * (1 - said))) ** 0.5
    held = (stated - pd.to_numeric(genres["coverage"])).abs() * (genres["n_songs"] / (stated * (1 - stated))) ** 0.5
    genres["_far"] = pd.concat([named, held], axis=1).max(axis=1).fillna(0.0)
    ordered = genres.sort_values(["_far", "genre_id"], ascending=[False, True])
    rows = [row | {"name": data.name(row["genre_id"])} for row in _rows(ordered.head(wanted))]
    return _rows(whole)[0], rows, max(0, len(ordered) - wanted)


def every_genre(data: ReportData, model_id: str) -> list[Row]:
    """One row per genre of a model, largest first: scores, reliability, and most frequent wrong predictions."""
    mine = data.genre_scores[data.genre_scores["model_id"] == model_id]
    values = mine.pivot_table(index="genre_id", columns="metric", values="value", aggfunc="first")
    genres = data.reliability[(data.reliability["model_id"] == model_id) & (data.reliability["genre_id"] != "*")]
    reliable = {row["genre_id"]: row for row in _rows(genres)}
    taken: dict[str, list[str]] = {}
    for row in _rows(data.taken_for.sort_values(["genre_id", "value", "other"], ascending=[True, False, True])):
        taken.setdefault(row["genre_id"], []).append(f"{data.name(row['other'])} {row['value']:.0f}")
    rows = [
        {
            "name": data.name(str(genre_id)),
            "songs": figures.get("support"),
            **{name: figures.get(name) for name in ("f1", "precision", "recall", "average_precision")},
            "coverage": reliable.get(genre_id, {}).get("coverage"),
            "set_size": reliable.get(genre_id, {}).get("set_size"),
            "taken_for": ", ".join(taken.get(str(genre_id), [])),
        }
        for genre_id, figures in values.to_dict("index").items()
    ]
    return sorted(rows, key=lambda row: (-(0 if missing(row["songs"]) else row["songs"]), row["name"].casefold()))


def genre_columns(data: ReportData, model_id: str) -> list[str]:
    """Per-genre metrics that the model has, in the order of the columns."""
    known = set(data.genre_scores.loc[data.genre_scores["model_id"] == model_id, "metric"])
    return [name for name in ("f1", "precision", "recall", "average_precision") if name in known]


def top_confusions(data: ReportData, model_id: str, wanted: int = 10) -> list[Row]:
    """The most frequent pairs of true and wrongly predicted genre, with the share of the true genre's songs."""
    mine = data.confusion[data.confusion["model_id"] == model_id]
    wrong = mine[(mine["genre_id"] != mine["other"]) & (mine["value"].astype(float) > 0)]
    order = wrong.sort_values(["value", "genre_id", "other"], ascending=[False, True, True]).head(wanted)
    return [
        {
            "true": data.name(row["genre_id"]),
            "said": data.name(row["other"]),
            "n": row["value"],
            "share": row["value"] / row["total"],
        }
        for row in _rows(order)
    ]


def importances(data: ReportData, model_id: str, kind: str, wanted: int = 15) -> list[Scored]:
    """The most important features of a model, without features of importance zero."""
    rows = data.importances
    mine = rows[
        (rows["model_id"] == model_id)
        & (rows["metric"] == f"importance_{kind}")
        & rows["value"].notna()
        & (rows["value"] != 0)
    ]
    order = mine.sort_values(["value", "other"], ascending=[False, True]).head(wanted)
    return [Scored(str(r["other"]), "", r["value"], r["low"], r["high"]) for r in _rows(order)]


def drawn_features(data: ReportData, model_ids: Sequence[str], wanted: int = 8) -> list[str]:
    """Features to draw: the most important ones of the models, then those that separate the genres best."""
    numeric = data.features.loc[data.features["kind"] == "numeric", "feature"].tolist()
    known = [feature for feature in numeric if feature in data.sample]
    ranked: list[str] = []
    for model_id in model_ids:
        ranked += [row.label for row in importances(data, model_id, "permutation", 3 * wanted)]
    parting = separation(data.sample, known)
    order = [feature for feature in ranked if feature in known] + sorted(known, key=lambda name: -parting[name])
    return list(dict.fromkeys(order))[:wanted]


def separation(sample: pd.DataFrame, features: Sequence[str]) -> dict[str, float]:
    """Share of each feature's variance between genres (eta squared); 0 for constant features.

    Parameters
    ----------
    sample : _genre_id and the features; missing values are left out.
    """
    found = {}
    for feature in features:
        values = pd.to_numeric(sample[feature], errors="coerce")
        means = values.groupby(sample["_genre_id"]).transform("mean")
        total = float(((values - values.mean()) ** 2).sum())
        found[feature] = float(((means - values.mean()) ** 2)[values.notna()].sum()) / total if total > 0 else 0.0
    return found


def losses(data: ReportData) -> tuple[list[str], list[Row]]:
    """Songs that training and evaluation left out: display names of the rules that occur, and one row per genre."""
    rules = [rule for rule in LOSSES if rule in data.losses and data.losses[rule].sum() > 0]
    rows = [
        {
            "name": row["genre"],
            "songs": row["songs"],
            "counts": [row[rule] for rule in rules],
            "kept": row["kept"],
            "why": row["why"],
        }
        for _, row in data.losses.iterrows()
    ]
    return [LOSSES[rule] for rule in rules], rows


def _rows(frame: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def metric_words(name: str) -> str:
    """Display name of a metric."""
    return METRICS.get(name, name.replace("_", " "))
