"""Model files: saved whole, loaded by id, and scoring as they did before."""

import json

import numpy as np
import pytest
from training_library import fill, library, with_train

from conftest import make_config
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.library import read_library
from genreatlas.errors import InputError, ModelError
from genreatlas.evaluation.song_scores import song_predictions
from genreatlas.models import registry
from genreatlas.models.candidates import make_trial
from genreatlas.models.training import FeatureSetTraining
from genreatlas.store import Store

#: Model id = engine, estimator, feature set, parameters.
MODELS = {
    "forest": ("sklearn", "random_forest", "plain", {"n_estimators": 50, "scaler": "none"}),
    "frames": ("sklearn", "logistic_regression", "plain_frames", {"scaler": "standard"}),
    "margins": ("spark", "linear_svc", "plain", {"maxIter": 5, "scaler": "standard"}),
    "spark_frames": ("spark", "naive_bayes", "plain_frames", {"scaler": "standard"}),
    "majority": ("baseline", "majority", "plain", {}),
    "technical": ("baseline", "technical", "technical", {}),
}


@pytest.fixture(scope="module")
def saved(spark, tmp_path_factory):
    """A store, its configuration, its library, and every model of MODELS in its folder."""
    config = with_train(make_config(tmp_path_factory.mktemp("registry")))
    store = Store(spark, config.store)
    fill(store, library())
    songs = read_library(store, config)
    main = build_dataset(store, config, songs, "plain")
    for feature_set in ("plain", "plain_frames", "technical"):
        own = feature_set != "technical"
        dataset = build_dataset(store, config, songs, feature_set, None if own else main)
        training = FeatureSetTraining(store, config, dataset, dataset if own else main)
        for model_id, (engine, estimator, its_set, params) in MODELS.items():
            if its_set == feature_set:
                training.refit(make_trial(engine, estimator, feature_set, params, 7), model_id)
        training.close()
    return store, config, songs


def predicted(saved, model_id, part="test"):
    store, config, songs = saved
    dataset = registry.dataset_of(store, config, {"model_id": model_id}, songs)
    rows = registry.load({"model_id": model_id}, config).predict(dataset.frame.where(f"part = '{part}'"))
    return dataset, sorted(rows.collect(), key=lambda row: row.song_id)


@pytest.mark.parametrize("model_id", MODELS)
def test_a_loaded_model_scores_every_clip_of_the_test_part(saved, model_id):
    dataset, rows = predicted(saved, model_id)
    assert [row.song_id for row in rows] == sorted(dataset.songs.song_id[dataset.songs.part == "test"])
    assert {row.clip_id for row in rows} == {f"clip-{row.song_id}" for row in rows}
    n_rows = 10 if "frames" in model_id else 1
    assert {row.n_rows for row in rows} == {n_rows}
    sums = np.array([row.score_sum for row in rows])
    np.testing.assert_allclose(sums.sum(axis=1), n_rows)
    assert {sum(row.votes) for row in rows} == {n_rows}
    if model_id not in ("majority", "technical"):
        genres = dict(zip(dataset.songs.song_id, dataset.songs.genres.str[0], strict=True))
        truth = [dataset.classes.index(genres[row.song_id]) for row in rows]
        assert (sums.argmax(axis=1) == truth).mean() > 0.6


@pytest.mark.slow
def test_margins_are_calibrated_on_folds_and_stay_margins_where_that_was_not_asked_for(saved):
    store, config, songs = saved
    assert registry.load({"model_id": "margins"}, config).score_kind == "probability"
    config = with_train(config, calibrate=False)
    dataset = build_dataset(store, config, songs, "plain")
    training = FeatureSetTraining(store, config, dataset, dataset)
    training.refit(make_trial("spark", "linear_svc", "plain", {"maxIter": 5, "scaler": "standard"}, 7), "raw")
    training.close()
    assert registry.load({"model_id": "raw"}, config).score_kind == "margin"
    _, rows = predicted(saved, "raw")
    assert min(min(row.score_sum) for row in rows) < 0


def test_a_models_folder_says_what_it_needs(saved):
    _, config, _ = saved
    meta = json.loads((config.models.path / "forest" / "meta.json").read_text())
    del meta["train"], meta["clip"]
    assert meta == {
        "model_id": "forest",
        "feature_set": "plain",
        "set_version": "1",
        "preprocessing_id": "prep",
        "songs_of": ["plain", "1", "prep"],
        "axis": "summary",
        "features": ["tempo", "energy", "key=0", "key=1", "key=2", "noise"],
        "classes": ["blues", "jazz", "rock"],
        "class_names": ["Blues", "Jazz", "Rock"],
        "multi": False,
        "score_kind": "probability",
        "format": "skops",
        "imputation": "median of the training part; 0 where a feature has no value there",
        "spark": None,
        "identity": "sound",
        "confidence": None,
    }
    assert registry.read_meta({"model_id": "technical"}, config).songs_of == ("plain", "1", "prep")


@pytest.mark.slow
def test_a_model_of_enough_artists_is_stored_with_its_confidence_and_answers_with_sets(store, config):
    fill(store, library(60))
    config = with_train(config)
    songs = read_library(store, config)
    dataset = build_dataset(store, config, songs, "plain")
    training = FeatureSetTraining(store, config, dataset, dataset)
    params = {"n_estimators": 50, "scaler": "none"}
    training.refit(make_trial("sklearn", "random_forest", "plain", params, 7), "sure")
    training.close()
    model = registry.load({"model_id": "sure"}, config)
    sure = model.confidence
    assert (sure.coverage, sure.n_songs, sure.n_groups) == (0.9, 135, 135)
    judged = store.spark.createDataFrame(
        dataset.songs[dataset.songs["part"] == "test"][["song_id", "group_id", "part", "genres"]].assign(
            genres=lambda rows: rows["genres"].map(list)
        ),
        "song_id string, group_id string, part string, genres array<string>",
    )
    rows = song_predictions(
        model.predict(dataset.frame.where("part = 'test'")), judged, model_id="sure", classes=model.classes,
        score_kind="probability", multi=False, confidence=sure,
    ).collect()  # fmt: skip
    assert len(rows) == 45
    covered = np.mean([row.in_set for row in rows])
    assert covered > 0.8 and all(1 <= row.set_size <= 3 for row in rows)
    raw = {row.song_id: row.score_sum for row in model.predict(dataset.frame.where("part = 'test'")).collect()}
    for row in rows[:5]:
        expected = sure.probabilities(np.array([raw[row.song_id]]))[0]
        assert [row.scores[genre] for genre in model.classes] == pytest.approx(expected.tolist(), abs=1e-12)


@pytest.mark.slow
def test_a_model_keeps_its_one_hot_columns_when_new_values_turn_up(saved, store, config):
    songs = library(4)
    for one in songs:
        one["features"]["key"] = 7.0
    fill(store, songs)
    config = config.model_copy(update={"models": saved[1].models})
    dataset = registry.dataset_of(store, config, {"model_id": "forest"}, read_library(store, config))
    assert dataset.features == ("tempo", "energy", "key=0", "key=1", "key=2", "noise")
    assert {tuple(row.features[2:5]) for row in dataset.frame.collect()} == {(0.0, 0.0, 0.0)}


def test_features_that_were_made_otherwise_are_refused(saved, store, config):
    fill(store, library(4), version="2")
    config = config.model_copy(update={"models": saved[1].models})
    with pytest.raises((ModelError, InputError), match="version 1"):
        registry.dataset_of(store, config, {"model_id": "forest"}, read_library(store, config))


def test_a_pipeline_is_loaded_from_its_folder(saved):
    _, config, _ = saved
    model = registry.load({"model_id": "spark_frames"}, config).model
    assert [type(stage).__name__ for stage in model.pipeline.stages] == [
        "ImputerModel",
        "VectorAssembler",
        "StandardScalerModel",
        "NaiveBayesModel",
    ]


def test_a_model_that_is_missing_or_spoilt_is_named(saved, tmp_path):
    _, config, _ = saved
    with pytest.raises(ModelError, match="run train_models again"):
        registry.load({"model_id": "none"}, config)
    folder = config.models.path / "spoilt"
    folder.mkdir()
    (folder / "meta.json").write_text("{}")
    with pytest.raises(ModelError, match="spoilt"):
        registry.load({"model_id": "spoilt"}, config)
