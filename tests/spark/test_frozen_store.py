"""A store of November 2026 with models of every kind: it opens, upgrades, answers, is rebuilt and goes on."""

import json
import re

import numpy as np
import pytest
import sklearn
from pyspark.errors import PySparkException

from frozen_store import EXPECTED, Frozen
from genreatlas.datasets.library import read_library
from genreatlas.errors import ModelError
from genreatlas.models import registry
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
KINDS = (
    "spark random_forest on summary9",
    "spark naive_bayes on mfcc12_frames",
    "sklearn logistic_regression on mfcc12_frames",
)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    return Frozen.copy(tmp_path_factory.mktemp("frozen"))


@pytest.fixture(scope="module")
def opened(spark, frozen):
    config = frozen.config()
    return Store(spark, config.store), config


def assert_as_then(store, config, row, library):
    """A model says of every clip, or of every song that it was judged on, what it said when the store was made."""
    dataset = registry.dataset_of(store, config, row, library)
    found = registry.load(row, config).predict(dataset.frame).collect()
    assert {one.song_id for one in found} <= set(dataset.songs.song_id) and found
    if clips := EXPECTED["models"][row.model_id]["scores"]:
        # They were asked of every clip; a model's own songs leave out those of several genres.
        assert {one.clip_id for one in found} <= clips.keys()
    for one in found if clips else ():
        n_rows, sums, votes = clips[one.clip_id]
        assert (one.n_rows, one.votes) == (n_rows, votes)
        np.testing.assert_allclose(one.score_sum, sums, rtol=1e-9, atol=1e-12)
    songs = {one.song_id: one for one in store.read(PREDICTIONS).where(f"model_id = '{row.model_id}'").collect()}
    for song, then in songs.items():
        mine = [one for one in found if one.song_id == song]
        means = np.sum([one.score_sum for one in mine], axis=0) / sum(one.n_rows for one in mine)
        np.testing.assert_allclose(means, [then.scores[genre] for genre in row.classes], rtol=1e-9, atol=1e-12)
    return len(songs)


def refused(store, config, row, library):
    """Whether a later Spark or scikit-learn wrote the model, and loading it here says so."""
    if row.format == "skops" and sklearn.__version__ < "1.9":
        with pytest.raises(PySparkException, match=r"was written by scikit-learn 1\.9\.1"):
            assert_as_then(store, config, row, library)
    elif row.format == "spark-ml" and store.spark.version < "4.2" and re.search("forest|gbt|tree", row.candidate):
        with pytest.raises(ModelError, match=r"was written by Spark 4\.2\.0, and Spark .* cannot read it"):
            registry.load(row, config)
    else:
        return False
    return True


def models_like(store, *kinds):
    """Rows of ``models`` whose candidates begin with one of these."""
    rows = store.read(MODELS).orderBy("model_id").collect()
    return [row for row in rows if row.candidate.startswith(kinds or "")]


def test_models_of_each_format_say_what_they_said_and_tables_have_all_columns_of_now(opened):
    store, config = opened
    library = read_library(store, config)
    rows = models_like(store, *KINDS)
    assert len(rows) >= len(KINDS)
    rows = [row for row in rows if not refused(store, config, row, library)]
    judged = {row.format for row in rows if assert_as_then(store, config, row, library)}
    assert judged == ({"spark-ml", "skops"} if sklearn.__version__ >= "1.9" else {"spark-ml"})
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
    query([*place, "SELECT engine FROM leaderboard"])
    assert "sklearn" in capsys.readouterr().out


@pytest.mark.slow
def test_every_model_says_what_it_said_and_every_training_set_is_made_again(opened, tmp_path):
    store, config = opened
    library = read_library(store, config)
    rows = models_like(store)
    assert {row.model_id for row in rows} == set(EXPECTED["models"])
    for row in rows:
        if not refused(store, config, row, library):
            assert_as_then(store, config, row, library)
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
