"""Training on both engines: what it writes, that it repeats itself, and that it goes on after a kill."""

import json
import re

import pytest
from training_library import fill, library, with_train

from conftest import make_config
from genreatlas.counts import Counts
from genreatlas.models import ledger
from genreatlas.models.engines import task_grid
from genreatlas.steps import train_models
from genreatlas.store import Store
from genreatlas.tables import EXPERIMENTS, FOLD_SCORES, MODELS, TRAINING_GENRES

SETS = ("plain", "plain_frames")
CANDIDATES = (
    {"engine": "sklearn", "estimator": "logistic_regression", "feature_sets": ("plain",), "grid": {"C": [0.1, 1.0]}},
    {"engine": "sklearn", "estimator": "knn", "feature_sets": ("plain",), "grid": {"n_neighbors": [1000]}},
    {"engine": "spark", "estimator": "naive_bayes", "feature_sets": ("plain",)},
    {"engine": "spark", "estimator": "naive_bayes", "feature_sets": ("plain_frames",)},
)


def rows(store, table):
    """Rows as they must be equal between runs: sorted, without volatile columns."""
    names = [name for name in table.column_names if name not in table.volatile]
    found = store.read(table).select(*names).orderBy(*table.key).collect()
    return [row.asDict(recursive=True) for row in found]


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory):
    """A store after one training, its configuration, and the counts."""
    config = make_config(tmp_path_factory.mktemp("trained"))
    config = with_train(config, feature_sets=SETS, candidates=CANDIDATES)
    store = Store(spark, config.store)
    fill(store, library())
    return store, config, train_models.run(store, config)


def test_every_candidate_is_a_row_and_every_contest_has_a_model(trained):
    store, config, counts = trained
    found = {(row["engine"], row["estimator"], row["feature_set"]): row for row in rows(store, EXPERIMENTS)}
    assert sorted(found) == [
        ("baseline", "majority", "plain"),
        ("baseline", "random", "plain"),
        ("baseline", "stratified", "plain"),
        ("baseline", "technical", "technical"),
        ("sklearn", "knn", "plain"),
        ("sklearn", "logistic_regression", "plain"),
        ("spark", "naive_bayes", "plain"),
        ("spark", "naive_bayes", "plain_frames"),
    ]
    assert {name for (_, name, _), row in found.items() if row["status"] != "done"} == {"knn"}
    models = {(row["engine"], row["estimator"], row["feature_set"], row["format"]) for row in rows(store, MODELS)}
    assert models == {
        ("baseline", "majority", "plain", "json"),
        ("baseline", "random", "plain", "json"),
        ("baseline", "stratified", "plain", "json"),
        ("baseline", "technical", "technical", "skops"),
        ("sklearn", "logistic_regression", "plain", "skops"),
        ("spark", "naive_bayes", "plain", "spark-ml"),
        ("spark", "naive_bayes", "plain_frames", "spark-ml"),
    }
    assert (counts.read, counts.written, counts.failed, counts.skipped) == (16, 15, 1, 0)
    assert sorted(path.name for path in config.models.path.iterdir()) == [
        row["model_id"] for row in rows(store, MODELS)
    ]


def test_an_experiment_says_how_its_candidate_did_and_on_what(trained):
    store, _, _ = trained
    found = rows(store, EXPERIMENTS)
    scores = {row["candidate"]: row["score_mean"] for row in found}
    row = next(
        row for row in found if row["candidate"] == "sklearn logistic_regression on plain (C=1.0, scaler=standard)"
    )
    assert row["score_mean"] > 0.6 > scores["baseline majority on plain"]
    assert row["score_min"] <= row["score_mean"] <= row["score_max"] and row["score_std"] >= 0
    assert row["gap"] == pytest.approx(row["train_score_mean"] - row["score_mean"])
    shown = {name: row[name] for name in ("metric", "n_folds", "n_classes", "n_songs", "n_rows", "seed", "split")}
    assert shown == {
        "metric": "macro_f1",
        "n_folds": 3,
        "n_classes": 3,
        "n_songs": 27,
        "n_rows": 27,
        "seed": 7,
        "split": "default",
    }
    frames = next(row for row in found if row["feature_set"] == "plain_frames")
    assert (frames["n_songs"], frames["n_rows"]) == (27, 27 * 4)
    versions = store.read(EXPERIMENTS).where("feature_set = 'plain_frames'").first().input_versions
    read = ["clips", "feature_sets", "frames_plain_frames", "song_artists", "song_genres", "songs", "splits"]
    assert sorted(versions) == read


def test_a_candidate_that_fails_is_a_row_with_its_reason(trained):
    store, _, _ = trained
    failed = next(row for row in rows(store, EXPERIMENTS) if row["estimator"] == "knn")
    assert (failed["status"], failed["reason"], failed["n_folds"]) == ("failed", "fit_failed", 0)
    assert "n_neighbors" in failed["detail"]


def test_the_lines_below_the_step_show_genres_and_a_leaderboard(trained):
    notes = trained[2].notes
    assert "plain, Blues: 12 of 12 songs" in notes
    best = [note for note in notes if note.startswith("best sklearn")]
    assert len(best) == 1 and " ± " in best[0] and "over 3 folds, sklearn logistic_regression on plain" in best[0]
    assert len(rows(trained[0], TRAINING_GENRES)) == 3 * 3


def test_a_second_run_finds_nothing_to_do(trained):
    store, config, _ = trained
    tables = (FOLD_SCORES, EXPERIMENTS, MODELS)
    before = [rows(store, table) for table in tables]
    assert {(row["metric_version"], row["n_absent"]) for row in before[0] if row["score"] is not None} == {(2, 0)}
    for table in ("fold_scores", "experiments"):  # as a release without versions wrote them
        store.sql(f"UPDATE {store.location.sql(table)} SET metric_version = NULL, n_absent = NULL")
    counts = train_models.run(store, config)
    assert counts == Counts(notes=counts.notes)
    converted = r"plain: scores of [1-9]\d* experiments followed an older definition of macro_f1"
    assert any(re.match(converted, note) for note in counts.notes), counts.notes
    assert rows(store, MODELS) == before[2]
    done = [[row for row in of if row.get("reason") is None] for of in before]
    for table, expected in zip(tables, done, strict=True):
        assert [row for row in rows(store, table) if row.get("reason") is None] == expected


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_as_if_it_had_not_been_killed(trained, store, config, monkeypatch):
    fill(store, library()[::-1])
    config = with_train(config, feature_sets=SETS, candidates=CANDIDATES)
    monkeypatch.setattr(task_grid, "TASKS_A_CORE", 2)
    monkeypatch.setattr(ledger, "SECONDS_BETWEEN_COMMITS", 0.0)
    keep = Store.upsert
    kept = []

    def upsert(self, table, frame, **settings):
        if table is FOLD_SCORES:
            kept.append(table)
            if len(kept) == 2:
                raise KeyboardInterrupt
        return keep(self, table, frame, **settings)

    with monkeypatch.context() as kill:
        kill.setattr(Store, "upsert", upsert)
        with pytest.raises(KeyboardInterrupt):
            train_models.run(store, config)
    assert len(rows(store, FOLD_SCORES)) == 4
    assert not store.exists(EXPERIMENTS)
    train_models.run(store, config)
    for table in (FOLD_SCORES, EXPERIMENTS, TRAINING_GENRES, MODELS):
        assert rows(store, table) == rows(trained[0], table), table.name
    assert store.staged(train_models.STEP) == []


@pytest.mark.slow
def test_a_model_whose_files_are_gone_is_fitted_again(trained):
    import shutil

    store, config, _ = trained
    gone = next(row for row in rows(store, MODELS) if row["estimator"] == "majority")
    shutil.rmtree(config.models.path / gone["model_id"])
    counts = train_models.run(store, config)
    assert (counts.read, counts.written) == (1, 1)
    assert (config.models.path / gone["model_id"] / "model.json").exists()


@pytest.mark.slow
def test_a_quick_training_cuts_its_grids_and_goes_on_after_a_spent_budget(store, config):
    """Four runs over one store: a budget that is over at once, the rest, nothing, and a cut candidate by name."""
    fill(store, library(), frames=False, clips=False)

    def run(**settings):
        counts = train_models.run(store, with_train(config, **settings))
        found = {row["candidate"]: row for row in rows(store, EXPERIMENTS) if row["engine"] != "baseline"}
        return counts, found

    counts, found = run(budget_minutes=1e-6)
    late = [row for row in found.values() if row["reason"] == "over_budget"]
    assert late and all(row["status"] == "skipped" and row["score_mean"] is None for row in late)
    assert [row["engine"] for row in rows(store, MODELS) if row["engine"] != "baseline"] == ["sklearn"]
    assert any(note.startswith("plain: the time budget ended before") for note in counts.notes)
    assert f"  not tried: {late[0]['candidate']}" in counts.notes

    counts, found = run()
    assert {row["status"] for row in found.values()} == {"done", "cut"}
    assert {row["estimator"] for row in found.values() if row["status"] == "done"} == {
        "extra_trees",
        "logistic_regression",
        "svc",
    }
    cut = [row for row in found.values() if row["status"] == "cut"]
    assert all(row["n_folds"] < 3 and row["score_mean"] is None and row["reason"] == "cut_early" for row in cut)
    assert all(row["detail"].startswith(f"cut after {row['n_folds']} of 3 folds") for row in cut)
    stored = {row["experiment_id"] for row in rows(store, FOLD_SCORES) if row["score"] is not None}
    assert {row["experiment_id"] for row in cut} <= stored

    before = rows(store, FOLD_SCORES)
    counts, _ = run()
    assert counts == Counts(notes=counts.notes) and rows(store, FOLD_SCORES) == before

    one = next(row for row in cut if row["estimator"] == "logistic_regression")
    grid = {"C": [json.loads(one["params"])["C"]]}
    counts, found = run(candidates=({"engine": "sklearn", "estimator": "logistic_regression", "grid": grid},))
    assert (found[one["candidate"]]["status"], found[one["candidate"]]["n_folds"]) == ("done", 3)
    assert len(rows(store, FOLD_SCORES)) == len(before) + 3 - one["n_folds"]
