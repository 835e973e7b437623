"""Train every candidate on the same folds, and fit the best of each engine and feature set again."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.errors import ModelError
from genreatlas.ids import stable_id
from genreatlas.models import registry
from genreatlas.models.candidates import expand
from genreatlas.models.dataset import build_dataset
from genreatlas.models.experiments import (
    candidate_columns,
    experiment_id,
    experiment_row,
    genre_lines,
    leader_line,
    over_limit,
    rankings,
)
from genreatlas.models.feature_tables import known_feature_sets
from genreatlas.models.library import read_library
from genreatlas.models.scores import metric_for
from genreatlas.models.training import SECONDS_A_CHUNK, STEP, FeatureSetTraining
from genreatlas.models.types import Dataset, FoldTask, Trial
from genreatlas.provenance import git_commit
from genreatlas.steps.counts import Counts
from genreatlas.store import Store
from genreatlas.tables import (
    CLIPS,
    EXPERIMENTS,
    FEATURE_SETS,
    FOLD_SCORES,
    GENRE_PARENTS,
    MODELS,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    SPLITS,
    TRAINING_GENRES,
    Table,
)

READS = (
    *(table.name for table in (SPLITS, SONGS, SONG_ARTISTS, SONG_GENRES, GENRE_PARENTS, CLIPS, FEATURE_SETS)),
    "features_<set>",
    "frames_<set>",
)
WRITES = tuple(table.name for table in (FOLD_SCORES, EXPERIMENTS, TRAINING_GENRES, MODELS))
SECTIONS = ("train", "splits", "models")


def run(store: Store, config: Config) -> Counts:
    """Score the candidates that have no experiment yet, and fit the winners that have no model."""
    for leftover in store.staged(STEP):
        leftover.drop()
    trials = expand(config.train, known_feature_sets(store))
    library = read_library(store, config)
    counts = Counts()
    main: Dataset | None = None
    for feature_set in _feature_sets(trials, config.train.feature_sets):
        own = feature_set in config.train.feature_sets
        dataset = build_dataset(store, config, library, feature_set, songs_of=None if own else main)
        main = main or dataset
        training = FeatureSetTraining(store, config, dataset, songs_of=dataset if own else main)
        try:
            counts += _train(training, [trial for trial in trials if trial.feature_set == feature_set])
        finally:
            training.close()
    return counts


def _feature_sets(trials: Iterable[Trial], configured: Sequence[str]) -> list[str]:
    """Feature sets with candidates. The first that is configured leads, as the baselines are judged on its songs."""
    named = {trial.feature_set for trial in trials}
    return list(dict.fromkeys([*configured[:1], *(name for name in configured if name in named), *sorted(named)]))


def _train(training: FeatureSetTraining, trials: Sequence[Trial]) -> Counts:
    matrix, train = training.matrix, training.config.train
    if not matrix.n_rows:
        return Counts(
            notes=(f"{training.dataset.feature_set}: none of the songs has it, so nothing was trained on it",)
        )
    metric = metric_for(train.metric, matrix.multi)
    by_id = {experiment_id(trial, matrix.dataset_id, metric): trial for trial in trials}
    known = _rows_of(training.store, EXPERIMENTS, "experiment_id", by_id)
    new = {one: trial for one, trial in by_id.items() if one not in {row["experiment_id"] for row in known}}
    notes: list[str] = []
    if new:
        _keep_genres(training)
        if training.songs_of is training.dataset:  # baselines are judged on the songs of another set
            notes += genre_lines(training.dataset)
        made = _summarise(training, new, _score(training, new, metric))
    else:
        made = []
    contests = rankings([*known, *made])
    fitted = _refit(training, contests, by_id)
    notes += [leader_line(contest[0]) for contest in contests]
    status = [row["status"] for row in made]
    return Counts(
        read=len(made) + fitted.read,
        written=status.count("done") + fitted.written,
        failed=status.count("failed") + fitted.failed,
        skipped=status.count("skipped"),
        notes=(*notes, *fitted.notes),
    )


def _score(training: FeatureSetTraining, trials: Mapping[str, Trial], metric: str) -> list[dict[str, Any]]:
    """Fill ``fold_scores`` for the candidates and return their rows; those of a run that was killed stay."""
    store = training.store
    rows = _rows_of(store, FOLD_SCORES, "experiment_id", trials)
    there = {(row["experiment_id"], row["fold"]) for row in rows}
    tasks = [
        FoldTask(one, trial, fold)
        for one, trial in trials.items()
        if not over_limit(trial, training.matrix)
        for fold in training.matrix.folds
        if (one, fold) not in there
    ]
    for chunk in training.score_folds(tasks):
        new = [{**asdict(result), "metric": metric, "run_id": store.run_id} for result in chunk]
        store.upsert(FOLD_SCORES, new)
        rows += new
    return rows


def _summarise(
    training: FeatureSetTraining, trials: Mapping[str, Trial], folds: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Write and return the rows of ``experiments``."""
    store = training.store
    rows = []
    for one, trial in trials.items():
        mine = [row for row in folds if row["experiment_id"] == one]
        row = experiment_row(trial, training.dataset, training.matrix, training.config.train.metric, mine)
        rows.append(row | _provenance(training))
    store.upsert(EXPERIMENTS, rows)
    return [{name: row.get(name) for name in EXPERIMENTS.column_names} for row in rows]


def _refit(
    training: FeatureSetTraining, contests: Iterable[Sequence[Mapping[str, Any]]], trials: Mapping[str, Trial]
) -> Counts:
    """Fit each contest's best candidate that can be fitted, unless its model is there."""
    store, config = training.store, training.config
    ids = {row["experiment_id"]: _model_id(row, config) for contest in contests for row in contest}
    there = {row["model_id"] for row in _rows_of(store, MODELS, "model_id", ids.values())}
    keep = _Models(store)
    counts = Counts()
    for contest in contests:
        for row in contest:
            model_id = ids[row["experiment_id"]]
            if model_id in there and registry.exists(config, model_id):
                break
            try:
                keep.add(_fit_model(training, trials[row["experiment_id"]], row, model_id))
            except ModelError as error:
                counts += Counts(read=1, failed=1, notes=(str(error),))
                continue
            counts += Counts(read=1, written=1)
            break
    keep.flush()
    return counts


class _Models:
    """Rows of ``models``, written at least every :data:`SECONDS_A_CHUNK`: a commit costs as much as a small fit."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.rows: list[dict[str, Any]] = []
        self.since = time.monotonic()

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row, and write all that are kept when it is time."""
        self.rows.append(row)
        if time.monotonic() - self.since > SECONDS_A_CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        if self.rows:
            self.store.upsert(MODELS, self.rows, update=True)
        self.rows, self.since = [], time.monotonic()


def _fit_model(
    training: FeatureSetTraining, trial: Trial, experiment: Mapping[str, Any], model_id: str
) -> dict[str, Any]:
    """Fit and save one model; its row of ``models``."""
    dataset = training.dataset
    meta, seconds = training.refit(trial, model_id)
    return {
        "model_id": model_id,
        "experiment_id": experiment["experiment_id"],
        **candidate_columns(trial, dataset, training.matrix.dataset_id),
        "classes": list(meta.classes),
        "class_names": list(meta.class_names),
        "features": list(meta.features),
        "score_kind": meta.score_kind,
        "grouping": dataset.grouping,
        "format": meta.format,
        "path": str(training.config.models.path.absolute() / model_id),
        "fitted_at": datetime.now(UTC),
        "seconds": seconds,
        **_provenance(training),
    }


def _keep_genres(training: FeatureSetTraining) -> None:
    rows = training.dataset.dropped.assign(dataset_id=training.matrix.dataset_id)
    training.store.upsert(TRAINING_GENRES, rows)


def _model_id(experiment: Mapping[str, Any], config: Config) -> str:
    return stable_id("model", experiment["experiment_id"], config.train.calibrate)


def _provenance(training: FeatureSetTraining) -> dict[str, Any]:
    return {
        "input_versions": dict(training.dataset.input_versions),
        "git_commit": git_commit(),
        "run_id": training.store.run_id,
    }


def _rows_of(store: Store, table: Table, key: str, values: Iterable[str]) -> list[dict[str, Any]]:
    """Rows with one of some hundreds of keys."""
    return [row.asDict() for row in store.read(table).where(F.col(key).isin(sorted(values))).collect()]
