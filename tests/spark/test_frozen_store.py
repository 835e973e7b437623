"""A store of November 2026 with models of every kind: it opens, upgrades, answers, is rebuilt and goes on."""

import json

import numpy as np
import pytest

from frozen_store import EXPECTED, Frozen
from genreatlas.models import registry
from genreatlas.models.library import read_library
from genreatlas.query import query
from genreatlas.steps import (
    evaluate_models,
    extract_features,
    fetch_previews,
    housekeeping,
    import_folder,
    rebuild_training_set,
    score,
    train_models,
)
from genreatlas.store import Store, upkeep
from genreatlas.tables import CLIP_AUDIO, CLIPS, MODELS, PREDICTIONS, SCORES, TABLES

#: One model of each format and axis for the quick tests; the others are slow.
KINDS = ("baseline technical", "spark linear_svc on summary9", "sklearn logistic_regression on mfcc12_frames")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    return Frozen.copy(tmp_path_factory.mktemp("frozen"))


@pytest.fixture(scope="module")
def opened(spark, frozen):
    config = frozen.config()
    return Store(spark, config.store), config


def said(store, config, row, library):
    """What a model says of every clip now: rows, sums of scores, votes."""
    dataset = registry.dataset_of(store, config, row, library)
    rows = registry.load(row, config).predict(dataset.frame).collect()
    return {row.clip_id: (row.n_rows, row.score_sum, row.votes) for row in rows}


def assert_as_then(found, model_id):
    expected = EXPECTED["models"][model_id]["scores"]
    assert found.keys() == expected.keys()
    for clip, (n_rows, sums, votes) in expected.items():
        assert (found[clip][0], found[clip][2]) == (n_rows, votes)
        np.testing.assert_allclose(found[clip][1], sums, rtol=1e-9, atol=1e-12)


def models_like(store, *kinds):
    """Rows of ``models`` whose candidates begin with one of these."""
    rows = store.read(MODELS).orderBy("model_id").collect()
    return [row for row in rows if row.candidate.startswith(kinds or "")]


def test_models_of_each_format_say_what_they_said_and_tables_have_all_columns_of_now(opened):
    store, config = opened
    library = read_library(store, config)
    rows = models_like(store, *KINDS)
    assert len(rows) >= len(KINDS)
    for row in rows:
        assert_as_then(said(store, config, row, library), row.model_id)
    for table in TABLES:
        if store.exists(table):
            assert set(table.column_names) <= set(store.read(table).columns), table.name


def test_the_training_set_of_a_model_is_made_again_with_its_hash(opened, tmp_path):
    store, config = opened
    (row,) = models_like(store, "sklearn logistic_regression on mfcc12_frames")[:1]
    assert (
        rebuilt(store, config, row, tmp_path) == row.matrix_sha256 == EXPECTED["models"][row.model_id]["matrix_sha256"]
    )


def rebuilt(store, config, row, folder):
    wanted = config.rebuild.model_copy(update={"model_id": row.model_id, "path": folder})
    rebuild_training_set.run(store, config.model_copy(update={"rebuild": wanted}))
    return json.loads((folder / row.model_id / "matrix.json").read_text())["sha256"]


def test_it_answers_in_sql(opened, frozen, capsys):
    place = ["--set", f'store.path="{frozen.home / "tables"}"', "--csv", "-"]
    query([*place, "SELECT candidate FROM leaderboard"])
    assert "sklearn" in capsys.readouterr().out


@pytest.mark.slow
def test_every_model_says_what_it_said_and_every_training_set_is_made_again(opened, tmp_path):
    store, config = opened
    library = read_library(store, config)
    rows = models_like(store)
    assert {row.model_id for row in rows} == set(EXPECTED["models"])
    for row in rows:
        assert_as_then(said(store, config, row, library), row.model_id)
        assert rebuilt(store, config, row, tmp_path) == row.matrix_sha256


@pytest.mark.slow
def test_what_killed_runs_left_staged_is_merged_or_swept_and_the_work_goes_on(spark, tmp_path):
    frozen = Frozen.copy(tmp_path / "atlas")
    config = frozen.config()
    store = Store(spark, config.store)
    frozen.relocate(store)
    before = {table.name: store.read(table).count() for table in (CLIPS, CLIP_AUDIO, PREDICTIONS, SCORES)}

    assert extract_features.run(store, config).failed == 0
    assert store.staged("extract_features") == []
    import_folder.run(store, config)
    assert store.staged("import_folder") == []
    assert store.read(CLIPS).count() > before["clips"]
    fetch_previews.run(store, config)  # what is staged was all that was left to fetch: nobody is asked
    assert store.read(CLIP_AUDIO).count() > before["clip_audio"]
    assert extract_features.run(store, config).failed == 0
    evaluate_models.run(store, config)
    assert store.staged("evaluate_models") == []
    assert store.read(PREDICTIONS).count() > before["predictions"]
    files = config.score.model_copy(update={"path": frozen.home / "new_music"})
    assert score.run(store, config.model_copy(update={"score": files})).written == 2
    assert store.staged("score") == store.staged("score_predicted") == []
    candidates = [{"engine": "baseline", "estimator": "majority"}]
    train = type(config.train).model_validate(config.train.model_dump() | {"candidates": candidates})
    train_models.run(store, config.model_copy(update={"train": train}))
    assert store.staged("train_models") == []


@pytest.mark.slow
def test_its_tables_are_described_anew_and_housekeeping_keeps_what_training_sets_need(spark, tmp_path):
    frozen = Frozen.copy(tmp_path / "atlas")
    config = frozen.config()
    store = Store(spark, config.store)
    for table in housekeeping.existing_tables(store):
        upkeep.describe_again(store, table)
        assert upkeep.describe_again(store, table) == []
    housekeeping.run(store, config)
    (row,) = models_like(store, "sklearn logistic_regression on mfcc12_frames")[:1]
    assert rebuilt(store, config, row, tmp_path / "rebuilt") == row.matrix_sha256
