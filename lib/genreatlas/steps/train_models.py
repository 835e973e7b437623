"""Cross-validate all candidates on the same folds, and refit the best of each engine and feature set."""

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.feature_tables import known_feature_sets
from genreatlas.datasets.giveaways import giveaway_lines
from genreatlas.datasets.library import Library, read_library
from genreatlas.datasets.types import Dataset
from genreatlas.errors import ModelError, Reason
from genreatlas.ids import stable_id
from genreatlas.metrics import metric_for
from genreatlas.models import registry
from genreatlas.models.candidates import expand, is_quick, n_fits, rivals, sized, standing
from genreatlas.models.engines import is_baseline
from genreatlas.models.experiments import (
    candidate_columns,
    converted,
    converted_fold,
    experiment_id,
    experiment_row,
    genre_lines,
    leader_line,
    outdated,
    over_limit,
    rankings,
    unfinished_lines,
)
from genreatlas.models.ledger import Ledger
from genreatlas.models.training import STEP, FeatureSetTraining
from genreatlas.models.types import FoldTask, Trial
from genreatlas.progress import progress
from genreatlas.provenance import git_commit
from genreatlas.store import Store
from genreatlas.tables import (
    EXPERIMENTS,
    FOLD_SCORES,
    MODELS,
    TRAINING_GENRES,
)
from genreatlas.values import Row, RowView

READS = (
    "splits", "songs", "song_artists", "song_genres", "genre_parents", "clips", "feature_sets", "features_<set>",
    "vectors_<set>", "frames_<set>", "events_<set>", "recording_links",
)  # fmt: skip
WRITES = ("fold_scores", "experiments", "training_genres", "models")
SECTIONS = ("train", "splits", "models")
check = checks.train_models


def run(store: Store, config: Config) -> Counts:
    """Score candidates that have no experiment yet, and fit the best ones if they have no model yet.

    Counts are experiments and models.
    """
    for leftover in store.staged(STEP):
        leftover.drop()
    started = time.monotonic()
    trials = expand(config.train, known_feature_sets(store))
    library = read_library(store, config)
    gone = f"{library.retired} songs of the split are left out: their sources no longer have them (see [sync])"
    counts = Counts(notes=(gone,) if library.retired else ())
    main: Dataset | None = None
    with Ledger(store, config) as ledger:
        feature_sets = _feature_sets(trials, config.train.feature_sets)
        for place, feature_set in enumerate(feature_sets):
            deadline = _deadline(config, started, len(feature_sets) - place)
            own = feature_set in config.train.feature_sets
            mine = [trial for trial in trials if trial.feature_set == feature_set]
            training, notes = _prepare(store, config, library, feature_set, None if own else main, mine)
            main = main or training.dataset
            try:
                done = _train(training, ledger, mine, deadline)
                counts += Counts(notes=notes if done.read else ()) + done
            finally:
                training.close()
    return counts


def _prepare(
    store: Store,
    config: Config,
    library: Library,
    feature_set: str,
    songs_of: Dataset | None,
    trials: Sequence[Trial],
) -> tuple[FeatureSetTraining, tuple[str, ...]]:
    """Rows and matrix of a set without columns that reveal the genre, and notes on such columns."""
    dataset = build_dataset(store, config, library, feature_set, songs_of)
    training = FeatureSetTraining(store, config, dataset, songs_of or dataset, trials)
    found = training.giveaways(library.albums)
    if without := {one.feature: one.why for one in found if one.verdict == "left out"}:
        training.close()
        dataset = build_dataset(store, config, library, feature_set, songs_of, without=without)
        training = FeatureSetTraining(store, config, dataset, songs_of or dataset, trials)
    notes = (*dataset.notes, *giveaway_lines(feature_set, found))
    if training.matrix.in_buckets:
        large = f"{feature_set}: the training matrix is larger than train.max_matrix_mb = {config.train.max_matrix_mb}"
        unseen = "; columns that give the genre away were not looked for" if dataset.imported else ""
        notes = (*notes, f"{large}: its rows stay in Spark, where lda and nearest_profile are fitted{unseen}")
    return training, notes


def _feature_sets(trials: Iterable[Trial], configured: Sequence[str]) -> list[str]:
    """Feature sets with candidates. The first configured set comes first: the baselines are scored on its songs."""
    named = {trial.feature_set for trial in trials}
    return list(dict.fromkeys([*configured[:1], *(name for name in configured if name in named), *sorted(named)]))


def _deadline(config: Config, started: float, sets_left: int) -> float:
    """Monotonic time in seconds at which a feature set starts no more fits: an equal share of the remaining budget."""
    minutes = config.train.budget_minutes
    if minutes is None:
        return math.inf
    now = time.monotonic()
    return now + max(0.0, started + 60 * minutes - now) / sets_left


def _train(training: FeatureSetTraining, ledger: Ledger, trials: Sequence[Trial], deadline: float) -> Counts:
    matrix, train = training.matrix, training.config.train
    if not matrix.n_rows:
        return Counts(
            notes=(f"{training.dataset.feature_set}: no song has features of this set, so no model was trained on it",)
        )
    metric = metric_for(train.metric, matrix.multi)
    halve = is_quick(train)
    notes: list[str] = []
    if halve:
        trials, left_out = sized(trials, matrix.n_rows, matrix.n_features, matrix.n_classes)
        notes += [f"{training.dataset.feature_set}: {line}" for line in left_out]
    by_id = {experiment_id(trial, matrix.dataset_id, metric): trial for trial in trials}
    notes += _convert(training, ledger, by_id)
    limits = {one: over_limit(trial, matrix, training.room_mb) for one, trial in by_id.items()}
    new = {one: trial for one, trial in by_id.items() if _is_open(ledger.experiments.get(one), halve, limits[one])}
    made: list[Row] = []
    if new:
        ledger.add(TRAINING_GENRES, training.dataset.dropped.assign(dataset_id=matrix.dataset_id))
        if training.songs_of is training.dataset:  # baselines are judged on the songs of another set
            notes += genre_lines(training.dataset)
        scored = _score(training, ledger, new, metric, halve, deadline)
        made = _summarise(training, new, scored)
        ledger.add(EXPERIMENTS, made)
        notes += unfinished_lines(training.dataset.feature_set, made)
    known = {one: ledger.experiments[one] for one in by_id if one in ledger.experiments}
    contests = rankings((known | {row["experiment_id"]: row for row in made}).values())
    fitted = _refit(training, ledger, contests, by_id)
    notes += [leader_line(contest[0]) for contest in contests]
    status = [row["status"] for row in made]
    return Counts(
        read=len(made) + fitted.read,
        written=status.count("done") + fitted.written,
        failed=status.count("failed") + fitted.failed,
        skipped=status.count("skipped") + status.count("cut"),
        notes=(*notes, *fitted.notes),
    )


def _is_open(known: Mapping[str, object] | None, halve: bool, limit: tuple[Reason, str] | None) -> bool:
    """Whether a candidate is to be scored: it is new, or an earlier run did not finish it.

    Parameters
    ----------
    known : row of ``experiments`` of the candidate, or None.
    halve : whether this run uses successive halving.
    limit : reason why the candidate cannot be fitted on this machine, or None. A candidate that took too much memory
        earlier is scored again if there is no such reason.
    """
    if known is None or known["reason"] == Reason.OVER_BUDGET:
        return True
    if known["reason"] == Reason.TOO_MUCH_MEMORY:
        return limit is None
    return known["reason"] == Reason.CUT_EARLY and not halve


@dataclass
class _Scored:
    """Rows of ``fold_scores``, and the reasons by candidate that was not scored on all folds."""

    rows: list[RowView] = field(default_factory=list)
    unfinished: dict[str, tuple[Reason, str]] = field(default_factory=dict)


def _convert(training: FeatureSetTraining, ledger: Ledger, mine: Iterable[str]) -> list[str]:
    """Convert scores of older metric versions to the current version, so that only comparable scores are ranked."""
    ids = set(mine)
    old = {one: row for one in ids if (row := ledger.experiments.get(one)) and outdated(row)}
    left = [row for (one, _), row in ledger.folds.items() if one in ids and outdated(row)]
    if not old and not left:
        return []
    by_key = {(row["experiment_id"], row["fold"]): row for row in [*ledger.folds_of(old), *left]}
    folds = [converted_fold(row, training.matrix) for row in by_key.values()]
    of_experiment: dict[str, list[Row]] = {}
    for fold in folds:
        of_experiment.setdefault(fold["experiment_id"], []).append(fold)
    ledger.replace(folds, [converted(row, of_experiment[one]) for one, row in old.items() if one in of_experiment])
    return [
        f"{training.dataset.feature_set}: scores of {len(of_experiment)} experiments followed an older definition of "
        "macro_f1 and were converted: a genre without a song in a fold is left out of the mean instead of counting 0"
    ]


def _score(
    training: FeatureSetTraining,
    ledger: Ledger,
    trials: Mapping[str, Trial],
    metric: str,
    halve: bool,
    deadline: float,
) -> _Scored:
    """Score candidates on folds until each is finished or eliminated, or the deadline has passed.

    Scores are stored after each chunk of fits, and a later run continues from them.
    """
    scored = _Scored([row for (one, _), row in ledger.folds.items() if one in trials])
    scores: dict[str, dict[int, float | None]] = defaultdict(dict)
    for row in scored.rows:
        scores[row["experiment_id"]][row["fold"]] = row["score"]
    room = training.room_mb
    fitting = {one: trial for one, trial in trials.items() if not over_limit(trial, training.matrix, room)}
    groups = rivals(fitting, halve)
    folds = training.matrix.folds

    def is_over() -> bool:
        return time.monotonic() > deadline and any(
            not is_baseline(trials[one].engine) and len(known) == len(folds) and None not in known.values()
            for one, known in scores.items()
        )

    total = sum(n_fits(len(group), len(folds), halve) for group in groups)
    with progress(f"{STEP}: {training.dataset.feature_set}", total, "fits") as bar:
        bar.advance(len(scored.rows), known=True)
        bar.note = training.running
        stopped = False
        while not stopped:
            standings = [standing(group, scores, folds, halve) for group in groups]
            left = [one.left for one in standings if one.left]
            if not left:
                break
            # With a budget, grids run one after the other, so that finished candidates can be compared at its end.
            batch = left[0] if deadline < math.inf else [task for some in left for task in some]
            tasks = [FoldTask(one, trials[one], fold) for one, fold in batch]
            for chunk in training.score_folds(tasks, None if deadline == math.inf else 1):
                new = [{**asdict(result), "metric": metric, "run_id": training.store.run_id} for result in chunk]
                ledger.add(FOLD_SCORES, new)
                scored.rows += new
                for result in chunk:
                    scores[result.experiment_id][result.fold] = result.score
                bar.advance(len(chunk))
                if stopped := is_over():
                    break
    for group in groups:
        ended = standing(group, scores, folds, halve)
        scored.unfinished |= {one: (Reason.CUT_EARLY, why) for one, why in ended.cut.items()}
        for one in group:
            if one in ended.cut or len(scores[one]) == len(folds) or None in scores[one].values():
                continue
            scored.unfinished[one] = (
                Reason.OVER_BUDGET,
                f"train.budget_minutes = {training.config.train.budget_minutes:g} was used up after "
                f"{len(scores[one])} of {len(folds)} folds; the next run continues",
            )
    return scored


def _summarise(training: FeatureSetTraining, trials: Mapping[str, Trial], scored: _Scored) -> list[dict[str, object]]:
    """Rows of ``experiments``."""
    rows = []
    for one, trial in trials.items():
        mine = [row for row in scored.rows if row["experiment_id"] == one]
        unfinished = scored.unfinished.get(one)
        metric, room = training.config.train.metric, training.room_mb
        row = experiment_row(trial, training.dataset, training.matrix, metric, mine, unfinished, room)
        rows.append(dict.fromkeys(EXPERIMENTS.column_names) | row | _provenance(training))
    return rows


def _refit(
    training: FeatureSetTraining,
    ledger: Ledger,
    contests: Iterable[Sequence[RowView]],
    trials: Mapping[str, Trial],
) -> Counts:
    """Fit the best candidate of each ranking that can be fitted, unless its model exists."""
    config = training.config
    counts = Counts()
    for contest in contests:
        for row in contest:
            model_id = _model_id(row, config)
            if model_id in ledger.models and registry.exists(config, model_id):
                break
            try:
                trial = trials[row["experiment_id"]]
                fitted, note = _fit_model(training, trial, row, model_id)
                ledger.add(MODELS, [fitted])
            except ModelError as error:
                counts += Counts(read=1, failed=1, notes=(str(error),))
                continue
            counts += Counts(read=1, written=1, notes=(f"{trial.name}: {note}",) if note else ())
            break
    return counts


def _fit_model(
    training: FeatureSetTraining, trial: Trial, experiment: Mapping[str, object], model_id: str
) -> tuple[dict[str, object], str | None]:
    """Fit and save one model; return its row of ``models`` and a note on the fit, or None."""
    dataset = training.dataset
    meta, seconds, note = training.refit(trial, model_id)
    row = {
        "model_id": model_id,
        "experiment_id": experiment["experiment_id"],
        **candidate_columns(trial, dataset, training.matrix.dataset_id),
        "classes": list(meta.classes),
        "class_names": list(meta.class_names),
        "features": list(meta.features),
        "score_kind": meta.score_kind,
        "grouping": dataset.grouping,
        "left_out": list(dataset.left_out),
        "format": meta.format,
        "path": str(training.config.models.path.absolute() / model_id),
        "fitted_at": datetime.now(UTC),
        "seconds": seconds,
        "matrix_sha256": training.matrix.sha256,
        **_provenance(training),
    }
    return row, note


def _model_id(experiment: Mapping[str, object], config: Config) -> str:
    return stable_id("model", experiment["experiment_id"], config.train.calibrate)


def _provenance(training: FeatureSetTraining) -> dict[str, object]:
    return {
        "input_versions": dict(training.dataset.input_versions),
        "git_commit": git_commit(),
        "run_id": training.store.run_id,
    }
