"""Rows of ``experiments`` from scores on folds, and their ranking."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from genreatlas.audio.layouts import get_layout
from genreatlas.datasets.sparse_labels import SparseLabels
from genreatlas.datasets.types import Dataset, Matrix
from genreatlas.errors import Reason
from genreatlas.ids import stable_id
from genreatlas.metrics import is_current, metric_for, version_of
from genreatlas.metrics.figures import from_version_1
from genreatlas.models.engines import get_engine, is_baseline
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.models.types import Trial
from genreatlas.values import Row, RowView

_LIMITS = tuple(
    reason.value
    for reason in (
        Reason.TOO_MANY_CLASSES,
        Reason.TOO_MANY_ROWS,
        Reason.TOO_MUCH_MEMORY,
        Reason.SEVERAL_GENRES,
        Reason.OTHER_LAYOUT,
    )
)


def experiment_id(trial: Trial, dataset_id: str, metric: str) -> str:
    """Hash of candidate, data set and metric."""
    return stable_id(
        trial.engine, trial.estimator, trial.feature_set, trial.params_json, trial.seed, dataset_id, metric
    )


def over_limit(trial: Trial, matrix: Matrix, room_mb: int | None = None) -> tuple[Reason, str] | None:
    """Why a candidate cannot be fitted on the data set, such as too many rows; None if it can.

    Parameters
    ----------
    room_mb : memory available for fits, in 2**20 bytes; None if unknown.
    """
    engine, layout = get_engine(trial.engine), get_layout(matrix.axis)
    if engine.sequences and not layout.several:
        return Reason.OTHER_LAYOUT, f"{matrix.axis}: one row per clip; this estimator needs a sequence of rows"
    if layout.in_order and not engine.sequences and not engine.is_baseline:
        return Reason.OTHER_LAYOUT, f"{matrix.axis}: rows are only meaningful in sequence; only networks can use them"
    if matrix.in_buckets and trial.estimator not in engine.without_matrix:
        return Reason.TOO_MUCH_MEMORY, (
            f"{matrix.n_rows:,} rows of {matrix.n_features:,} features are more than train.max_matrix_mb, and only "
            "numpy's lda and nearest_profile can be fitted in Spark, without a matrix. Raise it, lower train.max_songs "
            "or train.frames_per_song, or name a folder that all workers can read in train.shared_path"
        )
    found = engine.over_limit(trial.estimator, matrix)
    if found is not None or room_mb is None or matrix.in_buckets or not isinstance(engine, TaskEngine):
        return found
    needed = engine.fit_mb(trial.estimator, trial.params, matrix)
    if needed <= room_mb:
        return None
    return Reason.TOO_MUCH_MEMORY, (
        f"a fit on {matrix.n_rows:,} rows and {matrix.n_classes:,} classes would need up to {needed / 1024:.1f} GB of "
        f"memory; {room_mb / 1024:.1f} GB are available. Lower train.max_songs, or leave the candidate out"
    )


def candidate_columns(trial: Trial, dataset: Dataset, dataset_id: str) -> Row:
    """Columns that ``experiments`` and ``models`` share: the candidate and its data set."""
    return {
        "candidate": trial.name,
        "engine": trial.engine,
        "estimator": trial.estimator,
        "feature_set": trial.feature_set,
        "params": trial.params_json,
        "dataset_id": dataset_id,
        "set_version": dataset.set_version,
        "preprocessing_id": dataset.preprocessing_id,
        "split": dataset.split,
        "split_version": dataset.split_version,
        "level": dataset.level,
        "labels": dataset.labels,
        "seed": trial.seed,
    }


def experiment_row(
    trial: Trial,
    dataset: Dataset,
    matrix: Matrix,
    metric: str,
    folds: Sequence[RowView],
    unfinished: tuple[Reason, str] | None = None,
    room_mb: int | None = None,
) -> Row:
    """One row of ``experiments``, without provenance.

    Parameters
    ----------
    metric : ``train.metric``.
    folds : rows of ``fold_scores``; empty for a candidate above its estimator's limits. A candidate that failed on one
        fold has the status ``failed``, as its mean would be over fewer songs than the mean of others.
    unfinished : why the candidate was not scored on all folds. It gets no mean, for the same reason.
    room_mb : see :func:`over_limit`.
    """
    used = metric_for(metric, matrix.multi)
    row = {
        "experiment_id": experiment_id(trial, matrix.dataset_id, used),
        **candidate_columns(trial, dataset, matrix.dataset_id),
        "metric": used,
        "metric_version": version_of(used),
        "n_classes": matrix.n_classes,
        "n_songs": matrix.n_songs,
        "n_rows": matrix.n_rows,
    }
    if limit := over_limit(trial, matrix, room_mb):
        reason, detail = limit
        return row | {"status": "skipped", "reason": reason.value, "detail": detail, "n_folds": 0, "seconds": 0.0}
    folds = sorted(folds, key=lambda fold: fold["fold"])
    reasons = [fold["reason"] for fold in folds if fold["reason"]]
    details = [fold["detail"] for fold in folds if fold["detail"] and bool(fold["reason"]) == bool(reasons)]
    done = [fold for fold in folds if fold["score"] is not None]
    row |= {
        "status": "done" if not reasons else "skipped" if set(reasons) <= set(_LIMITS) else "failed",
        "reason": reasons[0] if reasons else None,
        "detail": details[0] if details else None,
        "n_folds": len(done),
        "n_absent": max((fold["n_absent"] or 0 for fold in done), default=None),
        "seconds": float(sum(fold["seconds"] for fold in folds)),
    }
    if unfinished is not None and not reasons:
        reason, detail = unfinished
        status = "cut" if reason is Reason.CUT_EARLY else "skipped"
        return row | {"status": status, "reason": reason.value, "detail": detail}
    return row | statistics(done)


def statistics(folds: Sequence[RowView]) -> dict[str, float | None]:
    """Minimum, mean, maximum, standard deviation and gap to training over the folds; empty if there are none."""
    if not folds:
        return {}
    scores = np.array([fold["score"] for fold in folds])
    train = np.array([math.nan if fold["train_score"] is None else fold["train_score"] for fold in folds])
    mean, train_mean = float(scores.mean()), float(train.mean())
    known = not math.isnan(train_mean)
    return {
        "score_min": float(scores.min()),
        "score_mean": mean,
        "score_max": float(scores.max()),
        "score_std": float(scores.std(ddof=1)) if len(scores) > 1 else None,
        "train_score_mean": train_mean if known else None,
        "gap": train_mean - mean if known else None,
    }


def outdated(row: RowView) -> bool:
    """Whether a row of ``experiments`` or ``fold_scores`` has scores by an older definition of its metric."""
    return not is_current(row["metric"], row.get("metric_version"))


def converted_fold(row: RowView, matrix: Matrix) -> Row:
    """Convert a row of ``fold_scores`` to the current definition of its metric; current rows are unchanged.

    Parameters
    ----------
    matrix : matrix of the experiment's data set; its labels determine which classes each fold lacks.
    """
    if not outdated(row):
        return dict(row)
    y, held_out = matrix.array("y"), matrix.array("fold") == row["fold"]
    absent, absent_in_training = (
        matrix.n_classes - len(np.unique(y.pairs(np.flatnonzero(rows))[1] if isinstance(y, SparseLabels) else y[rows]))
        for rows in (held_out, ~held_out)
    )

    def by_today(value: float | None, n_absent: int) -> float | None:
        return None if value is None else from_version_1(row["metric"], value, matrix.n_classes, n_absent)

    return dict(row) | {
        "score": by_today(row["score"], absent),
        "train_score": by_today(row["train_score"], absent_in_training),
        "metric_version": version_of(row["metric"]),
        "n_absent": absent,
    }


def converted(row: RowView, folds: Sequence[RowView]) -> Row:
    """Convert a row of ``experiments`` of version 1, given its converted folds."""
    # Sorted, because tables are unordered and the last digit of a sum depends on the order.
    done = sorted((fold for fold in folds if fold["score"] is not None), key=lambda fold: fold["fold"])
    absent = max((fold["n_absent"] for fold in done), default=None)
    figures = statistics(done) if row["status"] == "done" else {}
    return dict(row) | figures | {"metric_version": version_of(row["metric"]), "n_absent": absent}


def rankings(rows: Iterable[RowView]) -> list[list[RowView]]:
    """Rank the scored candidates of each contest, best first, ties by name; contests are ordered by their best.

    A contest is one engine on one feature set. Each baseline is a contest of its own, so that all are evaluated.

    Parameters
    ----------
    rows : rows of ``experiments``; those that are not done, or have scores by an older definition, are left out.
    """
    contests: dict[tuple[str, ...], list[RowView]] = {}
    for row in rows:
        if row["status"] == "done" and not outdated(row):
            alone = (row["estimator"],) if is_baseline(row["engine"]) else ()
            contests.setdefault((row["engine"], row["feature_set"], *alone), []).append(row)
    ordered = [sorted(group, key=lambda row: (-row["score_mean"], row["candidate"])) for group in contests.values()]
    return sorted(ordered, key=lambda group: (-group[0]["score_mean"], group[0]["candidate"]))


def genre_lines(dataset: Dataset, most: int = 40) -> list[str]:
    """Lines with the songs kept of each genre and the reasons why others were dropped; most dropped songs first."""
    words = {
        "no_features": "without features",
        "filtered": "filtered out",
        "duplicates": "copies",
        "several": "with several genres",
        "surplus": "above the maximum",
    }
    rows = dataset.dropped.assign(lost=dataset.dropped.songs - dataset.dropped.kept)
    lines = []
    for row in rows.sort_values(["lost", "genre_id"], ascending=[False, True]).head(most).to_dict("records"):
        causes = [f"{row[rule]} {text}" for rule, text in words.items() if row[rule]]
        causes += [row["why"]] if row["why"] else []
        lines.append(
            f"{dataset.feature_set}, {row['genre']}: {row['kept']} of {row['songs']} songs"
            + (f" ({', '.join(causes)})" if causes else "")
        )
    if len(rows) > most:
        lines.append(f"{dataset.feature_set}: {len(rows) - most} more genres; all are in training_genres")
    return lines


def unfinished_lines(feature_set: str, rows: Iterable[Mapping[str, object]], most: int = 40) -> list[str]:
    """Lines with the number of candidates cut by halving, and the names of those left out when the time was over."""
    rows = list(rows)
    lines = []
    if cut := [row for row in rows if row["reason"] == Reason.CUT_EARLY]:
        lines.append(
            f"{feature_set}: {len(cut)} of {len(rows)} candidates were cut by halving on folds; the table "
            'experiments lists them with the status cut. train.preset = "full" scores all on every fold.'
        )
    if late := [row["candidate"] for row in rows if row["reason"] == Reason.OVER_BUDGET]:
        lines.append(f"{feature_set}: the time budget ended before {len(late)} of {len(rows)} candidates were scored")
        lines += [f"  not tried: {name}" for name in late[:most]]
        lines += [f"  and {len(late) - most} more"] * (len(late) > most)
    return lines


def leader_line(row: RowView) -> str:
    """One line of the leaderboard: the winner of a contest, with mean and standard deviation over folds."""
    spread = "" if row["score_std"] is None else f" ± {row['score_std']:.3f}"
    title = row["engine"] if is_baseline(row["engine"]) else f"best {row['engine']}"
    return f"{title}: {row['score_mean']:.3f}{spread} {row['metric']} over {row['n_folds']} folds, {row['candidate']}"
