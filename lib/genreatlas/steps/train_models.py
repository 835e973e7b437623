"""Train every candidate on the same folds, and fit the best of each engine and feature set again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

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
from genreatlas.models.ledger import Ledger
from genreatlas.models.library import read_library
from genreatlas.models.scores import metric_for
from genreatlas.models.training import STEP, FeatureSetTraining
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
    with Ledger(store, config) as ledger:
        for feature_set in _feature_sets(trials, config.train.feature_sets):
            own = feature_set in config.train.feature_sets
            dataset = build_dataset(store, config, library, feature_set, songs_of=None if own else main)
            main = main or dataset
            training = FeatureSetTraining(store, config, dataset, songs_of=dataset if own else main)
            try:
                counts += _train(training, ledger, [trial for trial in trials if trial.feature_set == feature_set])
            finally:
                training.close()
    return counts


def _feature_sets(trials: Iterable[Trial], configured: Sequence[str]) -> list[str]:
    """Feature sets with candidates. The first that is configured leads, as the baselines are judged on its songs."""
    named = {trial.feature_set for trial in trials}
    return list(dict.fromkeys([*configured[:1], *(name for name in configured if name in named), *sorted(named)]))


def _train(training: FeatureSetTraining, ledger: Ledger, trials: Sequence[Trial]) -> Counts:
    matrix, train = training.matrix, training.config.train
    if not matrix.n_rows:
        return Counts(
            notes=(f"{training.dataset.feature_set}: none of the songs has it, so nothing was trained on it",)
        )
    metric = metric_for(train.metric, matrix.multi)
    by_id = {experiment_id(trial, matrix.dataset_id, metric): trial for trial in trials}
    new = {one: trial for one, trial in by_id.items() if one not in ledger.experiments}
    notes: list[str] = []
    made: list[dict[str, Any]] = []
    if new:
        ledger.add(TRAINING_GENRES, training.dataset.dropped.assign(dataset_id=matrix.dataset_id))
        if training.songs_of is training.dataset:  # baselines are judged on the songs of another set
            notes += genre_lines(training.dataset)
        made = _summarise(training, new, _score(training, ledger, new, metric))
        ledger.add(EXPERIMENTS, made)
    known = [ledger.experiments[one] for one in by_id if one in ledger.experiments]
    contests = rankings([*known, *made])
    fitted = _refit(training, ledger, contests, by_id)
    notes += [leader_line(contest[0]) for contest in contests]
    status = [row["status"] for row in made]
    return Counts(
        read=len(made) + fitted.read,
        written=status.count("done") + fitted.written,
        failed=status.count("failed") + fitted.failed,
        skipped=status.count("skipped"),
        notes=(*notes, *fitted.notes),
    )


def _score(
    training: FeatureSetTraining, ledger: Ledger, trials: Mapping[str, Trial], metric: str
) -> list[Mapping[str, Any]]:
    """Score the candidates on every fold; what a run that was killed has scored stays."""
    tasks = [
        FoldTask(one, trial, fold)
        for one, trial in trials.items()
        if not over_limit(trial, training.matrix)
        for fold in training.matrix.folds
    ]
    rows: list[Mapping[str, Any]] = [row for (one, _), row in ledger.folds.items() if one in trials]
    left = [task for task in tasks if (task.experiment_id, task.fold) not in ledger.folds]
    for chunk in training.score_folds(left):
        new = [{**asdict(result), "metric": metric, "run_id": training.store.run_id} for result in chunk]
        ledger.add(FOLD_SCORES, new)
        rows += new
    return rows


def _summarise(
    training: FeatureSetTraining, trials: Mapping[str, Trial], folds: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of ``experiments``."""
    rows = []
    for one, trial in trials.items():
        mine = [row for row in folds if row["experiment_id"] == one]
        row = experiment_row(trial, training.dataset, training.matrix, training.config.train.metric, mine)
        rows.append(dict.fromkeys(EXPERIMENTS.column_names) | row | _provenance(training))
    return rows


def _refit(
    training: FeatureSetTraining,
    ledger: Ledger,
    contests: Iterable[Sequence[Mapping[str, Any]]],
    trials: Mapping[str, Trial],
) -> Counts:
    """Fit each contest's best candidate that can be fitted, unless its model is there."""
    config = training.config
    counts = Counts()
    for contest in contests:
        for row in contest:
            model_id = _model_id(row, config)
            if model_id in ledger.models and registry.exists(config, model_id):
                break
            try:
                ledger.add(MODELS, [_fit_model(training, trials[row["experiment_id"]], row, model_id)])
            except ModelError as error:
                counts += Counts(read=1, failed=1, notes=(str(error),))
                continue
            counts += Counts(read=1, written=1)
            break
    return counts


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
        "matrix_sha256": training.matrix.sha256,
        **_provenance(training),
    }


def _model_id(experiment: Mapping[str, Any], config: Config) -> str:
    return stable_id("model", experiment["experiment_id"], config.train.calibrate)


def _provenance(training: FeatureSetTraining) -> dict[str, Any]:
    return {
        "input_versions": dict(training.dataset.input_versions),
        "git_commit": git_commit(),
        "run_id": training.store.run_id,
    }
