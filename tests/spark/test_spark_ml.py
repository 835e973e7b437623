"""Spark ML candidates on rows of known shape: scores of every class, repeatable to the bit, and loadable."""

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import PipelineModel

from genreatlas.models.engines.spark_ml.spark_facts import ESTIMATORS
from genreatlas.models.engines.spark_ml.spark_pipelines import (
    Fit,
    SparkModel,
    column_names,
    fit,
    fixed_partitions,
    prepare,
)
from genreatlas.models.types import Trial

CLASSES = ("absent", "blues", "jazz", "rock")
SMALL = {
    "logistic_regression": {"maxIter": 5},
    "random_forest": {"numTrees": 3, "maxDepth": 3},
    "gbt": {"maxIter": 2, "maxDepth": 2},
    "linear_svc": {"maxIter": 5},
    "multilayer_perceptron": {"hidden": [4], "maxIter": 20},
    "decision_tree": {"maxDepth": 3},
    "naive_bayes": {},
}
FEATURES = ("weight", "a b", "prediction")
COLUMNS = column_names(FEATURES)


@pytest.fixture(scope="module")
def rows(spark, tmp_path_factory):
    """60 songs of three genres, of which one feature tells a lot, one is noise with gaps, one has no value."""
    random = np.random.default_rng(1)
    songs = []
    for number in range(60):
        place = 1 + number % 3
        noise = None if number % 5 == 0 else float(random.normal())
        songs.append(
            {
                "song_id": f"s{number:02}",
                "clip_id": f"c{number:02}",
                "frame": 0,
                "genres": [CLASSES[place]],
                "weight": 1.0 + number % 2,
                "features": [place * 2 + float(random.normal(0, 0.5)), noise, None],
            }
        )
    schema = "song_id string, clip_id string, frame int, genres array<string>, weight double, features array<float>"
    folder = str(tmp_path_factory.mktemp("rows") / "rows")
    with fixed_partitions(spark):
        spark.createDataFrame([tuple(song.values()) for song in songs], schema).write.parquet(folder)
    return spark.read.parquet(folder)


def fitted(rows, name, multi=False, weights=False, **changes):
    params = {"scaler": "standard", **SMALL[name], **changes}
    trial = Trial(name, "spark", name, "plain", params, seed=5)
    task = Fit(CLASSES, (1, 2, 3), COLUMNS, n_values=180, multi=multi, weights=weights)
    with fixed_partitions(rows.sparkSession):
        return fit(rows, trial, prepare(rows, COLUMNS, [False, False, True], params["scaler"]), task)


def scored(model: SparkModel, rows) -> pd.DataFrame:
    """Song ids and scores, by song."""
    table = model.score(rows.select("song_id", "features")).toPandas().sort_values("song_id")
    return pd.DataFrame(table.scores.tolist(), index=table.song_id, columns=list(CLASSES))


def right(rows, scores):
    truth = rows.select("song_id", "genres").toPandas().set_index("song_id").genres.str[0]
    return (scores.idxmax(axis=1) == truth.loc[scores.index]).mean()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_scores_every_class_and_learns(rows, name):
    model = fitted(rows, name)
    scores = scored(model, rows)
    assert right(rows, scores) > 0.7
    if ESTIMATORS[name].scores == "margin":
        assert model.score_kind == "margin"
        np.testing.assert_allclose(scores["absent"], scores.drop(columns="absent").min(axis=1) - 1)
    else:
        assert model.score_kind == "probability"
        np.testing.assert_allclose(scores.sum(axis=1), 1.0)
        assert (scores["absent"] == 0).all()


def test_a_fit_does_not_depend_on_how_the_rows_were_cut(rows):
    one = scored(fitted(rows, "random_forest", scaler="none"), rows)
    other = scored(fitted(rows.repartition(5, "clip_id"), "random_forest", scaler="none"), rows)
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_songs_with_several_genres_get_a_probability_for_each(rows):
    model = fitted(rows, "logistic_regression", multi=True)
    scores = scored(model, rows)
    assert right(rows, scores) > 0.7
    assert not np.allclose(scores.sum(axis=1), 1.0)
    assert scores.to_numpy().min() >= 0 and scores.to_numpy().max() <= 1


def test_weights_change_the_fit(rows):
    plain = scored(fitted(rows, "naive_bayes"), rows)
    weighted = scored(fitted(rows, "naive_bayes", weights=True), rows)
    assert not np.allclose(plain, weighted)


@pytest.mark.parametrize("name", ["linear_svc", "random_forest"])
def test_a_saved_pipeline_scores_as_before(rows, tmp_path, name):
    model = fitted(rows, name)
    model.pipeline.write().save(f"file:{tmp_path / 'pipeline'}")
    pipeline = PipelineModel.load(f"file:{tmp_path / 'pipeline'}")
    again = SparkModel(pipeline, COLUMNS, len(CLASSES), (1, 2, 3), model.scores, multi=False)
    pd.testing.assert_frame_equal(scored(model, rows), scored(again, rows), check_exact=True)


def test_the_setting_that_fixes_partitions_is_put_back(spark):
    key = "spark.sql.adaptive.enabled"
    before = spark.conf.get(key)
    with pytest.raises(ValueError), fixed_partitions(spark):
        assert spark.conf.get(key) == "false"
        raise ValueError
    assert spark.conf.get(key) == before


def test_names_of_columns_are_made_of_letters_and_stay_apart():
    names = ("f_key_1", "f_key_1_2", "f_tempo", "f_key_1_3", "f_Tempo_2")
    assert column_names(("key=1", "key.1", "tempo", "key_1", "Tempo")) == names
